"""Whether a training has learned nothing so far (NumPy only)."""

import numpy as np

from parity.watch.check.program import Array, Program
from parity.watch.trials.material import FEW, score
from parity.watch.trials.ranking import Tried

STALLED = 1024
"""Steps after which it is asked; some healthy networks stay on a plateau for hundreds."""
SHORT, FEW_STEPS = 200, 64
"""Batches from which on it is asked at the end of a training, too, and where gradients of several
are gathered for each step."""
MUCH = 0.3
"""Of a score, that a remedy must bring before it is said of a training that may merely be slow."""
OF_TWO = 0.25
"""Likewise where one of two is told by chance: no table tells all of them."""
NOTHING = 0.05
"""Of a score above chance, up to which nothing has been learned."""


def asks(before: int, step: int, *, ended: bool, gathered: int = 1) -> bool:
    """Whether it is to be asked.

    Args:
        before: Steps when it was last thought of.
        step: Steps now.
        ended: Whether there will be no more.
        gathered: Batches for each step.
    """
    least = SHORT if gathered == 1 else FEW_STEPS
    return before * gathered < STALLED <= step * gathered or (ended and step * gathered >= least)


def proves(program: Program, targets: Array, found: Tried) -> bool:
    """Whether a remedy brings much where the same steps as it is bring nothing.

    Where the facts bear out the cause too, it may bring half as much: a few units are lucky.
    """
    if found.base is None or not lifts(program, targets, found):
        return False
    borne_out = bool(found.matches) and found.matches[0].belief > 0
    most = 2 * NOTHING  # of a few hundred samples that were held out
    return found.base - floor(program, targets) < max(most, found.gain / 2 if borne_out else 0.0)


def lifts(program: Program, targets: Array, found: Tried) -> bool:
    """Whether a remedy brings much, also where what is as it is was unlucky; arguments as above."""
    best, by_chance = max(found.base or 0.0, 0.0) + found.gain, chance(program, targets)
    least = MUCH if by_chance < 1 / 2 else OF_TWO
    return found.gain >= least and best > by_chance + least


def explains(program: Program, found: Tried) -> bool:
    """Whether what trials have brought explains a collapse.

    A cause that only a trial shows does not, where the copy learns more as it is than its remedy
    adds: then the program does what the copy does not.
    """
    if any(match.belief for match in found.matches) or found.base is None:
        return True
    targets = program.targets
    return targets is None or found.base - chance(program, targets) <= found.gain


def learned_nothing(
    program: Program, outputs: Array, targets: Array, least: float = NOTHING
) -> bool:
    """Whether answers are hardly better than at first, or chance; arguments as of `reads`."""
    found = reads(program, outputs, targets)
    return found is not None and found < floor(program, targets) + least


def reads(program: Program, outputs: Array, targets: Array) -> float | None:
    """The score of a network's answers; None where it has none.

    Args:
        program: That trains.
        outputs: Of the network now, [N, ...].
        targets: Of the same samples, [N, ...].
    """
    task = program.task
    # Of all there are, as of the four of an exclusive or, a few tell as much as a trial does.
    few = not program.whole or program.targets is None or len(program.targets) > len(targets)
    if task is None or (few and len(targets) < FEW) or not np.isfinite(outputs).all():
        return None
    names = targets.argmax(axis=1) if program.one_hot else targets
    names = names.ravel() if task in ("classes", "binary") else names
    middle = 0.0 if program.loss is not None and program.loss.takes == "logits" else 0.5
    return score(task, outputs, names, middle)


def floor(program: Program, targets: Array) -> float:
    """Score of what was there before the first step: initial weights may be lucky."""
    same = len(program.outputs) == len(targets)
    before = reads(program, program.outputs, targets) if same else None
    return max(chance(program, targets), before or 0.0)


def chance(program: Program, targets: Array) -> float:
    """Score of answers that know nothing of the samples."""
    if program.task == "values":
        return 0.0
    names = targets.argmax(axis=1) if program.one_hot else targets
    return 0.5 if program.task == "several" else 1 / max(len(np.unique(names)), 2)
