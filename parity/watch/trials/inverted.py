"""Whether a network has learned the opposite of its targets (NumPy only)."""

import numpy as np

from parity.watch.check import Match, Program
from parity.watch.check.program import Array
from parity.watch.trials.material import FEW

WRONG, RIGHT = 0.2, 0.8
"""Share of right answers up to which, and of right least likely answers from which on, what was
learned is the opposite: who knows nothing is right by chance."""
WORSE = 0.2
"""By how much more often the first answers were right: initial weights may be unlucky."""


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
    if now is None or before is None or now[0] > min(WRONG, before[0] - WORSE) or now[1] < RIGHT:
        return None
    return Match(
        "the network learns the opposite of its targets: its loss has the wrong sign",
        f"{now[0]:.0%} of its answers are right, {before[0]:.0%} were before the first step, and "
        f"its least likely answers are right for {now[1]:.0%}",
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
        if program.one_hot and values.shape[1] > 1:
            wanted = wanted.argmax(axis=1)[:, None]
        else:
            return _yes(program, values, wanted)
    if values.shape[1] < 2 or wanted.shape[1] != 1 or program.task not in ("classes", "binary"):
        return None
    names = wanted[:, 0]
    best, least = values.argmax(axis=1), values.argmin(axis=1)
    return float((best == names).mean()), float((least == names).mean())


def _yes(program: Program, values: Array, wanted: Array) -> tuple[float, float] | None:
    """No and yes weigh alike, however rare one of them is."""
    logits = program.loss is not None and program.loss.takes == "logits"
    shares = bool(((values >= 0) & (values <= 1)).all())
    if not logits and not shares:
        return None
    right, yes = (values > (0.0 if logits else 0.5)) == (wanted > 0.5), wanted > 0.5
    parts = [float(right[part].mean()) for part in (yes, ~yes) if part.any()]
    return float(np.mean(parts)), 1 - float(np.mean(parts))
