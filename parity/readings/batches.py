"""Why the losses of two sides part after steps that agree: which batch each was fed (NumPy).

The weights are no longer quite the same once a batch differs, so that matches are approximate.
"""

import numpy as np

from parity.arrays import Array, Floats, Names
from parity.readings.case import Case
from parity.readings.cause import UNEXPLAINED, Cause
from parity.readings.rounding import epsilon, magnitude, usable, worst

LOSSES, SIZES, LAST_STEP, WEIGHTS = "losses", "batch sizes", "last step", "weights"
SHIFTED = 0.05
"""Share of the variance of the losses' gap that a shift by one step may leave.

Measured with Adam, SGD and momentum on MNIST: at most 0.04 where a batch is repeated or skipped
(0.2 in the first steps with momentum, which go unnamed), at least 0.07 where the order is another.
"""
EXCHANGED = 0.35
"""Share of the larger gap of two steps that their sum may be, where their batches are exchanged."""
COME_BACK = 0.3
"""Share of that gap that later steps may have."""
TAIL = 4
"""Steps after the first that parts which a lasting shift must explain."""
WINDOW = 24
"""Steps after the first that parts which are looked at: later, the runs go their own ways."""


def explain(case: Case) -> list[Cause]:
    """Name what changes at the first step whose losses differ.

    Args:
        case: `given` has the ``batch sizes`` [K]; `a` and `b` have the ``losses`` before each step,
            float [K], one fewer or more where a side leaves out a batch, and, at the end of an
            epoch, its ``last step``, the change of all weights, float [P], and the ``weights`` [P]
            after it.

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
        return [] if len(a) == len(b) else [_left_out(a, b, sizes, names)]
    steps = min(len(a), len(b))
    a, b = a[:steps], b[:steps]
    found = (
        _divided(a, b, sizes, first, names)
        or _swapped(a, b, first, names)
        or _shifted(a, b, first, names)
        or _partial(a, b, sizes, first, names)
    )
    return [found or _neutral(a, b, first, names)]


def first_apart(a: Array, b: Array) -> int | None:
    """The first step at which losses [K] differ by more than rounding; None where none does."""
    steps = min(len(a), len(b))
    same = epsilon(a, b) ** 0.5 * magnitude(a, b)
    apart = np.flatnonzero(np.abs(np.subtract(a[:steps], b[:steps], dtype=np.float64)) > same)
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


def _left_out(a: Floats, b: Floats, sizes: Array, names: Names) -> Cause:
    """All steps agree, but one side takes more of them."""
    more = 0 if len(a) > len(b) else 1
    steps, fewer = max(len(a), len(b)), min(len(a), len(b))
    partial = steps == fewer + 1 and len(sizes) == steps and sizes[-1] < sizes.max()
    what = (
        f"leaves out the last batch of {sizes[-1]} images instead of {sizes.max()}"
        if partial
        else f"stops after {fewer} steps"
    )
    text = (
        f"batches: {names[1 - more]} {what}, {names[more]} takes {steps} steps, and all before "
        "agree; to align them, drop_last=False in torch, drop_remainder=False in Keras"
    )
    return Cause("last partial batch" if partial else "number of steps", 0.0, text)


def _divided(a: Floats, b: Floats, sizes: Array, first: int, names: Names) -> Cause | None:
    """A partial batch's loss is divided by the size of a whole one."""
    if len(sizes) <= first or not sizes[first] < sizes.max():
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


def _swapped(a: Floats, b: Floats, first: int, names: Names) -> Cause | None:
    """Two neighbouring losses are exchanged, and later ones come close again.

    What a step learns shows in both gaps with the other sign: their sum is small, not each.
    """
    gaps = (a - b)[first:]
    if len(gaps) < 3:
        return None
    larger, total = magnitude(gaps[:2]), abs(float(gaps[0] + gaps[1]))
    later = magnitude(gaps[2 : 2 + TAIL])
    if total > EXCHANGED * larger or later > COME_BACK * larger:
        return None
    text = (
        f"batches: the losses of steps {first + 1} and {first + 2} are exchanged between "
        f"{names[0]} and {names[1]} ({a[first]:.4g} and {a[first + 1]:.4g} against {b[first]:.4g} "
        f"and {b[first + 1]:.4g}), and later ones come close again: two batches are swapped; to "
        "align them, feed both the same order"
    )
    return Cause("swapped batches", max(total, later), text)


def _shifted(a: Floats, b: Floats, first: int, names: Names) -> Cause | None:
    """From the first step on, one side's losses are the other's of a step before."""
    for side, (early, late) in enumerate(((a, b), (b, a))):
        ahead, behind, beside = (
            losses[:WINDOW] for losses in (early[first:-1], late[first + 1 :], early[first + 1 :])
        )
        if len(ahead) < TAIL:
            return None
        # Without their means: one side has learned from a batch more.
        if np.var(ahead - behind) > SHIFTED * np.var(beside - behind):
            continue
        text = (
            f"batches: from step {first + 1} on {names[1 - side]} is one batch behind "
            f"{names[side]}: {names[1 - side]} repeats or adds one, or {names[side]} "
            "skips one; to align them, feed both the same batches once each"
        )
        return Cause("repeated or skipped batch", magnitude(ahead - behind), text)
    return None


def _partial(a: Floats, b: Floats, sizes: Array, first: int, names: Names) -> Cause | None:
    """They part where the first partial batch is."""
    if len(sizes) <= first or not sizes[first] < sizes.max() or first == 0:
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
