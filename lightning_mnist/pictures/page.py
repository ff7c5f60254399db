"""The sheet with the digit, where a table or a frame lies around it."""

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Place = tuple[slice, slice]
"""Rows and columns of a part of a picture."""

SMALLEST = 0.06  # of the picture
STRAIGHT = 0.92  # of a sheet and the polygon of its corners, intersection over union
CORNERS = 6  # a sheet that runs off the picture at a corner has five
SURROUNDED = 0.45  # of the outline, at least, lies within the picture; a shadow's half has less
ROUND = 0.85  # shorter by longer axis, at least, of a button or a plate
ELSEWHERE = 0.1  # of a plate, at most, is as dark as it and lies around it, as in a pattern
STROKE = 0.15  # of its diameter, at most, is the width of what is written on a plate
COMPACT = 0.9  # of its convex hull, at least, is a sheet that was torn
LONG = 5  # squares of their width, at least, is the area of the strokes on it
FAR = 1.5  # widths of a stroke, at least, lie between the strokes and its edge
SHARP = 0.5  # of the contrast between sheet and table is seen within three pixels of the edge
MARGIN = 0.012  # of the longer side: the blurred edge of a sheet, and the rim of a frame


class Sheet(NamedTuple):
    """A sheet of paper in a picture.

    Attributes:
        grey: uint8 [h, w]; what is not of the sheet shows the nearest point of the sheet.
        place: Its rows and columns in the picture.
        mask: bool [h, w], what is of the sheet.
    """

    grey: NDArray[np.uint8]
    place: Place
    mask: NDArray[np.bool_]


def find_page(grey: NDArray[np.uint8]) -> Sheet | None:
    """The sheet of a picture uint8 [H, W]; None where paper fills the picture."""
    smooth = cv2.medianBlur(grey, 5)
    _, bright = cv2.threshold(smooth, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    window = np.ones((7, 7), np.uint8)
    step = cv2.subtract(cv2.dilate(smooth, window), cv2.erode(smooth, window))
    if bright.all() or not bright.any():
        return None
    contrast = smooth[bright > 0].mean() - smooth[bright == 0].mean()
    for region in (np.asarray(bright, np.uint8), np.asarray(1 - bright, np.uint8)):
        sheet = _sheet(region, step > SHARP * contrast)
        if sheet is not None:
            place = extent(sheet)
            mask = sheet[place] > 0
            nearest = ndimage.distance_transform_edt(
                ~mask, return_distances=False, return_indices=True
            )
            return Sheet(np.asarray(grey[place][tuple(nearest)], np.uint8), place, mask)
    return None


def _sheet(region: NDArray[np.uint8], sharp: NDArray[np.bool_]) -> NDArray[np.uint8] | None:
    """The largest part of a region as a mask, if it is a sheet with sharp edges, a bit smaller."""
    outline, sheet = _largest(region)
    if (region & sheet).sum() < 0.5 * sheet.sum():  # a frame: the sheet is what it holds
        outline, sheet = _largest(sheet & (1 - region))
    if sheet.sum() < SMALLEST * region.size:
        return None
    corners = cv2.approxPolyDP(cv2.convexHull(outline), 0.02 * cv2.arcLength(outline, True), True)
    polygon = np.zeros_like(region)
    cv2.fillPoly(polygon, [corners], 1)
    straight = (sheet & polygon).sum() / (sheet | polygon).sum()
    if _is_plate(outline, sheet, region):
        polygon = sheet
    elif straight < STRAIGHT or len(corners) > CORNERS:
        if not _is_torn(outline, sheet, region):
            return None
        polygon = sheet
    bottom, right = region.shape[0] - 1, region.shape[1] - 1
    x, y = outline[:, 0].T
    inside = (x > 0) & (x < right) & (y > 0) & (y < bottom)
    if inside.mean() < SURROUNDED:
        return None
    if sharp[y[inside], x[inside]].mean() < 0.8:
        return None
    margin = 2 * max(2, round(MARGIN * max(region.shape))) + 1
    smaller = cv2.erode(polygon, np.ones((margin, margin), np.uint8), borderValue=0)
    return np.asarray(smaller, np.uint8) if smaller.any() else None


def _is_plate(
    outline: NDArray[np.int32], sheet: NDArray[np.uint8], region: NDArray[np.uint8]
) -> bool:
    """Whether a sheet is about a disc with strokes on it; the ring of a 0 holds no stroke."""
    if len(outline) < 5:
        return False
    middle, axes, turn = cv2.fitEllipse(outline)
    if min(axes) < ROUND * max(axes):
        return False
    disc = np.zeros_like(sheet)
    cv2.ellipse(disc, (middle, axes, turn), 1, cv2.FILLED)
    alike = (sheet & disc).sum() > 0.95 * (sheet | disc).sum()
    if not alike or (region & (1 - sheet)).sum() >= ELSEWHERE * sheet.sum():
        return False
    strokes = cv2.distanceTransform(sheet & (1 - region), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return bool(2 * strokes.max() < STROKE * max(axes))


def _is_torn(
    outline: NDArray[np.int32], sheet: NDArray[np.uint8], region: NDArray[np.uint8]
) -> bool:
    """Whether a sheet of any outline has strokes on it: long, thin, and far from its edge.

    What the bold strokes of a 0, 6, 8 or 9 enclose is short, or as near to their outlines.
    """
    strokes = sheet & (1 - region)
    alone = (region & (1 - sheet)).sum() < ELSEWHERE * sheet.sum()
    hull = cv2.contourArea(cv2.convexHull(outline))
    if not alone or not strokes.any() or cv2.contourArea(outline) < COMPACT * hull:
        return False
    width = 2 * float(cv2.distanceTransform(strokes, cv2.DIST_L2, cv2.DIST_MASK_PRECISE).max())
    inner = cv2.distanceTransform(np.pad(sheet, 1), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    margin = float(inner[strokes > 0].min())
    return bool(strokes.sum() > LONG * width**2 and margin > FAR * width)


def _largest(region: NDArray[np.uint8]) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """The outline [N, 1, 2] of the largest part of a mask, and all that lies within as a mask."""
    outlines, _ = cv2.findContours(region, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(outlines, key=cv2.contourArea)
    within = np.zeros_like(region)
    cv2.drawContours(within, [outline], -1, 1, cv2.FILLED)
    return np.asarray(outline, np.int32), within


def extent(mask: NDArray[Any]) -> Place:
    """Rows and columns of what is not 0 in a mask [H, W]."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
