"""What people do to images of digits, knowingly or not, as functions of images (NumPy only)."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from parity.watch.pixels.look import FEATURES, Floats, Look, neighbours
from parity.watch.pixels.turns import TILTED, Step
from parity.watch.pixels.warp import blurred, moved, resized, thicker, thinner

NAMES = list(FEATURES)


def steps(now: Look, seen: Look) -> Iterator[Step]:
    """Everything that may lead from images as they look now to those that are seen.

    How far a shift or a change of size goes is measured by the difference between the two.
    """
    yield from _PENS
    yield from _LIGHT
    yield from _TEXTURES
    yield from TILTED
    added = round((seen.paper - now.paper) / now.depth * 255)
    if 5 < abs(added) < 250:
        yield Step(
            "light", f"wrapped around in uint8: {added} added", _wrapped(lambda x: x + added)
        )
    difference = dict(zip(NAMES, seen.figures.mean(axis=0) - now.figures.mean(axis=0), strict=True))
    radii = now.figures[:, 2].mean(), seen.figures[:, 2].mean()
    down, right = difference["down"], difference["right"]
    if max(abs(down), abs(right)) > 0.5:
        yield Step(
            "place",
            f"were moved by {right:+.1f} pixels to the right and {down:+.1f} down",
            partial(moved, down=down, right=right),
        )
    if min(radii) > 0:
        ratio = float(radii[1] / radii[0])
        for factor in sorted({ratio, 0.5 * (1 + ratio), 1.25 * ratio - 0.25}):
            if 0.2 < factor < 4 and abs(factor - 1) > 0.06:
                yield Step("size", _size(factor), partial(resized, high=factor, wide=factor))
    stretch = float(np.exp(difference["aspect"]))
    if abs(stretch - 1) > 0.08 and 0.3 < stretch < 3:
        root = stretch**0.5
        yield Step(
            "size",
            f"show digits that are {stretch:.2f} times as high against their width",
            partial(resized, high=root, wide=1 / root),
        )


def _size(factor: float) -> str:
    name = "smaller" if factor < 1 else "larger"
    return f"show {name} digits: {factor:.2f} times the size"


def _half(change: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    return lambda ink: (ink + change(ink)) / 2


def _square(of: Callable[..., Floats]) -> Callable[[Floats], Floats]:
    return lambda ink: of(neighbours(ink), axis=0)


def _twice(change: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    return lambda ink: change(change(ink))


def _coarse(block: int) -> Callable[[Floats], Floats]:
    """Blocks of so many pixels to a side get their mean; an incomplete block stays as it is."""

    def average(ink: Floats) -> Floats:
        count, height, width = ink.shape
        rows, columns = height // block, width // block
        whole = ink[:, : rows * block, : columns * block]
        mean = whole.reshape(count, rows, block, columns, block).mean(axis=(2, 4))
        result = ink.copy()
        result[:, : rows * block, : columns * block] = mean.repeat(block, 1).repeat(block, 2)
        return result

    return average


def _noisy(deviation: float, *, clipped: bool) -> Callable[[Floats], Floats]:
    def add(ink: Floats) -> Floats:
        noise = np.random.default_rng(0).normal(0, deviation, ink.shape)
        return (ink + noise).clip(0, 1) if clipped else ink + noise

    return add


def _specks(share: float) -> Callable[[Floats], Floats]:
    def add(ink: Floats) -> Floats:
        chance = np.random.default_rng(0).random(ink.shape)
        return np.where(chance < share / 2, 1.0, np.where(chance > 1 - share / 2, 0.0, ink))

    return add


def _wrapped(change: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    """Arithmetic in uint8, where 256 is 0."""
    return lambda ink: change(np.round(ink * 255)) % 256 / 255


_THICKER, _THINNER = "show thicker strokes", "show thinner strokes"
_PENS = (
    Step("pen", _THICKER, _half(thicker)),
    Step("pen", _THICKER, thicker),
    Step("pen", _THICKER, _square(np.max)),
    Step("pen", _THICKER, _twice(thicker)),
    Step("pen", _THICKER, _twice(_square(np.max))),
    Step("pen", _THINNER, _half(thinner)),
    Step("pen", _THINNER, thinner),
    Step("pen", _THINNER, _square(np.min)),
    Step("pen", _THINNER, _half(_square(np.min))),
)


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


_LIGHT = (
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
        _wrapped(lambda levels: 1 - levels),
    ),
    *(
        Step(
            "light",
            f"wrapped around in uint8: multiplied by {factor}",
            _wrapped(partial(_times, factor=factor)),
        )
        for factor in (2, 3, 4)
    ),
    Step(
        "light",
        "wrapped around in int8: everything from 128 on is negative",
        lambda ink: ((np.round(ink * 255) + 128) % 256 - 128) / 255,
    ),
)
_TEXTURES = (
    *(Step("blur", "are coarse: blocks of one level", _coarse(k)) for k in (2, 4)),
    *(
        Step("blur", "were blurred", partial(blurred, deviation=d))
        for d in (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)
    ),
    *(
        Step("noise", "were made noisy", _noisy(d, clipped=clipped))
        for d in (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6)
        for clipped in (False, True)
    ),
    *(Step("noise", "were speckled", _specks(d)) for d in (0.02, 0.05, 0.1, 0.2)),
)
