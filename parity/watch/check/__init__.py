"""What can be seen in a program before its first step (NumPy only): right, or silent.

Adapters fill a `Program`; each cause looks at it, says what it sees and the line to change, and
knows a remedy that can be tried.
"""

import numpy as np

from parity.watch.check import (
    adapting,
    axes,
    course,
    data,
    fit,
    gaps,
    head,
    initial,
    places,
    prepared,
    ranges,
    regularising,
    sets,
    signals,
    softmax,
    steps,
    training,
    weighing,
)
from parity.watch.check.cause import Belief, Cause, Change, Match, Remedy
from parity.watch.check.parts import Layer, Loss, Penalty
from parity.watch.check.program import Program

__all__ = [
    "AT_HEADS", "CAUSES", "TARGETS", "Belief", "Cause", "Change", "Layer", "Loss", "Match",
    "Penalty", "Program", "Remedy", "causes_of",
]  # fmt: skip

CAUSES: tuple[Cause, ...] = (
    *fit.CAUSES,
    *softmax.CAUSES,
    *head.CAUSES,
    *places.CAUSES,
    *ranges.CAUSES,
    *weighing.CAUSES,
    *steps.CAUSES,
    *course.CAUSES,
    *training.CAUSES,
    *initial.CAUSES,
    *signals.CAUSES,
    *regularising.CAUSES,
    *adapting.CAUSES,
    *data.CAUSES,
    *gaps.CAUSES,
    *axes.CAUSES,
    *sets.CAUSES,
    *prepared.CAUSES,
)

AT_HEADS: tuple[Cause, ...] = (*fit.CAUSES, *softmax.CAUSES, *head.CAUSES, *ranges.CAUSES)
"""Those of one of several outputs, its loss and its targets."""


TARGETS: tuple[Cause, ...] = tuple(c for c in data.CAUSES if c.name == "targets unscaled")
"""That of one of several outputs which makes its loss outweigh those of the others."""


def causes_of(
    program: Program, least: Belief = Belief.LIKELY, causes: tuple[Cause, ...] = CAUSES
) -> list[Match]:
    """Every cause that the facts bear out, the surest first; none where all looks well.

    What follows from one of them is not among them.

    Args:
        program: Before its first step.
        least: How sure a cause must be.
        causes: That are looked at.
    """
    with np.errstate(all="ignore"):  # outputs that are not finite are a finding, not an error
        seen = {cause: cause.look(program) for cause in causes}
    found = {cause: match for cause, match in seen.items() if match and match.belief >= least}
    explained = {name for cause in found for name in cause.explains}
    matches = [match for cause, match in found.items() if cause.name not in explained]
    return sorted(matches, key=lambda match: -match.belief)
