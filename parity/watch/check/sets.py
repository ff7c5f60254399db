"""Causes in which samples there are: frequencies, and what is held out."""

import numpy as np

from parity.watch.check.cause import Belief, Cause, Change, Match, Remedy
from parity.watch.check.parts import ROWS
from parity.watch.check.program import Program

RARE, SCARCE = 0.03, 0.15
"""Share of the other classes from which on always answering one looks good, and may."""


def imbalance(program: Program) -> Match | None:
    """A class that always answering another hides."""
    found = program.classes
    if found is None or len(found) < 100 or not program.fair or found.min() < 0:
        return None
    names, counts = np.unique(found, return_counts=True)
    share = float(counts.max() / len(found))
    if program.loss is not None and (program.loss.weights or program.loss.of_yes):
        return None  # it was thought of
    if (len(names) < 2 and program.whole) or share < 1 - SCARCE:
        return None
    return Match(
        "one class is far more frequent than the others",
        f"{share:.1%} of the targets are class {names[counts.argmax()]}: always answering it is "
        f"{share:.1%} right",
        "Weight the rare classes in the loss ("
        + program.words(torch="weight= or pos_weight=", keras="class_weight=")
        + "), and judge by the recall of each class",
        Belief.LIKELY if share >= 1 - RARE else Belief.MAYBE,
        Remedy("with classes drawn equally often", changes=Change.BALANCED),
    )


def same_batch(program: Program) -> Match | None:
    """One batch again and again."""
    if not program.repeats:
        return None
    return Match(
        "every batch holds the same samples",
        f"the first, the second and the last are equal to the bit: {program.repeats} samples are "
        "all that is trained on",
        "Use the index in __getitem__: x[index * size : (index + 1) * size]; in a pipeline leave "
        "take(1) out",
    )


def duplicates(program: Program) -> Match | None:
    """Test samples that were trained on."""
    own = program.inputs
    if own is None or own.dtype.kind not in "iuf" or not program.other_inputs:
        return None
    seen = {row.tobytes() for row in np.ascontiguousarray(own)}
    if len(seen) < 0.95 * len(own) or len(own) < ROWS:
        return None  # samples are alike by nature
    for name, other in program.other_inputs.items():
        if other.dtype != own.dtype or other.shape[1:] != own.shape[1:] or not len(other):
            continue
        again = sum(row.tobytes() in seen for row in np.ascontiguousarray(other))
        if again > max(3, 0.02 * len(other)):
            return Match(
                f"{name} samples are among those of training",
                f"{again:,} of {len(other):,} are, to the last bit",
                "Split the samples once, before anything else, and drop duplicates first",
            )
    return None


CAUSES = (
    Cause("imbalance", imbalance),
    Cause("same batch", same_batch),
    Cause("duplicates", duplicates),
)
