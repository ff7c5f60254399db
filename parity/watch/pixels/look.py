"""What digits look like, in figures that hardly depend on which digits they are (NumPy only).

All are taken of ink on paper: each pixel's way from the paper, 0, to full ink, 1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FAINT = 0.15
"""Ink below which a pixel is paper, and above one less which it is full ink."""
INK_QUANTILE = 99.0
"""Of an image's pixels, by which its darkest ink is measured: a tenth to a fifth of MNIST's pixels
are ink."""
FEATURES = {
    "down": ("the ink lies {:+.1f} pixels lower", 0.35),
    "right": ("the ink lies {:+.1f} pixels further to the right", 0.35),
    "radius": ("the ink's radius is {:+.2f} pixels larger", 0.25),
    "aspect": ("the digits' height grows by a factor of e^{:+.2f} against their width", 0.05),
    "slant": ("the ink leans {:+.2f} more to the left", 0.04),
    "ink": ("the share of ink is {:+.3f} higher", 0.012),
    "width": ("strokes are {:+.2f} pixels wider", 0.12),
    "sharpness": ("edges are {:+.2f} steeper", 0.03),
    "grey": ("the share of grey among the ink is {:+.2f} higher", 0.05),
    "core": ("full ink is {:+.2f} darker", 0.03),
    "noise": ("the paper's grain is {:+.3f} higher", 0.006),
    "beyond": ("the share of pixels on the far side of the paper is {:+.3f} higher", 0.01),
    "uneven": ("the paper's level varies by {:+.3f} more", 0.02),
    "contrast": ("ink stands out by {:+.2f} deviations more", 0.05),
    "levels": ("the number of grey levels changes by a factor of 2^{:+.1f}", 0.7),
}
"""By name: how a difference is told, and what of it is no difference, whatever the images."""
SOME = 8
"""Images in which grey levels are counted, where their number is not known."""
MOST_LEVELS = 64
"""From so many grey levels on, it does not matter how many there are."""


@dataclass(frozen=True)
class Look:
    """Images, seen as ink on paper.

    Attributes:
        paper: Level of the paper.
        depth: Full ink's level above the paper; negative where ink is low.
        contrast: Mean above the paper, in standard deviations.
        ink: Pixels, 0 for paper and 1 for full ink, float64 [N, H, W].
        figures: `FEATURES` of each image, float64 [N, F].
    """

    paper: float
    depth: float
    contrast: float
    ink: Floats
    figures: Floats

    @classmethod
    def of(cls, images: Floats, levels: int | None = None) -> "Look":
        """Measure images float64 [N, H, W].

        Args:
            images: Not all of one level.
            levels: Number of their grey levels, where it is known better than by counting.
        """
        edge = np.ones(images.shape[1:], bool)
        edge[1:-1, 1:-1] = False
        papers = np.median(images[:, edge], axis=1)
        paper = float(np.median(papers))
        high, low = (
            float(np.median(np.percentile(images, quantile, axis=(1, 2)))) - paper
            for quantile in (INK_QUANTILE, 100 - INK_QUANTILE)
        )
        depth = high if high >= -low else low
        if depth == 0:  # hardly any ink at all
            high, low = float(images.max()) - paper, float(images.min()) - paper
            depth = high if high >= -low else low
        ink = (images - paper) / depth
        contrast = float((images.mean() - paper) / images.std())
        if levels is None:
            levels = len(np.unique(np.round(ink[:SOME] * 1e4)))
        uneven = np.abs(papers - paper) / abs(depth)
        return cls(paper, depth, contrast, ink, _figures(ink, uneven, min(levels, MOST_LEVELS)))


def _figures(ink: Floats, uneven: Floats, levels: int) -> Floats:
    count, height, width = ink.shape
    drawn = np.where(ink > FAINT, ink.clip(0, 1), 0.0)
    area = drawn.sum(axis=(1, 2))
    some = np.maximum(area, 1e-9)
    rows, columns = np.arange(height), np.arange(width)
    down = drawn.sum(axis=2) @ rows / some
    right = drawn.sum(axis=1) @ columns / some
    tall = (drawn.sum(axis=2) * (rows - down[:, None]) ** 2).sum(axis=1) / some
    wide = (drawn.sum(axis=1) * (columns - right[:, None]) ** 2).sum(axis=1) / some
    both = np.einsum("nrc,nr,nc->n", drawn, rows - down[:, None], columns - right[:, None]) / some
    slope = _slope(drawn)
    around = slope.sum(axis=(1, 2))
    inked, full = ink > FAINT, ink > 0.5
    grey = inked & (ink < 1 - FAINT)
    middle = smoothed(ink)
    paper = np.abs(middle) < FAINT
    grain = np.where(paper, np.abs(ink - middle), 0.0).sum(axis=(1, 2))
    return np.stack(
        [
            down,
            right,
            np.sqrt(tall + wide),
            0.5 * np.log((tall + 0.1) / (wide + 0.1)),
            2 * both / (tall + wide + 0.1),
            area / (height * width),
            2 * area / np.maximum(around, 1e-9),
            (slope**2).sum(axis=(1, 2)) / np.maximum(around, 1e-9),
            grey.sum(axis=(1, 2)) / np.maximum(inked.sum(axis=(1, 2)), 1),
            np.where(full, ink, 0.0).sum(axis=(1, 2)) / np.maximum(full.sum(axis=(1, 2)), 1),
            grain / np.maximum(paper.sum(axis=(1, 2)), 1),
            (ink < -FAINT).mean(axis=(1, 2)),
            uneven,
            ink.mean(axis=(1, 2)) / np.maximum(ink.std(axis=(1, 2)), 1e-9),
            np.full(count, np.log2(levels)),
        ],
        axis=1,
    )


def _slope(ink: Floats) -> Floats:
    """Length of the gradient at the corners between pixels, [N, H - 1, W - 1]."""
    down = ink[:, 1:, :-1] - ink[:, :-1, :-1], ink[:, 1:, 1:] - ink[:, :-1, 1:]
    right = ink[:, :-1, 1:] - ink[:, :-1, :-1], ink[:, 1:, 1:] - ink[:, 1:, :-1]
    result: Floats = np.hypot((down[0] + down[1]) / 2, (right[0] + right[1]) / 2)
    return result


def neighbours(images: Floats) -> list[Floats]:
    """Each pixel's nine, itself included, edges repeated: nine arrays [N, H, W]."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)), mode="edge")
    height, width = images.shape[1:]
    return [padded[:, r : r + height, c : c + width] for r in range(3) for c in range(3)]


def smoothed(images: Floats) -> Floats:
    """Without specks: the median of the medians of three neighbouring rows, [N, H, W]."""
    nine = neighbours(images)
    return _median(*(_median(*nine[row : row + 3]) for row in (0, 3, 6)))


def _median(first: Floats, second: Floats, third: Floats) -> Floats:
    low, high = np.minimum(first, second), np.maximum(first, second)
    result: Floats = np.maximum(low, np.minimum(high, third))
    return result
