"""Figures, strokes and textures that are no digit, for `tests.support.strangers`."""

import cv2
import numpy as np
from numpy.typing import NDArray

Drawing = NDArray[np.uint8]
Random = np.random.Generator
SIDE = 84  # pixels of a drawing
MIDDLE = SIDE // 2


def bent(image: Drawing, random: Random, most: float = 3) -> Drawing:
    """An affine and an elastic distortion of some pixels (Simard et al., Best Practices, 2003)."""
    lean = np.eye(2) + random.normal(0, 0.1, (2, 2))
    lean[:, 0] *= random.uniform(0.8, 1.8)  # narrower
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    knots = random.normal(0, random.uniform(0, most), (2, 5, 5))
    across, down = (cv2.resize(knot, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for knot in knots)
    source_x = lean[0, 0] * (x - MIDDLE) + lean[0, 1] * (y - MIDDLE) + MIDDLE + across
    source_y = lean[1, 0] * (x - MIDDLE) + lean[1, 1] * (y - MIDDLE) + MIDDLE + down
    maps = (source_x.astype(np.float32), source_y.astype(np.float32))
    return np.asarray(cv2.remap(image, *maps, cv2.INTER_LINEAR), np.uint8)


def figure(random: Random) -> Drawing:
    """Lines, arcs, rings, boxes and dots of one pen; often both halves are alike."""
    image, pen = np.zeros((SIDE, SIDE), np.uint8), int(random.integers(3, 9))
    for _ in range(int(random.integers(2, 7))):
        kind = int(random.integers(5))
        x, y = map(int, random.integers(16, SIDE - 16, 2))
        to_x, to_y = map(int, random.integers(8, SIDE - 8, 2))
        wide, tall = map(int, random.integers(4, 32, 2))
        start, turn = random.uniform(0, 360, 2)
        if kind == 0:
            cv2.circle(image, (x, y), int(random.integers(3, 7)), 255, -1, cv2.LINE_AA)
        elif kind == 1:
            cv2.circle(image, (MIDDLE, y), wide, 255, pen, cv2.LINE_AA)
        elif kind == 2:
            cv2.ellipse(
                image, (x, y), (wide, tall), turn, start, start + 180, 255, pen, cv2.LINE_AA
            )
        elif kind == 3 and random.random() < 0.4:
            cv2.rectangle(image, (x, y), (to_x, to_y), 255, pen, cv2.LINE_AA)
        else:
            cv2.line(image, (x, y), (to_x, to_y), 255, pen, cv2.LINE_AA)
    if random.random() < 0.6:
        image = np.maximum(image, image[:, ::-1])
    return bent(
        np.rot90(image, int(random.integers(4))) if random.random() < 0.3 else image, random
    )


def strokes(random: Random) -> Drawing:
    """A few bent or broken strokes, the sign of no script."""
    image, pen = np.zeros((SIDE, SIDE), np.uint8), int(random.integers(3, 11))
    for _ in range(int(random.integers(1, 6))):
        corners = random.uniform(8, SIDE - 8, (int(random.integers(2, 6)), 2))
        if random.random() < 0.6:
            corners = smooth(corners)
        closed = bool(random.random() < 0.15)
        cv2.polylines(image, [corners.astype(np.int32)], closed, 255, pen, cv2.LINE_AA)
    return image


def smooth(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """The Bezier curve [40, 2] of control points [N, 2] (de Casteljau)."""
    time = np.linspace(0, 1, 40)[:, None, None]
    points = np.broadcast_to(corners, (40, *corners.shape))
    while points.shape[1] > 1:
        points = points[:, :-1] * (1 - time) + points[:, 1:] * time
    return np.asarray(points[:, 0])


def scribble(random: Random) -> Drawing:
    """To and fro, with corners or as a pen wanders that is not lifted."""
    image, pen = np.zeros((SIDE, SIDE), np.uint8), int(random.integers(3, 11))
    count = int(random.integers(3, 40))
    points = random.normal(MIDDLE, random.uniform(8, 22), (count, 2))
    if random.random() < 0.5:
        knots = np.linspace(0, count - 1, 12 * count)
        line = np.column_stack([np.interp(knots, range(count), side) for side in points.T])
        blurred = cv2.GaussianBlur(line, (1, 0), 0, sigmaY=random.uniform(2, 8))
        points = np.asarray(blurred, np.float64).reshape(-1, 2)
    cv2.polylines(image, [points.astype(np.int32)], False, 255, pen, cv2.LINE_AA)
    return image


def curve(random: Random) -> Drawing:
    """A closed curve of a few waves."""
    image, time = np.zeros((SIDE, SIDE), np.uint8), np.linspace(0, 2 * np.pi, 80)
    waves = np.arange(1, int(random.integers(3, 7)))[:, None]
    sines = np.sin(waves * time + random.uniform(0, 6.3, (2, len(waves), 1)))
    points = (random.normal(0, 14, (2, len(waves), 1)) * sines).sum(axis=1).T + MIDDLE
    pen = int(random.integers(3, 11))
    cv2.polylines(image, [points.astype(np.int32)], True, 255, pen, cv2.LINE_AA)
    return image


def blots(random: Random) -> Drawing:
    """Round spots of several shades, large or small."""
    image = np.zeros((SIDE, SIDE), np.uint8)
    largest = int(random.integers(3, 16))
    for _ in range(int(random.integers(2, 60))):
        x, y, radius = random.integers((8, 8, 1), (76, 76, largest))
        cv2.circle(image, (int(x), int(y)), int(radius), int(random.integers(90, 256)), -1)
    return image


def shape(random: Random) -> Drawing:
    """A polygon with straight sides or an ellipse, filled or as an outline."""
    image = np.zeros((SIDE, SIDE), np.uint8)
    pen = int(random.choice((-1, *range(3, 10))))
    if random.random() < 0.2:
        axes = random.integers(12, 36, 2)
        cv2.ellipse(image, (42, 42), tuple(map(int, axes)), random.uniform(0, 180), 0, 360, 255, -1)
        return image
    if random.random() < 0.5:
        count, skip = int(random.integers(3, 9)), int(random.integers(1, 3))
        turn = random.uniform(0, 6.3) + np.arange(count) * 2 * np.pi * skip / count
        wide, tall = random.uniform(14, 34, 2)
        corners = MIDDLE + np.column_stack([wide * np.cos(turn), tall * np.sin(turn)])
    else:
        corners = random.integers(8, 76, (int(random.integers(3, 8)), 2)).astype(np.float64)
    if pen < 0:
        cv2.fillPoly(image, [corners.astype(np.int32)], 255)
    else:
        cv2.polylines(image, [corners.astype(np.int32)], True, 255, pen, cv2.LINE_AA)
    return image


def texture(random: Random) -> Drawing:
    """Clouds, waves or grain, soft or hard, over all of the picture or a part of it."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    if random.random() < 0.5:
        coarse = random.uniform(0.5, 9)
        field = cv2.GaussianBlur(random.normal(0, 1, (SIDE, SIDE)), (0, 0), coarse)
    else:
        steps, turns = random.uniform(3, 20, (2, 1, 1)), random.uniform(0, 6.3, (2, 1, 1))
        waves = np.sin((x * np.cos(turns) + y * np.sin(turns)) / steps)
        field = waves[0] + random.integers(2) * waves[1]
    hard = random.uniform(0.4, 6)
    level = np.clip((field / field.std() - random.uniform(-1, 1.5)) * hard, 0, 1)
    image = np.asarray(255 * level, np.uint8)
    if random.random() < 0.4:
        part = np.zeros((SIDE, SIDE), np.uint8)
        axes = tuple(map(int, random.integers(15, 36, 2)))
        cv2.ellipse(part, (MIDDLE, MIDDLE), axes, random.uniform(0, 180), 0, 360, 1, -1)
        image *= part
    return image


def badge(random: Random) -> Drawing:
    """A ring, whole or open, with something in it or across it; also one that a wet cup leaves."""
    image, pen = np.zeros((SIDE, SIDE), np.uint8), int(random.integers(3, 11))
    radius = int(random.integers(22, 34))
    tall = radius if random.random() < 0.7 else int(radius * random.uniform(0.75, 1.2))
    gap, towards = float(random.choice((0, 50, 90))), float(random.choice((0, 90, 180, 270)))
    cv2.ellipse(
        image, (MIDDLE, MIDDLE), (radius, tall), towards, gap / 2, 360 - gap / 2, 255, pen,
        cv2.LINE_AA,
    )  # fmt: skip
    if random.random() < 0.15:
        return worn(image, random)
    held, within = np.zeros_like(image), radius * random.uniform(0.3, 1)
    choice = int(random.integers(4))
    if choice == 0:
        closed_line(held, star(int(random.integers(3, 9)), within, random), pen, random)
    elif choice == 1:  # spokes, hands, a cross
        for turn in random.choice(8, int(random.integers(1, 5)), replace=False) * np.pi / 4:
            at = MIDDLE + within * np.array([np.cos(turn), np.sin(turn)])
            cv2.line(held, (MIDDLE, MIDDLE), tuple(map(int, at)), 255, pen, cv2.LINE_AA)
    elif choice == 2:  # a bar, also through a gap
        turn = np.deg2rad(towards)
        way = radius * np.array([np.cos(turn), np.sin(turn)])
        start, end = (MIDDLE + way * share for share in random.uniform((-0.5, 0.7), (0.2, 1.3)))
        cv2.line(held, tuple(map(int, start)), tuple(map(int, end)), 255, pen, cv2.LINE_AA)
    else:
        closed_line(held, random.normal(MIDDLE, within / 2, (4, 2)), pen, random)
    return np.maximum(image, held)


def worn(image: Drawing, random: Random) -> Drawing:
    """A drawing whose ink is uneven and partly gone."""
    cloud = cv2.GaussianBlur(random.normal(0, 1, (SIDE, SIDE)), (0, 0), random.uniform(3, 14))
    left = np.clip(random.uniform(0, 0.8) + cloud / cloud.std(), 0, 1)
    return np.asarray(image * left, np.uint8)


def star(corners: int, radius: float, random: Random) -> NDArray[np.float64]:
    """Corners [2N, 2] of a star or, where its notches are shallow, a polygon."""
    turn = random.uniform(0, 6.3) + np.arange(2 * corners) * np.pi / corners
    notch = float(random.choice((0.4, 0.6, np.cos(np.pi / corners))))
    length = radius * np.where(np.arange(2 * corners) % 2, notch, 1)
    return np.asarray(MIDDLE + np.column_stack([np.cos(turn), np.sin(turn)]) * length[:, None])


def closed_line(image: Drawing, corners: NDArray[np.float64], pen: int, random: Random) -> None:
    """Draw a closed line into an image, sometimes filled."""
    points = corners.round().astype(np.int32)
    if random.random() < 0.3:
        cv2.fillPoly(image, [points], 255, cv2.LINE_AA)
    else:
        cv2.polylines(image, [points], True, 255, pen, cv2.LINE_AA)


def emblem(random: Random) -> Drawing:
    """A star or a heart."""
    image, pen = np.zeros((SIDE, SIDE), np.uint8), int(random.integers(3, 11))
    if random.random() < 0.3:
        corners = star(int(random.integers(4, 9)), random.uniform(20, 34), random)
    else:  # one half, from the notch to the point below
        notch, point = random.uniform((22, 64), (36, 80))
        upper, lower = MIDDLE + random.uniform((22, 8), (50, 40))
        half = smooth(np.array([(MIDDLE, notch), (upper, -12), (lower, 45), (MIDDLE, point)]))
        corners = np.concatenate([half, (half * (-1, 1) + (2 * MIDDLE, 0))[::-1]])
    closed_line(image, corners, pen, random)
    return bent(image, random)


def molecule(random: Random) -> Drawing:
    """Rings of straight sides, some of them double, or a zigzag; with branches."""
    image, pen = np.zeros((SIDE, SIDE), np.uint8), int(random.integers(2, 6))
    count, side = int(random.choice((5, 6, 6))), random.uniform(11, 18)
    turn = random.choice((0, np.pi / 6)) + np.arange(count) * 2 * np.pi / count
    ring = MIDDLE + side * np.column_stack([np.cos(turn), np.sin(turn)])
    if zigzag := random.random() < 0.3:
        count = int(random.integers(3, 8))
        down = MIDDLE + (-1.0) ** np.arange(count) * random.uniform(4, 12)
        ring = np.column_stack([np.linspace(14, 70, count), down])
    cv2.polylines(image, [ring.astype(np.int32)], not zigzag, 255, pen, cv2.LINE_AA)
    centre = np.array([MIDDLE, MIDDLE]) if not zigzag else ring + (0, 1) * (MIDDLE - ring)
    for at, out in zip(ring, ring - centre, strict=True):
        if random.random() < 0.4:
            end = at + out * random.uniform(0.5, 1.1)
            cv2.line(image, tuple(map(int, at)), tuple(map(int, end)), 255, pen, cv2.LINE_AA)
    if not zigzag:
        for first in range(0, count, int(random.integers(1, 4))):
            inner = MIDDLE + 0.7 * (ring[[first, (first + 1) % count]] - MIDDLE)
            cv2.polylines(image, [inner.astype(np.int32)], False, 255, pen, cv2.LINE_AA)
    return bent(image, random)


def smudge(random: Random) -> Drawing:
    """Soft shades without an edge, as of a finger or a wet cloth."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] - MIDDLE
    turn, (long, wide) = random.uniform(0, 3.2), random.uniform((14, 6), (34, 26))
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    spot = np.exp(-((along / long) ** 2) - (across / wide) ** 2)
    return worn(np.asarray(255 * spot, np.uint8), random)
