"""How much ink there is at each pixel, whatever the light on the paper and the grain in it."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Ink = NDArray[np.float32]
"""Ink [H, W]: about 0 on paper, 255 at most."""

STROKE = 0.3  # of the longer side: no stroke is wider, and no shadow narrower
EVEN = 12  # levels
"""Deviation from one level for the whole page within which its paper counts as even."""
CROSSED = 0.15  # of the border may be inked, of a page that counts as even
CROSSED_OFTEN, LONGEST_CROSSING = 0.4, 0.12  # the same if it is strokes that are cut off
DARKEST = 32  # levels
"""Paper that is darker than this reflects too little to tell a shadow from ink."""
WINDOW = 0.8  # of the longer side: what surrounds a stroke is paper, more than half of it
RIM = 0.25  # of its height and width along which a table, a frame or a shadow follows the border
THUMBNAIL = 200  # pixels of the longer side, for what does not depend on detail
OUTLIER = 40  # levels between a pixel and all of its neighbours
FEW = 0.004  # of the pixels may be outliers
CLEAR = 12  # deviations of the grain between paper and ink that need no blur


class Paper(NamedTuple):
    """What the palest half of a picture's ink is like: its level, and the deviation of its grain.

    At least half of a picture is paper. Then the quarter and the twentieth of the pixels with the
    least ink end at or below the middle, and at or below the tenth, of the paper's pixels, which
    in a normal distribution lie 1.28 deviations apart.
    """

    level: float
    grain: float

    @classmethod
    def of(cls, ink: Ink) -> "Paper":
        """Measured on `ink`."""
        low, level = np.quantile(ink, [0.05, 0.25])
        return cls(float(level), float(level - low) / 1.2816)


def without_outliers(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Salt and pepper, and the pattern of dithering, turned into the grey that they stand for.

    In a picture of less than 100 pixels a single one may be a stroke.
    """
    around = np.ones((3, 3), np.uint8)
    around[1, 1] = 0
    for _ in range(3 if min(grey.shape) >= 100 else 0):
        darker = cv2.subtract(cv2.erode(grey, around), grey)
        lighter = cv2.subtract(grey, cv2.dilate(grey, around))
        if np.mean(np.maximum(darker, lighter) > OUTLIER) < FEW:
            break
        grey = np.asarray(cv2.medianBlur(grey, 3), np.uint8)
    return grey


def ink_of(grey: NDArray[np.uint8]) -> Ink:
    """The ink of a page uint8 [H, W], whichever of ink and paper is darker.

    Paper that is even is one level, and then nothing else is changed.
    """
    dark = dark_ink(grey)
    levels = grey if dark else np.asarray(255 - grey)
    even = _on_one_level(levels)
    return _local(levels, shaded=dark) if even is None else even


def dark_ink(grey: NDArray[np.uint8]) -> bool:
    """Whether the sharper and longer edges are of what is darker than its surroundings.

    What follows the border may be a table, a frame or a shadow, and has no vote.
    """
    scale = min(1, THUMBNAIL / max(grey.shape))
    height, width = (max(2, round(side * scale)) for side in grey.shape)  # a slope takes two
    small = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
    window = round(WINDOW * max(small.shape)) | 1
    half = window // 2
    padded = cv2.copyMakeBorder(small, half, half, half, half, cv2.BORDER_REFLECT)
    around = cv2.medianBlur(padded, window)[half:-half, half:-half].astype(np.float32)
    contrast = cv2.GaussianBlur(small.astype(np.float32), (0, 0), 0.7) - around
    slope = np.hypot(*np.gradient(contrast + around))
    limit = max(0.3 * float(np.abs(contrast).max(initial=0)), 8)
    darker, lighter = (_edges(mask, slope) for mask in (contrast < -limit, contrast > limit))
    return darker >= lighter


def _edges(mask: NDArray[np.bool_], slope: NDArray[np.float32]) -> float:
    """The slope along the edges of a mask, of its parts that do not follow the border."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    border = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
    follows = np.bincount(border, minlength=len(stats)) > RIM * stats[:, 2:4].sum(axis=1)
    follows[0] = True  # all that is not of the mask
    own = (~follows[parts]).astype(np.uint8)
    return float(slope[(own - cv2.erode(own, np.ones((3, 3), np.uint8))) > 0].sum())


def _local(levels: NDArray[np.uint8], *, shaded: bool) -> Ink:
    """Ink that is darker than the paper around it, whose level is what a closing leaves.

    No stroke survives a closing, and every wide shadow does, sharp edges and all (Serra, Image
    Analysis and Mathematical Morphology, 1982).
    """
    side = max(levels.shape)
    smooth = cv2.GaussianBlur(levels.astype(np.float32), (0, 0), side / 250)
    size = max(3, round(STROKE * side))
    local = cv2.morphologyEx(smooth, cv2.MORPH_CLOSE, np.ones((size, size), np.uint8))
    ink = np.asarray(local - smooth, np.float32)
    if shaded:  # a shadow takes the same share of paper and of ink
        ink *= np.asarray(255 / np.maximum(local, DARKEST), np.float32)
    return np.asarray(ink - Paper.of(ink).level, np.float32)


def _on_one_level(levels: NDArray[np.uint8]) -> Ink | None:
    """The ink on paper that is even from border to border; None where it is not.

    Where more of the page than that is paler, there is other paper.
    """
    border = np.concatenate([levels[0], levels[-1], levels[:, 0], levels[:, -1]])
    paper = float(np.median(border))
    away = np.abs(border - paper)
    grain = 1.4826 * float(np.median(away))
    limit = EVEN + 3 * grain
    ink = np.asarray(paper - levels.astype(np.float32), np.float32)
    other = np.count_nonzero(ink < -limit) >= 0.02 * ink.size
    if max(grain, Paper.of(ink).grain) >= EVEN or other or not _crossed(away > limit):
        return None
    return ink


def _crossed(inked: NDArray[np.bool_]) -> bool:
    """Whether what is inked of a border may be strokes: little, or in several places."""
    share = float(inked.mean())
    if share < CROSSED:
        return True
    runs = np.diff(np.flatnonzero(np.diff(np.pad(inked, 1).astype(np.int8))))[::2]
    return share < CROSSED_OFTEN and float(runs.max()) < LONGEST_CROSSING * len(inked)


def without_grain(ink: Ink) -> tuple[Ink, float]:
    """Ink blurred as little as its grain allows, and the deviation of the grain that is left."""
    unit = max(ink.shape) / 320
    smooth, grain = ink, Paper.of(ink).grain
    for blur in (1, 1.5, 2, 3, 4):
        if np.quantile(smooth, 0.995) >= CLEAR * grain:
            break
        smooth = np.asarray(cv2.GaussianBlur(ink, (0, 0), blur * unit), np.float32)
        grain = Paper.of(smooth).grain
    return smooth, grain
