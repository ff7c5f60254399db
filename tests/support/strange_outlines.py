"""Outlines and joined strokes that are no digit, for `tests.support.strangers`."""

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.support.strange_figures import MIDDLE, SIDE, Drawing, Random, bent, smooth

Points = NDArray[np.float64]


def silhouette(random: Random) -> Drawing:
    """A closed outline about an upright axis, as of things and emblems, filled or with parts."""
    count = int(random.integers(3, 8))
    heights = np.linspace(-1, 1, count) * random.uniform(16, 34) + random.normal(0, 3, count)
    right = np.column_stack([_widths(count, random), heights])
    left = right * (-1, 1)
    if random.random() < 0.3:  # both sides differ
        left = np.column_stack([-_widths(count, random), heights])
    round_ = random.random() < 0.5
    if round_:
        right, left = smooth(right), smooth(left)
    corners = MIDDLE + np.concatenate([right, left[::-1]])
    if random.random() < 0.3:  # along any axis
        turn = random.uniform(0, 6.3)
        way = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        corners = MIDDLE + (corners - MIDDLE) @ way.T
    image, pen = np.zeros((SIDE, SIDE), np.uint8), int(random.integers(3, 10))
    points = [corners.round().astype(np.int32)]
    if random.random() < 0.35:
        cv2.fillPoly(image, points, 255, cv2.LINE_AA)
        if random.random() < 0.5:
            image -= np.minimum(image, _parts(corners, pen, random))
    else:
        cv2.polylines(image, points, True, 255, pen, cv2.LINE_AA)
        if round_ or random.random() < 0.6:  # a round outline alone would be a zero
            image = np.maximum(image, _parts(corners, pen, random))
    return bent(image, random)


def _widths(count: int, random: Random) -> Points:
    """Half widths [count] of an outline; some of them are 0."""
    return np.asarray(random.uniform(12, 34, count) * (random.random(count) > 0.2))


def _parts(corners: Points, pen: int, random: Random) -> Drawing:
    """Bars, rings, spots and smaller copies of an outline within it, and what sticks out."""
    image, within = np.zeros((2, SIDE, SIDE), np.uint8)
    cv2.fillPoly(within, [corners.round().astype(np.int32)], 255)
    outside = random.random() < 0.3
    for _ in range(int(random.integers(1, 4))):
        kind, (x, y) = int(random.integers(4)), map(int, random.integers(16, SIDE - 16, 2))
        if kind == 0:
            side = int(random.integers(2))
            start, end = ((2, y), (SIDE, y)) if side else ((x, 2), (x, SIDE))
            cv2.line(image, start, end, 255, pen, cv2.LINE_AA)
        elif kind == 1:
            radius = int(random.integers(4, 16))
            at = (MIDDLE, y) if random.random() < 0.6 else (x, y)
            cv2.circle(image, at, radius, 255, int(random.choice((-1, pen))), cv2.LINE_AA)
        elif kind == 2:
            centre = corners.mean(axis=0)
            smaller = centre + random.uniform(0.3, 0.7) * (corners - centre)
            cv2.polylines(image, [smaller.astype(np.int32)], True, 255, pen, cv2.LINE_AA)
        else:
            start, end = random.integers(8, SIDE - 8, (2, 2))
            cv2.line(image, tuple(map(int, start)), tuple(map(int, end)), 255, pen, cv2.LINE_AA)
    return image if outside else np.minimum(image, within)


def assembled(random: Random) -> Drawing:
    """Four to seven strokes, each of which starts on one before; often both halves are alike."""
    image, pen = np.zeros((SIDE, SIDE), np.uint8), int(random.integers(3, 10))
    points = random.uniform(26, SIDE - 26, (1, 2))
    for _ in range(int(random.integers(4, 8))):
        start = points[int(random.integers(len(points)))]
        stroke = _stroke(start, random)
        filled = random.random() < 0.1
        corners = [stroke.round().astype(np.int32)]
        if filled:
            cv2.fillPoly(image, corners, 255, cv2.LINE_AA)
        else:
            cv2.polylines(image, corners, False, 255, pen, cv2.LINE_AA)
        points = np.concatenate([points, stroke])
    if random.random() < 0.4:
        image = np.maximum(image, image[:, ::-1])
    return bent(image, random)


def _stroke(start: Points, random: Random) -> Points:
    """A line, a bent one, an arc, a ring or a box [N, 2] from a point."""
    kind, turn = int(random.integers(6)), random.uniform(0, 2 * np.pi)
    if random.random() < 0.5:
        turn = np.pi / 4 * round(turn / (np.pi / 4))
    way, size = np.array([np.cos(turn), np.sin(turn)]), random.uniform(10, 44)
    if kind < 2:
        return np.asarray([start, start + size * way])
    if kind < 4:
        return smooth(start + np.cumsum(np.vstack([[0, 0], random.normal(0, 20, (3, 2))]), axis=0))
    if kind == 4:
        angles = turn + np.pi + np.linspace(0, random.choice((np.pi, 1.5 * np.pi, 2 * np.pi)), 30)
        return np.asarray(
            start + size / 2.5 * (way + np.column_stack([np.cos(angles), np.sin(angles)]))
        )
    wide, tall = random.uniform(8, 34, 2) * random.choice((-1, 1), 2)
    return np.asarray(start + [(0, 0), (wide, 0), (wide, tall), (0, tall), (0, 0)])
