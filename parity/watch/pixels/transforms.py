"""What people do to images of digits, knowingly or not, as functions of images (NumPy only)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from parity.watch.fingerprint import TURNS
from parity.watch.pixels.look import FEATURES, Floats, Look, neighbours

NAMES = list(FEATURES)


@dataclass(frozen=True)
class Step:
    """One thing that may have been done.

    Attributes:
        kind: Steps of one kind exclude each other.
        words: What was done.
        do: Ink float64 [N, H, W], 0 for paper and 1 for full ink, to ink.
    """

    kind: str
    words: str
    do: Callable[[Floats], Floats]


def steps(now: Look, seen: Look) -> Iterator[Step]:
    """Everything that may lead from images as they look now to those that are seen.

    How far a shift or a change of size goes is measured by the difference between the two.
    """
    yield from _PENS
    yield from _LIGHT
    yield from _TEXTURES
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
            lambda ink: moved(ink, down, right),
        )
    if min(radii) > 0:
        ratio = float(radii[1] / radii[0])
        for factor in sorted({ratio, 0.5 * (1 + ratio), 1.25 * ratio - 0.25}):
            if 0.2 < factor < 4 and abs(factor - 1) > 0.06:
                yield Step("size", _size(factor), lambda ink, f=factor: resized(ink, f, f))
    stretch = float(np.exp(difference["aspect"]))
    if abs(stretch - 1) > 0.08 and 0.3 < stretch < 3:
        root = stretch**0.5
        yield Step(
            "size",
            f"show digits that are {stretch:.2f} times as high against their width",
            lambda ink: resized(ink, root, 1 / root),
        )


def _size(factor: float) -> str:
    name = "smaller" if factor < 1 else "larger"
    return f"show {name} digits: {factor:.2f} times the size"


def sampled(ink: Floats, rows: Floats, columns: Floats) -> Floats:
    """Ink at places between the pixels, paper outside: [N, len(rows), len(columns)]."""

    def weights(places: Floats, size: int) -> Floats:
        return np.maximum(0.0, 1 - np.abs(places[:, None] - np.arange(size)))

    height, width = ink.shape[1:]
    result: Floats = weights(rows, height) @ ink @ weights(columns, width).T
    return result


def moved(ink: Floats, down: float, right: float) -> Floats:
    """Moved by so many pixels; what leaves the image is lost."""
    height, width = ink.shape[1:]
    whole = (round(down), round(right))
    return sampled(ink, np.arange(height) - float(whole[0]), np.arange(width) - float(whole[1]))


def resized(ink: Floats, high: float, wide: float) -> Floats:
    """So many times as high and as wide around the middle; averaged where it shrinks."""

    def weights(size: int, factor: float) -> Floats:
        centre = (size - 1) / 2
        places = (np.arange(size) - centre) / factor + centre
        reach = max(1.0, 1 / factor)
        shares = np.maximum(0.0, 1 - np.abs(places[:, None] - np.arange(size)) / reach)
        inside = (places > -1) & (places < size)
        total = np.maximum(shares.sum(axis=1, keepdims=True), 1e-9)
        result: Floats = shares / total * inside[:, None]
        return result

    height, width = ink.shape[1:]
    result: Floats = weights(height, high) @ ink @ weights(width, wide).T
    return result


def warped(ink: Floats, matrix: Floats) -> Floats:
    """Each pixel, counted from the middle, is taken from where the matrix sends (row, column)."""
    height, width = ink.shape[1:]
    middle = np.array([(height - 1) / 2, (width - 1) / 2])
    grid = np.stack(np.indices((height, width)), axis=-1) - middle
    places = grid @ matrix.T + middle
    low = np.floor(places).astype(np.int64)
    part = places - low
    result = np.zeros_like(ink)
    for down in (0, 1):
        for right in (0, 1):
            row, column = low[..., 0] + down, low[..., 1] + right
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            share = np.abs(1 - down - part[..., 0]) * np.abs(1 - right - part[..., 1]) * inside
            result += share * ink[:, row.clip(0, height - 1), column.clip(0, width - 1)]
    return result


def _rotated(degrees: float) -> Callable[[Floats], Floats]:
    """Clockwise."""
    sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    return lambda ink: warped(ink, np.array([[cosine, -sine], [sine, cosine]]))


def _slanted(share: float) -> Callable[[Floats], Floats]:
    """The top to the right, by that share of the height."""
    return lambda ink: warped(ink, np.array([[1.0, 0.0], [share, 1.0]]))


def _each(turn: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    return lambda ink: np.stack([turn(image) for image in ink])


TURNED = (
    *(Step("turn", f"were {words}", _each(turn)) for words, turn in TURNS.items()),
    *(
        Step(
            "turn",
            f"were rotated by about {abs(degrees)} degrees "
            f"{'clockwise' if degrees > 0 else 'anticlockwise'}",
            _rotated(degrees),
        )
        for degrees in (-60, -45, -30, -15, 15, 30, 45, 60)
    ),
    *(
        Step("turn", f"were slanted to the {'right' if s > 0 else 'left'}", _slanted(s))
        for s in (-0.8, -0.5, -0.3, 0.3, 0.5, 0.8)
    ),
)
"""Which way up they are."""


def _cross(ink: Floats) -> list[Floats]:
    return [part for n, part in enumerate(neighbours(ink)) if n in (1, 3, 4, 5, 7)]


def thicker(ink: Floats) -> Floats:
    """Ink where one of the four neighbours has ink."""
    result: Floats = np.max(_cross(ink), axis=0)
    return result


def thinner(ink: Floats) -> Floats:
    """Ink where all four neighbours have ink."""
    result: Floats = np.min(_cross(ink), axis=0)
    return result


def _half(change: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    return lambda ink: (ink + change(ink)) / 2


def _square(of: Callable[..., Floats]) -> Callable[[Floats], Floats]:
    return lambda ink: of(neighbours(ink), axis=0)


def _twice(change: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    return lambda ink: change(change(ink))


def blurred(ink: Floats, deviation: float) -> Floats:
    """Spread by a bell curve of so many pixels' deviation."""

    def weights(size: int) -> Floats:
        distance = (np.arange(size)[:, None] - np.arange(size)) / deviation
        bell = np.exp(-0.5 * np.arange(-9 * size, 9 * size) ** 2 / deviation**2)
        result: Floats = np.exp(-0.5 * distance**2) / bell.sum()
        return result

    height, width = ink.shape[1:]
    result: Floats = weights(height) @ ink @ weights(width).T
    return result


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
_CUT = "were cut to two levels"
_LIGHT = (
    Step("light", "were cut to integers: a few values are left", lambda ink: np.floor(ink + 1e-9)),
    *(
        Step("light", _CUT, lambda ink, t=threshold: (ink > t).astype(np.float64))
        for threshold in (0.02, 0.2, 0.35, 0.5, 0.65, 0.8)
    ),
    *(
        Step("light", "were cut to a few grey levels",
             lambda ink, n=n: np.round(ink * (n - 1)) / (n - 1))
        for n in (3, 4, 6, 8, 16)
    ),
    *(
        Step(
            "light",
            f"were {'darkened' if g > 1 else 'brightened'} by a gamma of {g:g}",
            lambda ink, g=g: ink.clip(0) ** g,
        )
        for g in (0.3, 0.5, 0.7, 1.5, 2.0, 3.0)
    ),
    *(
        Step("light", "were overexposed: much of the ink is cut off at the top",
             lambda ink, g=g: (ink * g).clip(0, 1))
        for g in (1.5, 2.0, 4.0)
    ),
    *(
        Step("light", "were underexposed: faint ink is cut off",
             lambda ink, g=g: (ink - g).clip(0) / (1 - g))
        for g in (0.2, 0.4, 0.6)
    ),
    Step(
        "light",
        "wrapped around in uint8: ink and grey have changed places",
        _wrapped(lambda x: 1 - x),
    ),
    *(
        Step("light", f"wrapped around in uint8: multiplied by {k}", _wrapped(lambda x, k=k: k * x))
        for k in (2, 3, 4)
    ),
    Step(
        "light",
        "wrapped around in int8: everything from 128 on is negative",
        lambda ink: ((np.round(ink * 255) + 128) % 256 - 128) / 255,
    ),
)  # fmt: skip
_TEXTURES = (
    *(Step("blur", "are coarse: blocks of one level", _coarse(k)) for k in (2, 4)),
    *(
        Step("blur", "were blurred", lambda ink, d=d: blurred(ink, d))
        for d in (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)
    ),
    *(
        Step("noise", "were made noisy", _noisy(d, clipped=clipped))
        for d in (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6)
        for clipped in (False, True)
    ),
    *(Step("noise", "were speckled", _specks(d)) for d in (0.02, 0.05, 0.1, 0.2)),
)
