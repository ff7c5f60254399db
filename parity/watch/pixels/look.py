"""What digits look like: where the paper is, where full ink, and their figures (NumPy only).

All are taken of ink on paper: each pixel's way from the paper, 0, to full ink, 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from parity.watch.pixels.figures import FEATURES, figures_of, texture_of, tones_of

Floats = NDArray[np.float64]
AT_ONCE = 64
"""Images that are measured together."""

INK_QUANTILE = 0.99
"""Of an image's pixels, by which its darkest ink is measured: a tenth to a fifth of MNIST's pixels
are ink."""
EITHER = 1.2
"""Ratio of the two ends' distances from the paper below which either may be the ink."""
SOME = 8
"""Images in which grey levels are counted, where their number is not known."""
MOST_LEVELS = 64
"""From so many grey levels on, it does not matter how many there are."""


@dataclass(frozen=True, eq=False)
class Look:
    """Images, seen as ink on paper.

    Attributes:
        paper: Level of the paper.
        depth: Full ink's level above the paper; negative where ink is low.
        contrast: Mean above the paper, in standard deviations.
        ink: Pixels, 0 for paper and 1 for full ink, float64 [N, H, W].
        figures: `FEATURES` of each image, float64 [N, F].
        tones: Shares of its inked pixels between `TONES`, [N, 6].
        texture: Shares of its pairs of neighbours by their `SHADES`, [N, 18].
    """

    paper: float
    depth: float
    contrast: float
    ink: Floats
    figures: Floats
    tones: Floats
    texture: Floats

    @classmethod
    def of(cls, images: Floats, levels: int | None = None, lean: float = 1.0) -> "Look":
        """Measure images float64 [N, H, W].

        Args:
            images: Not all of one level.
            levels: Number of their grey levels, where it is known better than by counting.
            lean: Its sign is that of `depth`, where either end may be the ink.
        """
        return cls.each([images], levels, lean)[0]

    @classmethod
    def each(cls, several: Sequence[Floats], levels: int | None, lean: float) -> list["Look"]:
        """Measure several sets of images of one size, as many at once as the cache holds."""
        grounds = [_Ground.of(images, levels, lean) for images in several]
        together = max(1, AT_ONCE // max(len(images) for images in several))
        result = []
        for start in range(0, len(grounds), together):
            some = grounds[start : start + together]
            ink = np.concatenate([ground.ink for ground in some], dtype=np.float32)
            uneven = np.concatenate([ground.uneven for ground in some])
            counts = [len(ground.ink) for ground in some]
            known = np.repeat([np.log2(ground.levels) for ground in some], counts)
            measured = (figures_of(ink, uneven, known), tones_of(ink), texture_of(ink))
            parts = (np.split(all_, np.cumsum(counts)[:-1]) for all_ in measured)
            for ground, *own in zip(some, *parts, strict=True):
                result.append(cls(ground.paper, ground.depth, ground.contrast, ground.ink, *own))
        return result

    def mean(self, name: str) -> float:
        """Of one of the `FEATURES`, over all images."""
        return float(self.figures[:, list(FEATURES).index(name)].mean())

    @cached_property
    def values(self) -> Floats:
        """All there is of each image side by side, [N, F + 24 + H * W]: ink comes last."""
        parts = (self.figures, self.tones, self.texture, self.ink.reshape(len(self.ink), -1))
        return np.concatenate(parts, axis=1)

    @cached_property
    def squares(self) -> Floats:
        """Of `values`, [N, F + 24 + H * W]."""
        result: Floats = self.values**2
        return result

    @cached_property
    def mean_squares(self) -> Floats:
        """Over the images, [F + 24 + H * W]."""
        result: Floats = self.squares.mean(axis=0)
        return result

    @cached_property
    def means(self) -> Floats:
        """Of `values`, over the images, [F + 24 + H * W]."""
        result: Floats = self.values.mean(axis=0)
        return result

    @cached_property
    def deviations(self) -> Floats:
        """Of `values`, between the images, [F + 24 + H * W]."""
        result: Floats = np.sqrt((self.mean_squares - self.means**2).clip(0))
        return result


@dataclass(frozen=True, eq=False)
class _Ground:
    """Where the paper is and where full ink, `Look`'s `paper` to `ink`, and what comes with it.

    Attributes:
        uneven: By how much each image's paper is off, [N].
        levels: Number of grey levels, of so many as matter.
    """

    paper: float
    depth: float
    contrast: float
    ink: Floats
    uneven: Floats
    levels: int

    @classmethod
    def of(cls, images: Floats, levels: int | None, lean: float) -> "_Ground":
        """As for `Look.of`."""
        flat = images.reshape(len(images), -1)
        papers = np.median(edges(images), axis=1)
        paper = float(np.median(papers))
        both = quantiles(flat, INK_QUANTILE, 1 - INK_QUANTILE)
        ends = [float(end) - paper for end in np.median(both, axis=1)]
        if not any(ends):  # hardly any ink at all
            ends = [float(images.max()) - paper, float(images.min()) - paper]
        near, far = sorted(map(abs, ends))
        upper = lean > 0 if far < EITHER * near else abs(ends[0]) == far
        depth = ends[0] if upper else ends[1]
        ink = (images - paper) / depth
        contrast = float((flat.mean() - paper) / flat.std())
        if levels is None:
            places = np.round(ink[:SOME].clip(-4, 4) * 1e4).astype(np.int64) + 40_000
            levels = int(np.count_nonzero(np.bincount(places.ravel())))
        uneven = np.abs(papers - paper) / abs(depth)
        return cls(paper, depth, contrast, ink, uneven, min(levels, MOST_LEVELS))


@lru_cache
def _edge_of(height: int, width: int) -> NDArray[np.int64]:
    """Places of the outermost pixels among all, row by row."""
    edge = np.ones((height, width), bool)
    edge[1:-1, 1:-1] = False
    return np.flatnonzero(edge)


def edges(images: Floats) -> Floats:
    """The outermost pixels, [N, 2 * (H + W) - 4]."""
    return images.reshape(len(images), -1)[:, _edge_of(*images.shape[1:])]


def quantiles(values: Floats, *shares: float) -> Floats:
    """Of each row [N, P], [len(shares), N]: as `numpy.quantile`, but sorting is quicker."""
    values = np.sort(values, axis=1)
    places = np.array(shares) * (values.shape[1] - 1)
    below = np.floor(places).astype(np.int64)
    first, second = values[:, below], values[:, np.minimum(below + 1, values.shape[1] - 1)]
    result: Floats = (first + (second - first) * (places - below)).T
    return result
