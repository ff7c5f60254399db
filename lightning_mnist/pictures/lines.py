"""Straight lines from border to border, of ruled paper or of a box, are taken out of the ink."""

import cv2
import numpy as np
from numpy.typing import NDArray

from lightning_mnist.pictures.paper import Ink

TILT = 0.12  # radians, the most by which lines may lean
COVERED = 0.8  # of a line, at least, is inked; no stroke of a digit spans the page like that
ENDS = 0.5  # of the columns at either end of a line, at least, are inked
SIDES = 3  # of a box, at least, are seen
EDGE = 0.1  # of a part's height and width, within which the sides of a box lie
LOW = 0.75  # of a part's height: the line under a digit lies below
OVERHANG = 0.08  # of a part's height, by which the line ends beyond the digit
LEAST = 20  # pixels of a part's height, of which a line may be told from a stroke
WIDER_THAN_1 = 0.4  # of a part's height
THICKEST_UNDERLINE = 0.12  # of a part's height
THICKEST = 0.035  # of the longer side, from a line's middle to its edge


def without_lines(ink: Ink, limit: float) -> tuple[Ink, list[float], list[float]]:
    """Ink float [H, W] without the lines that span it.

    Args:
        ink: About 0 where there is paper.
        limit: Ink counts from here on.

    Returns:
        The rest, and where the lines were: in the height of those from left to right, in the width
        of those from top to bottom, from 0 to 1.
    """
    ink, across = _without_rows(ink, limit)
    turned, down = _without_rows(np.ascontiguousarray(ink.T), limit)
    return np.ascontiguousarray(turned.T), across, down


def without_box(ink: Ink, limit: float) -> Ink | None:
    """Ink of a part without the box that is drawn around it; None where it has none.

    Of a box at least three sides are seen, and what it holds is a quarter as tall.
    """
    if _likely_sides(ink > limit) < SIDES:
        return None
    bare, across, down = without_lines(ink, limit)
    if (bare > limit).sum() > 0.95 * (ink > limit).sum():
        return None
    sides = [any(at < EDGE for at in lines) for lines in (across, down)]
    sides += [any(at > 1 - EDGE for at in lines) for lines in (across, down)]
    rows = np.flatnonzero((bare > limit).any(axis=1))
    return bare if sum(sides) >= SIDES and rows.size and np.ptp(rows) > len(ink) / 4 else None


def _likely_sides(mask: NDArray[np.bool_]) -> int:
    """How many sides of a mask [H, W] have ink enough for the side of a box; it is soon counted."""
    count = 0
    for turned in (mask, mask.T):
        height, width = turned.shape
        deep = int(EDGE * height + np.tan(TILT) * width / 2) + 4  # of a side that leans
        for side in (turned[:deep], turned[-deep:]):
            count += side.any(axis=0).mean() >= COVERED
    return count


def without_underline(ink: Ink, limit: float) -> Ink | None:
    """Ink of a part without the line under it; None where it has none.

    The line ends beyond the digit on both sides. The foot of a 1 does, too, and is left.
    """
    mask = ink > limit
    height, width = mask.shape
    above = np.asarray(mask[: round(LOW * height)].any(axis=0))
    left, right = int(above.argmax()), int(above[::-1].argmax())
    if height < LEAST or width - left - right < WIDER_THAN_1 * height:
        return None
    if not above.any() or min(left, right) < OVERHANG * height:
        return None
    ends = mask[:, :left], mask[:, width - right :]
    thick = max(float(np.median(end.sum(axis=0))) for end in ends)
    if thick > THICKEST_UNDERLINE * height:
        return None
    rows = [np.nonzero(end)[0].mean() for end in ends]
    middle = np.interp(np.arange(width), [left / 2, width - right / 2], rows)
    distance = np.abs(np.arange(height)[:, None] - middle)
    if (mask & (distance < 2)).any(axis=0).mean() < COVERED:
        return None
    return np.where(distance > thick / 2 + 2, ink, 0).astype(np.float32)


def _without_rows(ink: Ink, limit: float) -> tuple[Ink, list[float]]:
    height, width = ink.shape
    reach = max(3, round(THICKEST * max(ink.shape)))
    mask = ink > limit
    if width < 24 or not _covers(np.asarray(mask.any(axis=0))):
        return ink, []
    found = cv2.HoughLines(
        mask.astype(np.uint8), 1, 1 / width, int(0.6 * width),
        min_theta=np.pi / 2 - TILT, max_theta=np.pi / 2 + TILT,
    )  # fmt: skip
    if found is None:
        return ink, []
    padded = np.pad(ink, ((reach, reach), (0, 0)))
    columns, offsets = np.arange(width), np.arange(2 * reach + 1)[:, None]
    lines: list[float] = []
    for distance, angle in found[:, 0]:
        middle = np.round((distance - columns * np.cos(angle)) / np.sin(angle)).astype(int)
        if middle.min() < 0 or middle.max() >= height:
            continue
        rows = middle + offsets
        strip = padded[rows, columns]
        own = _own_rows(strip > limit)
        if own is None:
            continue
        # The line is thin; what crosses it goes on above and below, or is darker.
        tall = np.ones((own.stop - own.start + 1, 1), np.uint8)
        rest = cv2.morphologyEx(strip, cv2.MORPH_OPEN, tall)
        line = np.quantile(strip[own], 0.6)
        rest = np.where(strip > 1.3 * line + limit, strip, rest)
        wide = slice(max(own.start - 1, 0), own.stop + 1)
        padded[rows[wide], columns] = rest[wide]
        lines.append(float(middle[width // 2]) / height)
    return padded[reach : reach + height], lines


def _own_rows(strip: NDArray[np.bool_]) -> slice | None:
    """Rows of the line in the middle of a strip, with its soft edges; None if there is none."""
    middle = len(strip) // 2
    if not _covers(np.asarray(strip[middle - 1 : middle + 2].any(axis=0))):
        return None
    rows = np.flatnonzero(strip.mean(axis=1) > 0.4)
    runs = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    own = min(runs, key=lambda run: np.abs(run - middle).min(initial=len(strip)))
    if not own.size or len(own) > middle:
        return None
    return slice(max(own[0] - 1, 0), own[-1] + 2)


def _covers(inked: NDArray[np.bool_]) -> bool:
    """Whether so many of the columns [W] are inked, and so many at both ends, as of a line."""
    end = max(1, len(inked) // 12)
    if min(np.count_nonzero(inked[:end]), np.count_nonzero(inked[-end:])) < ENDS * end:
        return False
    return bool(inked.mean() >= COVERED)
