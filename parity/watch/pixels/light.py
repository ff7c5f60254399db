"""What people do to the grey levels of images, as functions of their ink (NumPy only)."""

from collections.abc import Callable
from functools import partial

import numpy as np

from parity.watch.pixels.look import Floats
from parity.watch.pixels.turns import Step

TWO_LEVELS, FEW_LEVELS = "were cut to two levels", "were cut to a few grey levels"
INTEGERS = "were cut to integers: a few values are left"
OVEREXPOSED = "were overexposed: much of the ink is cut off at the top"
SHARPER = "were sharpened, or had their contrast stretched: their edges are steeper"
UNDEREXPOSED = "were underexposed: faint ink is cut off"
SOLARISED = "were solarised: their grey levels rise and fall from paper to full ink"
DITHERED = "were dithered: grey became a mixture of paper and full ink"
EXPOSED = OVEREXPOSED.partition(":")[0]
"""What all that makes ink darker at its edges may look like."""
WRAPPED = "wrapped around in"
"""How arithmetic in integers is told."""
FEWEST, MOST = 3, 40
"""Grey levels that are few, and can be counted."""


def wrapped(change: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    """Arithmetic in uint8, where 256 is 0."""
    return lambda ink: np.floor(change(np.round(ink * 255))) % 256 / 255


def cut(ink: Floats, threshold: float) -> Floats:
    """Two levels: paper, and full ink above the threshold."""
    return (ink > threshold).astype(np.float64)


def few_levels(ink: Floats, count: int) -> Floats:
    """The nearest of so many levels."""
    result: Floats = np.round(ink * (count - 1)) / (count - 1)
    return result


def fewer_bits(ink: Floats, count: int) -> Floats:
    """What is between two levels becomes the lower one."""
    result: Floats = np.floor(ink.clip(0, 1) * count).clip(0, count - 1) / (count - 1)
    return result


def fewer_bits_inverted(ink: Floats, count: int) -> Floats:
    """What is between two levels becomes the higher one."""
    return 1 - fewer_bits(1 - ink, count)


def gamma(ink: Floats, power: float) -> Floats:
    """Brightened by a power below 1, darkened by one above."""
    result: Floats = ink.clip(0) ** power
    return result


def gamma_of_paper(ink: Floats, power: float) -> Floats:
    """A gamma of levels that are high where there is paper."""
    result: Floats = 1 - (1 - ink.clip(0, 1)) ** power
    return result


def overexposed(ink: Floats, gain: float) -> Floats:
    """So many times as much ink, cut off at full ink."""
    return (ink * gain).clip(0, 1)


def underexposed(ink: Floats, lost: float) -> Floats:
    """What is fainter than `lost` is cut off."""
    result: Floats = (ink - lost).clip(0) / (1 - lost)
    return result


def solarised(ink: Floats, turn: float) -> Floats:
    """Rising up to `turn`, as in Sabattier's darkroom, and falling beyond."""
    ink = ink.clip(0, 1)
    result: Floats = np.minimum(ink / turn, (1 - ink) / (1 - turn))
    return result


def _dithered(ink: Floats) -> Floats:
    """Full ink or paper by chance, the more often full the darker it was."""
    return (ink > np.random.default_rng(0).random(ink.shape)).astype(np.float64)


def gamma_words(power: float) -> str:
    """What is said of a gamma."""
    return f"were {'darkened' if power > 1 else 'brightened'} by a gamma of about {power:.1g}"


LIGHT = (
    Step("light", INTEGERS, lambda ink: np.floor(ink + 1e-9)),
    *(
        Step("light", TWO_LEVELS, partial(cut, threshold=threshold))
        for threshold in (0.002, 0.02, 0.2, 0.35, 0.5, 0.65, 0.8)
    ),
    *(Step("light", FEW_LEVELS, partial(few_levels, count=count)) for count in (3, 4, 6, 8, 16)),
    *(
        Step("light", gamma_words(power), partial(gamma, power=power))
        for power in (0.3, 0.5, 0.7, 1.5, 2.0, 3.0)
    ),
    *(Step("light", OVEREXPOSED, partial(overexposed, gain=gain)) for gain in (1.5, 2.0, 4.0)),
    *(Step("light", UNDEREXPOSED, partial(underexposed, lost=lost)) for lost in (0.2, 0.4, 0.6)),
    Step("light", DITHERED, _dithered),
    *(Step("light", SOLARISED, partial(solarised, turn=turn)) for turn in (0.35, 0.5, 0.65, 0.8)),
    Step("light", SOLARISED, lambda ink: np.abs(np.sin(np.pi * ink))),
    Step("light", SOLARISED, lambda ink: solarised(ink, 0.5) ** 2),
    Step(
        "light",
        f"{WRAPPED} uint8: ink and grey have changed places",
        wrapped(lambda levels: 1 - levels),
    ),
    *(
        Step(
            "light",
            f"{WRAPPED} uint8: multiplied by {factor:g}",
            wrapped(partial(np.multiply, factor)),
        )
        for factor in (1.5, 2, 3, 4, 5, 8, 10, 16)
    ),
    Step(
        "light",
        f"{WRAPPED} int8: everything from 128 on is negative",
        lambda ink: ((np.round(ink * 255) + 128) % 256 - 128) / 255,
    ),
)
