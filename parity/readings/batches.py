"""Why the losses of two sides part after steps that agree: what either makes of a batch (NumPy).

Both are handed the same batches, in one order: what may differ is what becomes of the last one.
"""

import numpy as np

from parity.arrays import Array, Floats, Names
from parity.readings.case import Case
from parity.readings.cause import UNEXPLAINED, Cause
from parity.readings.rounding import epsilon, magnitude, usable, worst

LOSSES, SIZES, LAST_STEP, WEIGHTS = "losses", "batch sizes", "last step", "weights"


def explain(case: Case) -> list[Cause]:
    """Name what changes at the first step whose losses differ.

    Args:
        case: `given` has the ``batch sizes`` [K]; `a` and `b` have the ``losses`` before each step,
            float [K], and, at the end of an epoch, its ``last step``, the change of all weights,
            float [P], and the ``weights`` [P] after it.

    Returns:
        One cause; `UNEXPLAINED`, which names the step only, where no other fits; none where the
        losses agree.
    """
    sizes, names = case.given[SIZES], case.names
    losses_a, losses_b = case.a[LOSSES], case.b[LOSSES]
    still = without_last_step(case)
    if still or not usable(losses_a, losses_b, sizes):
        return still
    a, b = (np.asarray(losses, np.float64) for losses in (losses_a, losses_b))
    first = first_apart(losses_a, losses_b)
    if first is None:
        return []
    found = _divided(a, b, sizes, first, names) or _partial(a, b, sizes, first, names)
    return [found or _neutral(a, b, first, names)]


def first_apart(a: Array, b: Array) -> int | None:
    """The first step at which losses [K] differ by more than rounding; None where none does."""
    same = epsilon(a, b) ** 0.5 * magnitude(a, b)
    apart = np.flatnonzero(np.abs(np.subtract(a, b, dtype=np.float64)) > same)
    return int(apart[0]) if len(apart) else None


def without_last_step(case: Case) -> list[Cause]:
    """The cause where only one side's weights move in the epoch's last step; see `explain`."""
    if LAST_STEP not in case.a:
        return []
    moves = [bool(side[LAST_STEP].any()) for side in (case.a, case.b)]
    if moves[0] == moves[1]:
        return []
    lazy = moves.index(False)
    gap = worst(*(side[WEIGHTS] - side[LAST_STEP] for side in (case.a, case.b)))
    text = (
        f"batches: {case.names[lazy]} takes no step on the epoch's last batch, which has "
        f"{case.given[SIZES][-1]} images, and {case.names[1 - lazy]} does; to align them, "
        "drop_last=False in torch, drop_remainder=False in Keras"
    )
    return [Cause("last batch left out", gap, text)]


def _divided(a: Floats, b: Floats, sizes: Array, first: int, names: Names) -> Cause | None:
    """A partial batch's loss is divided by the size of a whole one."""
    if not sizes[first] < sizes.max():
        return None
    share = float(sizes[first] / sizes.max())
    for side, (whole, divided) in enumerate(((b, a), (a, b))):
        gap = float(abs(whole[first] * share - divided[first]))
        if gap < 1e-6 * abs(whole[first] - divided[first]):
            text = (
                f"batches: at step {first + 1} {names[side]} divides the loss of {sizes[first]} "
                f"images by {sizes.max()}, the size of a whole batch, {names[1 - side]} by their "
                "number; to align them, take the mean over the images that are there"
            )
            return Cause("last partial batch", gap, text)
    return None


def _partial(a: Floats, b: Floats, sizes: Array, first: int, names: Names) -> Cause | None:
    """They part where the first partial batch is."""
    if not sizes[first] < sizes.max() or first == 0:
        return None
    if (sizes[:first] < sizes.max()).any():
        return None
    text = (
        f"batches: the sides agree in {first} steps of {sizes.max()} images and part at step "
        f"{first + 1}, whose batch has {sizes[first]} ({names[0]} {a[first]:.4g}, {names[1]} "
        f"{b[first]:.4g}): they do not treat it alike, as where one of them pads it; to align "
        "them, feed it as it is or leave it out on both sides"
    )
    return Cause("last partial batch", magnitude((a - b)[:first]), text)


def _neutral(a: Floats, b: Floats, first: int, names: Names) -> Cause:
    text = (
        f"batches: no known cause; the losses part at step {first + 1} of {len(a)} ({names[0]} "
        f"{a[first]:.6g}, {names[1]} {b[first]:.6g}); to align them, look at what changes there "
        "or one step before: learning rate, data order, an epoch's end"
    )
    return Cause(UNEXPLAINED, magnitude(a - b), text)
