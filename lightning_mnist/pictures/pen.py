"""Pens that leave no solid stroke, which are filled or joined, and what no pen leaves."""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lightning_mnist.pictures.paper import Ink

Mask = NDArray[np.uint8]

LEAST = 0.0005  # of the page, at least, is what an outline encloses
LONG = 2.5  # widths, at least, is what the two lines of an outline enclose
EVEN_GAP = 3.3  # largest by mean distance from the lines: 2 in a strip, 3 in a disc
WIDEST_GAP = 0.36  # of the extent of what is enclosed
BENT = 0.93  # of the convex hull, at most, is filled by what goes round a corner
DARK = 0.7  # of full ink, at least, has an outline
PIECES = 3  # at least, that a broken stroke is seen by
LONGEST_PIECE = 0.6  # of the extent of all of them
ALIKE = 0.2  # of the largest piece, by area: a piece that is smaller is no part of the pattern
MOST = 0.85  # of the pieces lie within one part when they are joined
FULL = 3  # times the area of its pieces, at most, has a stroke when they are joined
WIDEST_JOIN = 0.1  # of the longer side of the page
STEEP = 1.0  # the slope of a stroke's edge by its width, at least, however blurred
NARROWEST = 8  # pixels: of narrower strokes no slope is measured


def filled(mask: Mask, ink: Ink, darkest: float) -> Mask:
    """1 in what is enclosed by the two lines of an outlined stroke, of a mask [H, W] of ink.

    That is a strip, long and everywhere about as wide, between thinner lines as dark as ink is; the
    inside of a 0 is none, nor what strokes that cross enclose, nor are the cells of squared paper,
    whose lines reach the border.
    """
    _, parts = cv2.connectedComponents(mask)
    border = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
    mask = mask * ~np.isin(parts, border[border > 0])
    _, holes, stats, _ = cv2.connectedComponentsWithStats(1 - mask, connectivity=4)
    result = np.zeros_like(mask)
    for hole in 1 + np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] > LEAST * mask.size):
        left, top, width, height = map(int, stats[hole][:4])
        bottom, right = top + height, left + width
        outside = 0 in (left, top) or bottom == mask.shape[0] or right == mask.shape[1]
        if outside:
            continue
        place = np.s_[top:bottom, left:right]
        own = (holes[place] == hole).astype(np.uint8)
        strip = _width_of_strip(own)
        if strip > 0 and _is_outlined(own, ink[place], darkest):
            around = np.s_[top - 1 : bottom + 1, left - 1 : right + 1]
            touching = cv2.dilate(np.pad(own, 1), np.ones((3, 3), np.uint8)) * parts[around]
            if all(thickness(parts == part) <= strip for part in np.unique(touching) if part):
                result[place] |= own
    return result


