"""What moves or spreads ink within its image (NumPy only): float64 [N, H, W] to the same."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from parity.watch.pixels.look import Floats
from parity.watch.pixels.near import neighbours

Sampling = Literal["nearest", "linear", "cubic"]
"""How a value between pixels is made of those around it."""
SAMPLINGS: tuple[Sampling, ...] = get_args(Sampling)

Sizing = Sampling | Literal["floor", "area", "smooth"]
"""The same of images that are made smaller or larger."""


def sampled(ink: Floats, rows: Floats, columns: Floats) -> Floats:
    """Ink at places between the pixels, paper outside: [N, len(rows), len(columns)]."""
    down, across = (
        weight(places[:, None] - np.arange(size), "linear")
        for places, size in zip((rows, columns), ink.shape[1:], strict=True)
    )
    result: Floats = down @ ink @ across.T
    return result


def moved(ink: Floats, down: float, right: float) -> Floats:
    """Moved by so many pixels, or by parts of one; what leaves the image is lost."""
    height, width = ink.shape[1:]
    rows, columns = np.arange(height, dtype=np.float64), np.arange(width, dtype=np.float64)
    return sampled(ink, rows - down, columns - right)


def resized(ink: Floats, high: float, wide: float, how: Sizing) -> Floats:
    """So many times as high and as wide around the middle.

    Args:
        ink: [N, H, W].
        high: Factor of the height.
        wide: Factor of the width.
        how: "smooth" is linear, averaged by a triangle where it shrinks; by "area" each pixel is
            the mean of what it covers; "floor" is the nearest where corners are counted from, as
            OpenCV and torch do it.
    """

    def weights(size: int, factor: float) -> Floats:
        centre = (size - 1) / 2
        places = (np.arange(size) - centre) / factor + centre
        distance = np.asarray(places[:, None] - np.arange(size), np.float64)
        if how == "nearest" or how == "floor":
            shares = weight(distance - (0.5 / factor if how == "floor" else 0.0), "nearest")
        elif how == "area":
            shares = ((1 / factor + 1) / 2 - np.abs(distance)).clip(0, min(1.0, 1 / factor))
        elif how == "smooth":
            shares = weight(distance / max(1.0, 1 / factor), "linear")
        else:
            shares = weight(distance, how)
        inside = (places > -1) & (places < size)
        total = np.maximum(shares.sum(axis=1, keepdims=True), 1e-9)
        result: Floats = shares / total * inside[:, None]
        return result

    height, width = ink.shape[1:]
    result: Floats = weights(height, high) @ ink @ weights(width, wide).T
    return result


def warped(ink: Floats, matrix: Floats, how: Sampling = "linear") -> Floats:
    """Each pixel, counted from the middle, is taken from where the matrix sends (row, column)."""
    height, width = ink.shape[1:]
    middle = np.array([(height - 1) / 2, (width - 1) / 2])
    grid = np.moveaxis(np.indices((height, width)), 0, -1) - middle
    return taken(ink, grid @ matrix.T + middle, how)


def taken(ink: Floats, places: Floats, how: Sampling = "linear") -> Floats:
    """Each pixel is taken from a place (row, column) of its own, [H, W, 2]; paper outside."""
    flat = ink.reshape(len(ink), -1)
    rows, columns = (
        _taps(places[..., axis].ravel(), size, how) for axis, size in enumerate(ink.shape[1:])
    )
    result = np.zeros((len(ink), places[..., 0].size))
    for row, by_row in rows:
        for column, by_column in columns:
            result += by_row * by_column * flat.take(row * ink.shape[2] + column, axis=1)
    result = result.reshape(len(ink), *places.shape[:-1])
    return result.clip(0, 1) if how == "cubic" else result


def _taps(places: Floats, size: int, how: Sampling) -> list[tuple[NDArray[np.int64], Floats]]:
    """The rows, or columns, of which values at places [P] are made, and what each counts, [P]."""
    low = np.floor(places + 0.5 * (how == "nearest")).astype(np.int64)
    reach = {"nearest": range(1), "linear": range(2), "cubic": range(-1, 3)}[how]
    taps = ((low + step, weight(low + step - places, how)) for step in reach)
    return [(at.clip(0, size - 1), share * ((at >= 0) & (at < size))) for at, share in taps]


def weight(distance: Floats, how: Sampling) -> Floats:
    """What a pixel counts at a distance of so many pixels."""
    x = np.abs(distance)
    if how == "nearest":
        return ((distance <= 0.5) & (distance > -0.5)).astype(np.float64)
    if how == "linear":
        return np.asarray(np.maximum(0.0, 1 - x), np.float64)
    # Keys, Cubic Convolution Interpolation for Digital Image Processing, 1981
    near = (1.5 * x - 2.5) * x**2 + 1
    far = np.where(x < 2, ((2.5 - 0.5 * x) * x - 4) * x + 2, 0.0)
    return np.asarray(np.where(x < 1, near, far), np.float64)


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


def blurred(ink: Floats, deviation: float) -> Floats:
    """Spread by a bell curve of so many pixels' deviation; what leaves the image is reflected."""
    reach = int(4 * deviation) + 1
    bell = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)

    def weights(size: int) -> Floats:
        near = np.pad(np.arange(size), reach, mode="symmetric")
        result = np.zeros((size, size))
        for offset, share in enumerate(bell / bell.sum()):
            np.add.at(result, (np.arange(size), near[offset : offset + size]), share)
        return result

    height, width = ink.shape[1:]
    result: Floats = weights(height) @ ink @ weights(width).T
    return result
