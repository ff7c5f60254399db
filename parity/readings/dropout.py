"""What a dropout layer does: zeros at random with the rest scaled, or nothing."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.readings.cause import Cause
from parity.readings.readings import Names, Reading, compare
from parity.readings.rounding import Floats, noise

LIKELY = 5
"""Standard deviations by which the share of zeros may miss its probability."""
PASSES = "passes its input on"


def explain(
    layer: str,
    x: Floats,
    sides: tuple[NDArray[Any], NDArray[Any]],
    training: bool,
    names: Names,
) -> list[Cause]:
    """Why two dropout layers differ on the same input.

    Args:
        layer: Its name.
        x: Input, float64 [B, O].
        sides: Outputs of A and B, [B, O].
        training: Whether both were asked for what they do in training.
        names: Of A and B.
    """
    allowed = noise(x, *sides)
    name = "dropout" if training else "dropout left on"
    advice = {
        name: (
            "give both the same rate, and 0 (or one mask) to compare them in lock-step: masks are "
            "drawn anew"
            if training
            else "switch it off outside training: eval() in torch, training=False in Keras"
        )
    }

    def readings(seen: NDArray[Any]) -> Iterator[Reading]:
        yield Reading({name: PASSES}, x)
        yield from _masked(name, x, np.asarray(seen, np.float64), allowed)

    return compare(layer, sides, readings, advice, allowed, names)


def _masked(name: str, x: Floats, seen: Floats, allowed: float) -> Iterator[Reading]:
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
    rate = 1 - 1 / factor if factor > 1 + 1e-6 else zeros
    spread = LIKELY * np.sqrt(rate * (1 - rate) / telling.sum())
    if not abs(zeros - rate) <= spread:
        return
    scaled = f"scales the rest by {factor:.4g}" if factor > 1 + 1e-6 else "leaves the rest"
    row, column = np.argwhere(telling & ~kept)[0]
    what = (
        f"drops {zeros:.1%} at random, the first at [{row}, {column}], and {scaled} "
        f"(a rate of {rate:.3g})"
    )
    yield Reading({name: what}, np.where(telling & ~kept, 0.0, factor * x))
