"""Figures of ink on paper that hardly depend on which digits are drawn (NumPy only).

Each pixel is its way from the paper, 0, to full ink, 1. Single precision will do, and is twice as
quick.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from parity.watch.pixels.near import Grey, likeness, products, slope_of, smoothed

Floats = NDArray[np.float64]

FAINT = 0.15
"""Ink below which a pixel is paper, and above one less which it is full ink."""
GREY = 0.03
"""The same, where the tone of what is in between is measured."""
TONES = (0.28, 0.46, 0.68, 0.85, 0.97)
"""Between which the ink of each image is counted, from `FAINT` on."""
SHADES = (FAINT, 0.46, 1 - FAINT)
"""By which each pixel is paper, faint, dark or full ink, beside its neighbours."""


class Feature(NamedTuple):
    """One figure.

    Attributes:
        words: How a difference is told.
        least: What of it is no difference, whatever the images.
        kin: Share of the deviation between images by which other writers' mean may differ.
    """

    words: str
    least: float
    kin: float = 0.25


FEATURES = {
    "down": Feature("the ink lies {:+.1f} pixels lower", 0.35),
    "right": Feature("the ink lies {:+.1f} pixels further to the right", 0.35),
    "radius": Feature("the ink's radius is {:+.2f} pixels larger", 0.25),
    "aspect": Feature(
        "the digits' height grows by a factor of e^{:+.2f} against their width", 0.05
    ),
    "slant": Feature("the ink leans {:+.2f} more to the left", 0.05),
    "ink": Feature("the share of ink is {:+.3f} higher", 0.012),
    "width": Feature("strokes are {:+.2f} pixels wider", 0.12),
    "sharpness": Feature("edges are {:+.2f} steeper", 0.02),
    "grey": Feature("the share of grey among the ink is {:+.2f} higher", 0.05),
    "tone": Feature("the grey is {:+.2f} darker", 0.013, 0.1),
    "core": Feature("full ink is {:+.2f} darker", 0.02),
    "noise": Feature("the paper's grain is {:+.3f} higher", 0.006),
    "pits": Feature("the ink's grain is {:+.3f} higher", 0.006),
    "rough": Feature("the share of edges that do not rise evenly is {:+.3f} higher", 0.004),
    "beyond": Feature("the share of pixels on the far side of the paper is {:+.3f} higher", 0.01),
    "uneven": Feature("the paper's level varies by {:+.3f} more", 0.02),
    "contrast": Feature("ink stands out by {:+.2f} deviations more", 0.05),
    "levels": Feature("the number of grey levels changes by a factor of 2^{:+.1f}", 0.7),
    "below": Feature("a pixel resembles the one below it by {:+.2f} more", 0.04),
    "beside": Feature("a pixel resembles the one beside it by {:+.2f} more", 0.04),
}


def figures_of(ink: Grey, uneven: Floats, levels: Floats) -> Floats:
    """`FEATURES`, [N, F]; levels: logarithms of their number, [N]."""
    count, height, width = ink.shape
    whole = ink.clip(0, 1)
    inked, dark = ink > FAINT, ink > 0.5
    drawn = whole * inked
    area = drawn.reshape(count, -1).sum(axis=1)
    slope = slope_of(drawn)
    around = slope.reshape(count, -1).sum(axis=1)
    down, right, tall, wide, both = _moments(whole * dark)  # where it is, whatever the noise
    middle = smoothed(ink)
    grain = np.abs(ink - middle)
    pale = np.abs(middle) < FAINT
    return np.stack(
        [
            down,
            right,
            np.sqrt(tall + wide),
            0.5 * np.log((tall + 0.1) / (wide + 0.1)),
            2 * both / (tall + wide + 0.1),
            area / (height * width),
            2 * area / np.maximum(around, 1e-9),
            products(slope, slope) / np.maximum(around, 1e-9),
            _count(inked & (ink < 1 - FAINT)) / np.maximum(_count(inked), 1),
            _mean(ink, (ink > GREY) & (ink < 1 - GREY)),
            _mean(ink, dark),
            _mean(grain, pale),
            _mean(grain, middle > 0.5),
            _rough(ink),
            _count(ink < -FAINT) / (height * width),
            uneven,
            _contrast(ink),
            levels,
            likeness(ink[:, 1:], ink[:, :-1]),
            likeness(ink[:, :, 1:], ink[:, :, :-1]),
        ],
        axis=1,
        dtype=np.float64,
    )


@lru_cache
def _powers(height: int, width: int) -> Grey:
    """Of rows and columns, counted from the middle: 1, r, c, r r, c c and r c, [H * W, 6]."""
    row, column = np.indices((height, width), np.float32).reshape(2, -1)
    row, column = row - (height - 1) / 2, column - (width - 1) / 2
    ones = np.ones_like(row)
    return np.stack([ones, row, column, row * row, column * column, row * column], axis=1)


def _moments(drawn: Grey) -> tuple[Grey, Grey, Grey, Grey, Grey]:
    """Middle, down and right, and second moments about it: down, right and both, each [N]."""
    count, height, width = drawn.shape
    sums = (drawn.reshape(count, -1) @ _powers(height, width)).T.astype(np.float64)
    down, right, tall, wide, both = sums[1:] / np.maximum(sums[0], 1e-9)
    some = sums[0] > 0
    tall, wide = (tall - down**2).clip(0), (wide - right**2).clip(0)
    middle = (height - 1) / 2 * some, (width - 1) / 2 * some
    return down + middle[0], right + middle[1], tall, wide, both - down * right


def _contrast(ink: Grey) -> Floats:
    """Mean in standard deviations, [N]."""
    flat = ink.reshape(len(ink), -1)
    result: Floats = flat.mean(axis=1) / np.maximum(flat.std(axis=1), 1e-9)
    return result


def _count(where: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Of each image, [N]."""
    result: NDArray[np.int64] = np.count_nonzero(where.reshape(len(where), -1), axis=1)
    return result