def _width_of_strip(hole: Mask) -> float:
    """How wide a mask [H, W] is that is long, about as wide everywhere, and bent; 0 for others.

    A 0 and a ring are others.
    """
    distance = cv2.distanceTransform(np.pad(hole, 1), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    inside = distance[distance > 0]
    width = 2 * float(inside.max())
    if inside.size < LONG * width**2 or width > WIDEST_GAP * max(hole.shape):
        return 0.0
    outlines, _ = cv2.findContours(hole, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(outlines, key=cv2.contourArea)
    bent = cv2.contourArea(outline) < BENT * cv2.contourArea(cv2.convexHull(outline))
    return width if bent and inside.max() < EVEN_GAP * inside.mean() else 0.0


def thickness(part: NDArray[np.bool_]) -> float:
    """Mean width of the lines of a part [H, W]: twice its area by the length of its outlines."""
    outlines, _ = cv2.findContours(part.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return 2 * float(part.sum()) / sum(map(len, outlines))


def softer_than_strokes(ink: Ink) -> bool:
    """Whether ink [H, W] falls off more slowly than that of a pen, however blurred it is.

    Where it is half as dark as in its middle, a stroke blurred to a Gaussian has a slope of 1.4 by
    its width there, one blurred to a triangle has 1, a sharp one more. A shadow, a gradient or the
    sky has less.
    """
    darkest = float(np.quantile(ink[ink > 0], 0.95))
    half = (ink > darkest / 2).astype(np.uint8)
    inside = cv2.distanceTransform(np.pad(half, 1), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    width = 2 * float(inside.max())
    slopes = [cv2.Sobel(ink, cv2.CV_32F, dx, 1 - dx) / 8 for dx in (0, 1)]
    outlines, _ = cv2.findContours(half, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    x, y = np.concatenate(outlines)[:, 0].T
    slope = float(np.median(np.hypot(*slopes)[y, x])) / darkest
    return width > NARROWEST and slope * width < STEEP


def _is_outlined(hole: Mask, ink: Ink, darkest: float) -> bool:
    """Whether the lines around a hole, within its extent, are of full ink."""
    square = np.ones((5, 5), np.uint8)
    rim = (cv2.dilate(hole, square) - hole) > 0
    return bool(rim.any() and np.median(cv2.dilate(ink, square)[rim]) > DARK * darkest)


def joined(mask: Mask) -> Mask | None:
    """A mask [H, W] of ink whose dashes or dots are one stroke; None where there are none.

    They are many, about alike, and each is short against all of them; digits beside each other are
    as tall as their row.
    """
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    left, top, width, height, area = stats.T
    on_border = (left == 0) | (top == 0)
    on_border |= (left + width == mask.shape[1]) | (top + height == mask.shape[0])
    pieces = ~on_border
    pieces[0] = False
    if not pieces.any():
        return None
    pieces &= area > ALIKE * area[pieces].max()
    whole = max(
        int(np.ptp(np.concatenate([start[pieces], (start + side)[pieces]])))
        for start, side in ((left, width), (top, height))
    )
    tall = int((top + height)[pieces].max() - top[pieces].min())
    longest = int(np.maximum(width, height)[pieces].max())
    if pieces.sum() < PIECES or longest > LONGEST_PIECE * min(whole, 1.2 * tall):
        return None
    own = pieces[labels].astype(np.uint8)
    away = cv2.distanceTransform(1 - own, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    for reach in np.arange(1, WIDEST_JOIN * max(mask.shape) / 2):
        near = (away <= reach).astype(np.uint8)
        _, parts = cv2.connectedComponents(near)
        if np.bincount(parts[own > 0]).max() > MOST * own.sum():
            inside = cv2.distanceTransform(near, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
            closed = own | (inside > reach).astype(np.uint8)
            return bridged(closed, 3 * reach) if closed.sum() < FULL * own.sum() else None
    return None


def bridged(pieces: Mask, widest: float) -> Mask:
    """A mask [H, W] of pieces, with a stroke between those that are `widest` pixels apart or less.

    No closing joins the tips of two dashes, or of the segments of a display.
    """
    _, parts = cv2.connectedComponents(pieces)
    nearest = np.stack(
        ndimage.distance_transform_edt(pieces == 0, return_distances=False, return_indices=True), -1
    )
    pairs = [(nearest[1:], nearest[:-1]), (nearest[:, 1:], nearest[:, :-1])]
    ends = np.concatenate([np.stack(pair, -2).reshape(-1, 2, 2) for pair in pairs])
    owners = np.sort(parts[ends[..., 0], ends[..., 1]])
    length = np.hypot(*(ends[:, 0] - ends[:, 1]).T)
    between = np.flatnonzero((owners[:, 0] != owners[:, 1]) & (length <= widest))
    between = between[np.argsort(length[between], kind="stable")]
    _, first = np.unique(owners[between], axis=0, return_index=True)
    result, pen = pieces.copy(), max(1, round(thickness(pieces > 0)))
    for start, end in ends[between[first], :, ::-1].tolist():
        cv2.line(result, start, end, 1, pen)
    return result
