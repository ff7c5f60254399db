"""Whether a loss goes up and down from step to step, and does not fall (NumPy only).

A step multiplies what is left to go, along a direction of curvature L, by 1 - rate * L: above 1 / L
it overshoots, above 2 / L by more each time (LeCun et al. 1998, Efficient BackProp, section 4). The
same samples are asked after each step, so that it is not the batches that differ.
"""

from collections.abc import Sequence

import numpy as np

from parity.watch.check import Belief, Change, Match, Program, Remedy
from parity.watch.check.program import Array
from parity.watch.check.steps import HEAVY
from parity.watch.trials.material import FEW

BEGINS = (64, 256, 1024)
"""Steps after which a loss is looked at."""
LOOKS = 13
"""Looks, one after each step."""
SWING = 0.1
"""Change of a loss from one step to the next that counts, where 1 is that of knowing nothing."""
TURNS = 3
"""Steps up, and steps down, from which on it is no single jump."""
LEARNED = 0.3
"""Loss below which a network has learned much, however it got there."""
FIRST = 4
"""Looks after which it is left, if the loss has not changed by as much; sooner, if by a quarter."""
SLOWER = (0.1, 0.01)
"""Parts of the learning rate that are tried."""
FAST_MOMENTUM = 0.9
"""Above it, a usual one is tried too."""


def loss_of(program: Program, outputs: Array, targets: Array) -> float | None:
    """A loss in parts of that of knowing nothing; None where that is unclear.

    The crossentropy over the entropy of the classes, or the squared error over the variance.

    Args:
        program: That trains.
        outputs: Of the network, [N, C] or [N, ...].
        targets: Of the same samples, [N, ...].
    """
    rows = outputs.reshape(len(outputs), -1).astype(np.float64)
    if len(targets) < FEW or not np.isfinite(rows).all():
        return None
    if program.task == "values":
        wanted = targets.reshape(len(targets), -1).astype(np.float64)
        variance = float(((wanted - wanted.mean(axis=0)) ** 2).mean())
        same = wanted.shape == rows.shape and variance > 0
        return float(((rows - wanted) ** 2).mean()) / variance if same else None
    if program.task not in ("classes", "binary"):
        return None
    names = (targets.argmax(axis=1) if program.one_hot else targets).ravel()
    if rows.shape[1] == 1:  # a logit, or the sigmoid of one
        value = rows if program.last != "sigmoid" else np.log((rows + 1e-7) / (1 - rows + 1e-7))
        rows = np.hstack([np.zeros_like(value), value])
    if len(names) != len(rows) or names.min() < 0 or names.max() >= rows.shape[1]:
        return None
    rows = np.log(rows + 1e-7) if program.last == "softmax" else rows
    shares = np.unique(names, return_counts=True)[1] / len(names)
    entropy = float(-(shares * np.log(shares)).sum())
    rows = rows - rows.max(axis=1, keepdims=True)
    found = np.log(np.exp(rows).sum(axis=1)) - rows[np.arange(len(rows)), names.astype(np.int64)]
    return float(found.mean()) / entropy if entropy > 0 else None


def goes_on(losses: Sequence[float]) -> bool:
    """Whether to look again: most trainings are calm, and looks take time."""
    most = np.abs(np.diff(losses)).max() if len(losses) > 1 else np.inf
    calm = most <= (SWING if len(losses) >= FIRST else SWING / 4)
    return losses[0] >= LEARNED and not calm


def swings(program: Program, losses: Sequence[float], step: int) -> list[Match]:
    """Remedies, each as a cause, where a loss goes up and down and does not fall.

    Args:
        program: That trains.
        losses: As `loss_of`, after one step after the other.
        step: The last of these.
    """
    changes = np.diff(losses)
    up, down = int((changes > SWING).sum()), int((changes < -SWING).sum())
    if min(up, down) < TURNS or np.mean(losses) < LEARNED or not program.rate:
        return []
    if abs(losses[-1] - losses[0]) > np.abs(changes).sum() / 2:  # it falls, or runs away
        return []
    first = step - len(changes) + 1
    figures = (
        f"in steps {first:,} to {step:,} that of the same samples rose {up} times and fell {down} "
        f"times, between {min(losses):.3g} and {max(losses):.3g} times what knowing nothing costs; "
        f"{program.optimizer} at {program.rate:g}"
    )
    cause = "the loss oscillates: steps are too long for its curvature"

    def match(advice: str, remedy: Remedy) -> Match:
        return Match(cause, figures, advice, Belief.MAYBE, remedy)

    found = []
    for part in SLOWER:
        rate = float(f"{program.rate * part:.3g}")
        line = program.words(torch=f"Set lr={rate:g}", keras=f"Set learning_rate={rate:g}")
        found.append(match(line, Remedy(f"with a learning rate of {rate:g}", rate=rate)))
    if program.momentum is not None and FAST_MOMENTUM < program.momentum < HEAVY[0]:
        line = f"Lower the momentum, {program.momentum:g}, to 0.9"
        found.append(match(line, Remedy("with a momentum of 0.9", changes=Change.DAMPED)))
    return found
