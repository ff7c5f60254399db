"""Whether a network has learned the opposite of its targets (NumPy only)."""

import numpy as np

from parity.watch.check import Match, Program
from parity.watch.check.program import Array
from parity.watch.trials.material import FEW

WRONG, RIGHT = 0.2, 0.8
"""Share of right answers up to which, and of right least likely answers from which on, what was
learned is the opposite: who knows nothing is right by chance."""
MOST = 200_000
"""Answers of yes or no that are looked at, at most."""
MORE = 0.2
"""By how much more often the opposite is right than it was at first: weights may be unlucky."""


def inverted(program: Program, outputs: Array, targets: Array) -> Match | None:
    """A network whose answers are wrong far more often than chance makes them.

    Args:
        program: That has trained.
        outputs: Of the network now, [N, ...].
        targets: Of the same samples, [N, ...].
    """
    root = program.course.root
    if program.loss is None and program.columns == 1 and (root is None or root >= 0):
        return None  # it may be a distance, which is small for a yes
    same = len(program.outputs) == len(outputs)
    now = _right(program, outputs, targets) if len(targets) >= FEW and same else None
    before = None if now is None else _right(program, program.outputs, targets)
    if now is None or before is None or now[0] > WRONG or now[1] < max(RIGHT, before[1] + MORE):
        return None
    return Match(
        "the network learns the opposite of its targets: its loss has the wrong sign",
        f"{now[0]:.0%} of what it tells apart it tells rightly, {before[0]:.0%} before the first "
        f"step, and the opposite of its answers is right for {now[1]:.0%}",
        "Negate what the loss returns: it must fall as answers get better, -log(p) and 1 - dice; "
        "or look whether no and yes are exchanged",
    )


def _right(program: Program, outputs: Array, targets: Array) -> tuple[float, float] | None:
    """Shares of right answers, and of right least likely ones; None where neither is clear."""
    values = outputs.reshape(len(outputs), -1).astype(np.float64)
    wanted = targets.reshape(len(targets), -1)
    if not np.isfinite(values).all() or wanted.dtype.kind not in "iufb":
        return None
    if values.shape == wanted.shape and np.isin(wanted, (0, 1)).all():
        if not program.one_hot or values.shape[1] == 1:
            return _yes(values.ravel()[:MOST], wanted.ravel()[:MOST] > 0.5)
        wanted = wanted.argmax(axis=1)[:, None]
    if values.shape[1] < 2 or wanted.shape[1] != 1 or program.task not in ("classes", "binary"):
        return None
    names = wanted[:, 0]
    best, least = values.argmax(axis=1), values.argmin(axis=1)
    return float((best == names).mean()), float((least == names).mean())


def _yes(values: Array, yes: Array) -> tuple[float, float] | None:
    """How often a yes is answered higher than a no, however rare one of them is, and the reverse.

    Thus neither the threshold nor whether answers are logits matters (area under the ROC curve).
    """
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2 - 1)[places.ravel()]
    many, others = int(yes.sum()), int((~yes).sum())
    if not many or not others:
        return None
    higher = (float(ranks[yes].sum()) - many * (many - 1) / 2) / (many * others)
    return higher, 1 - higher
