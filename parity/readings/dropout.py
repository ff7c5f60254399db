"""What a dropout layer does: zeros at random with the rest scaled, or nothing."""

from collections.abc import Iterator

import numpy as np

from parity.arrays import Array, Floats
from parity.readings.case import Case
from parity.readings.readings import Reading, Readings
from parity.readings.rounding import noise

LIKELY = 5
"""Standard deviations by which the share of zeros may miss its probability."""
PASSES, DROPS = "passes its input on", "drops"
IN_TRAINING, LEFT_ON = "dropout", "dropout left on"
ADVICE = {
    IN_TRAINING: (
        "give both the same rate, and 0 (or one mask) to compare them in lock-step: masks are "
        "drawn anew"
    ),
    LEFT_ON: "switch it off outside training: eval() in torch, training=False in Keras",
}


def readings(case: Case, x: Floats) -> tuple[Readings, float] | None:
    """What the layer may make of `x`, float64 [B, ...], and its size; None for another shape."""
    if x.shape != case.a[case.where].shape:
        return None
    size = float(np.abs(x).max())
    name = IN_TRAINING if case.training else LEFT_ON

    def of(seen: Array) -> Iterator[Reading]:
        yield Reading({name: PASSES}, x)
        for reading in masked(name, x, seen, noise(x, seen, scale=size)):
            # Without a zero, only the layer's name tells it from any other factor.
            if DROPS in reading.traits[name] or case.where.startswith("dropout"):
                yield reading

    return of, size


def masked(name: str, x: Floats, seen: Array, allowed: float) -> Iterator[Reading]:
    """The one mask and factor that may lead from `x` to `seen`."""
    telling = np.abs(x) > 8 * allowed
    kept = telling & (seen != 0)
    if not kept.any():
        return
    factor = float((x * seen)[kept].sum() / (x[kept] ** 2).sum())
    zeros = float(1 - kept.sum() / telling.sum())
    if zeros == 0:
        yield Reading({name: f"multiplies all by {factor:.4g}"}, factor * x)
        return
    rate = rate_of(factor) or zeros
    spread = LIKELY * np.sqrt(rate * (1 - rate) / telling.sum())
    if not abs(zeros - rate) <= spread:
        return
    scaled = f"scales the rest by {factor:.4g}" if rate_of(factor) else "leaves the rest"
    row, column = np.argwhere(telling & ~kept)[0][:2]
    what = (
        f"{DROPS} {zeros:.1%} at random, the first at [{row}, {column}], and {scaled} "
        f"(a rate of {rate:.3g})"
    )
    yield Reading({name: what}, np.where(telling & ~kept, 0.0, factor * x))


def rate_of(factor: float) -> float | None:
    """The rate for which survivors are multiplied by `factor`; None where they are not enlarged."""
    return 1 - 1 / factor if factor > 1 + 1e-6 else None
