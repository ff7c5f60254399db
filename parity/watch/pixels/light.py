"""What people do to the grey levels of images, as functions of their ink (NumPy only)."""

from collections.abc import Callable
from functools import partial

import numpy as np

from parity.watch.pixels.look import Floats
from parity.watch.pixels.turns import Step


def wrapped(change: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    """Arithmetic in uint8, where 256 is 0."""
    return lambda ink: change(np.round(ink * 255)) % 256 / 255


def _floor(ink: Floats) -> Floats:
    result: Floats = np.floor(ink + 1e-9)
    return result


def _cut(ink: Floats, threshold: float) -> Floats:
    return (ink > threshold).astype(np.float64)


def _few_levels(ink: Floats, count: int) -> Floats:
    result: Floats = np.round(ink * (count - 1)) / (count - 1)
    return result


def _gamma(ink: Floats, power: float) -> Floats:
    result: Floats = ink.clip(0) ** power
    return result


def _overexposed(ink: Floats, gain: float) -> Floats:
    return (ink * gain).clip(0, 1)


def _underexposed(ink: Floats, lost: float) -> Floats:
    result: Floats = (ink - lost).clip(0) / (1 - lost)
    return result


def _times(levels: Floats, factor: int) -> Floats:
    return levels * factor


LIGHT = (
    Step("light", "were cut to integers: a few values are left", _floor),
    *(
        Step("light", "were cut to two levels", partial(_cut, threshold=threshold))
        for threshold in (0.02, 0.2, 0.35, 0.5, 0.65, 0.8)
    ),
    *(
        Step("light", "were cut to a few grey levels", partial(_few_levels, count=count))
        for count in (3, 4, 6, 8, 16)
    ),
    *(
        Step(
            "light",
            f"were {'darkened' if power > 1 else 'brightened'} by a gamma of {power:g}",
            partial(_gamma, power=power),
        )
        for power in (0.3, 0.5, 0.7, 1.5, 2.0, 3.0)
    ),
    *(
        Step(
            "light",
            "were overexposed: much of the ink is cut off at the top",
            partial(_overexposed, gain=gain),
        )
        for gain in (1.5, 2.0, 4.0)
    ),
    *(
        Step("light", "were underexposed: faint ink is cut off", partial(_underexposed, lost=lost))
        for lost in (0.2, 0.4, 0.6)
    ),
    Step(
        "light",
        "wrapped around in uint8: ink and grey have changed places",
        wrapped(lambda levels: 1 - levels),
    ),
    *(
        Step(
            "light",
            f"wrapped around in uint8: multiplied by {factor}",
            wrapped(partial(_times, factor=factor)),
        )
        for factor in (2, 3, 4)
    ),
    Step(
        "light",
        "wrapped around in int8: everything from 128 on is negative",
        lambda ink: ((np.round(ink * 255) + 128) % 256 - 128) / 255,
    ),
)