def _mean(values: Grey, where: NDArray[np.bool_]) -> Floats:
    """Of each image, [N]; 0 where there is nothing to take it of."""
    result: Floats = products(values, where) / np.maximum(_count(where), 1)
    return result


def _rough(ink: Grey) -> Floats:
    """Share of the edges, two pixels from paper to full ink, whose nearer one is darker, [N]."""
    rough, edges = np.zeros(len(ink)), np.zeros(len(ink))
    paper, full = ink < FAINT, ink > 1 - FAINT
    for axis in (1, 2):
        first, second, third, last = (
            (slice(None),) * axis + (slice(start, ink.shape[axis] - 3 + start),)
            for start in range(4)
        )
        falls = ink[second] - ink[third]
        for edge, uneven in (
            (paper[first] & full[last], falls > 0.05),
            (paper[last] & full[first], falls < -0.05),
        ):
            edges += _count(edge)
            rough += _count(edge & uneven)
    result: Floats = rough / np.maximum(edges, 1)
    return result


def tones_of(ink: Grey) -> Floats:
    """Shares of the inked pixels of each image between `TONES`, [N, 6]."""
    above = [_count(ink > tone) for tone in (FAINT, *TONES)]
    counts = np.stack([*above, np.zeros_like(above[0])], axis=1).astype(np.float64)
    result: Floats = -np.diff(counts, axis=1) / np.maximum(counts[:, :1], 1)
    return result


def texture_of(ink: Grey) -> Floats:
    """Co-occurrences (Haralick 1973) of a pixel and the one below it, and the one beside it.

    Whichever of the two is the darker; but for paper beside paper.
    """
    shade = np.add.reduce([(ink > least).view(np.uint8) for least in SHADES], dtype=np.uint8)
    count, kinds = len(ink), [4, 5, 8, 9, 10, 12, 13, 14, 15]
    result = []
    for first, second in ((shade[:, 1:], shade[:, :-1]), (shade[:, :, 1:], shade[:, :, :-1])):
        pair = 4 * np.maximum(first, second) + np.minimum(first, second)
        each = pair.reshape(count, -1) + 16 * np.arange(count)[:, None]
        found = np.bincount(each.ravel(), minlength=16 * count).reshape(count, 16)[:, kinds]
        result.append(found / np.maximum(found.sum(axis=1, keepdims=True), 1))
    return np.concatenate(result, axis=1)
