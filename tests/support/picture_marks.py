"""Kinds of pictures: other marks on the page. Importing this enters them in `KINDS`."""

import cv2
import numpy as np
from PIL import Image

from tests.support.pictures import (
    SIDE,
    Drawn,
    Levels,
    Random,
    colour,
    grey,
    kind,
    noise,
    page,
    ruled,
)


def turned(levels: Levels, random: Random, most: float) -> Levels:
    """Turned about the middle by up to so many degrees, and enlarged to fill the page."""
    middle = (SIDE / 2, SIDE / 2)
    matrix = cv2.getRotationMatrix2D(middle, float(random.uniform(-most, most)), 1.6)
    return np.asarray(cv2.warpAffine(levels, matrix, (SIDE, SIDE)), np.float64)


def soft(levels: Levels, blur: float) -> Levels:
    return np.asarray(cv2.GaussianBlur(levels, (0, 0), blur), np.float64)


@kind
def lined_at_an_angle(strokes: Levels, random: Random) -> Drawn:
    lines = turned(ruled(22, 1, 3, across=True), random, 25)
    return Drawn(grey(page(strokes, page(lines, 238, 150)) + noise(random, 2)))


@kind
def squared_at_an_angle(strokes: Levels, random: Random) -> Drawn:
    grid = np.maximum(ruled(18, 1, 3, across=True), ruled(18, 1, 5, across=False))
    return Drawn(grey(page(strokes, page(turned(grid, random, 20), 240, 150)) + noise(random, 2)))


@kind
def squared_in_dark(strokes: Levels, random: Random) -> Drawn:
    """The digit touches lines whose boxes are no boxes of its own."""
    first = int(random.integers(20))
    grid = np.maximum(ruled(20, 1, first, across=True), ruled(20, 1, 5, across=False))
    return Drawn(grey(page(strokes, page(grid, 240, 90)) + noise(random, 2)))


@kind
def pressed_on_less_and_less(strokes: Levels, random: Random) -> Drawn:
    pressure = np.linspace(1, 0.7, SIDE).round(1)[:, np.newaxis]
    return Drawn(grey(page(strokes * pressure)))


@kind
def dotted_at_an_angle(strokes: Levels, random: Random) -> Drawn:
    dots = np.zeros((SIDE, SIDE))
    dots[8::16, 8::16] = dots[9::16, 8::16] = dots[8::16, 9::16] = dots[9::16, 9::16] = 1
    return Drawn(grey(page(strokes, page(turned(dots, random, 30), 240, 120)) + noise(random, 2)))


@kind
def shadow_of_a_pen(strokes: Levels, random: Random) -> Drawn:
    shadow = np.zeros((SIDE, SIDE))
    rows, columns = np.nonzero(strokes > 0.3)
    point = int(columns.mean()), int(rows.mean())
    cv2.line(
        shadow, point, (int(random.integers(180, 300)), SIDE), 1.0, int(random.integers(10, 22))
    )
    return Drawn(grey(page(strokes) * (1 - 0.4 * soft(shadow, 5)) + noise(random, 2)))


@kind
def creased(strokes: Levels, random: Random) -> Drawn:
    line = np.zeros((SIDE, SIDE))
    above, below = map(int, random.integers(80, 240, 2))
    cv2.line(line, (above, 0), (below, SIDE), 1.0, 3)
    return Drawn(grey(page(strokes) - 70 * soft(line, 1.5) + noise(random, 2)))


@kind
def ring_of_a_cup(strokes: Levels, random: Random) -> Drawn:
    ring = np.zeros((SIDE, SIDE))
    x, y = map(int, random.integers(80, 240, 2))
    cv2.circle(ring, (x, y), int(random.integers(60, 110)), 1.0, int(random.integers(6, 14)))
    planes = [
        grey(page(strokes, 245 - stain * soft(ring, 3), ink))
        for stain, ink in ((60, 30), (100, 30), (140, 90))
    ]
    return Drawn(Image.merge("RGB", planes), "jpg", {"quality": 85})


@kind
def on_newsprint(strokes: Levels, random: Random) -> Drawn:
    text = np.zeros((SIDE, SIDE))
    for y in range(8, SIDE, 12):
        ends = np.cumsum(random.integers(9, 30, 20))
        for left, right in zip(ends, ends[1:] - 5, strict=False):
            cv2.line(text, (int(left), y), (int(right), y), 1.0, 3)
    return Drawn(grey(page(strokes, page(text, 205, 150), 20) + noise(random, 3)))


@kind
def box_by_hand(strokes: Levels, random: Random) -> Drawn:
    levels = page(strokes)
    rows, columns = np.nonzero(strokes > 0.3)
    left, right = columns.min() - 25, columns.max() + 25
    top, bottom = rows.min() - 25, rows.max() + 25
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)])
    bent = np.round(corners + random.normal(0, 5, corners.shape)).astype(np.int32)
    cv2.polylines(levels, [bent], False, 40, 6, cv2.LINE_AA)
    return Drawn(grey(levels))


@kind
def cells_of_a_form(strokes: Levels, random: Random) -> Drawn:
    levels = page(strokes)
    rows, columns = np.nonzero(strokes > 0.3)
    left, right = int(columns.min()) - 18, int(columns.max()) + 18
    top, bottom = int(rows.min()) - 18, int(rows.max()) + 18
    for cell in (-1, 0, 1):
        start = left + cell * (right - left)
        cv2.rectangle(levels, (start, top), (start + right - left, bottom), 110, 3)
    return Drawn(grey(levels))


@kind
def underlined(strokes: Levels, random: Random) -> Drawn:
    """By a line that touches the digit."""
    levels = page(strokes)
    rows, columns = np.nonzero(strokes > 0.3)
    left, right, bottom = int(columns.min()) - 25, int(columns.max()) + 25, int(rows.max()) + 1
    cv2.line(levels, (left, bottom), (right, bottom - 3), 40, 6, cv2.LINE_AA)
    return Drawn(grey(levels))


@kind
def seen_through_the_paper(strokes: Levels, random: Random) -> Drawn:
    other = cv2.GaussianBlur(np.roll(strokes[:, ::-1], 30, axis=1), (0, 0), 2)
    return Drawn(grey(page(strokes, page(np.asarray(other, np.float64), 240, 205), 40)))


@kind
def on_wrapping_paper(strokes: Levels, random: Random) -> Drawn:
    paper = np.asarray(colour(strokes, (185, 150, 110), (30, 30, 30)), np.float64)
    grainy = paper + noise(random, 9, 1.2)[..., np.newaxis] * (1 - strokes[..., np.newaxis])
    return Drawn(Image.fromarray(np.clip(grainy, 0, 255).astype(np.uint8)), "jpg", {"quality": 80})


@kind
def in_perspective_on_a_table(strokes: Levels, random: Random) -> Drawn:
    corners = np.array([(0, 0), (SIDE, 0), (SIDE, SIDE), (0, SIDE)], np.float32)
    seen = corners * 0.8 + 0.1 * SIDE + random.uniform(-12, 12, (4, 2)).astype(np.float32)
    # The strokes stay where they are: only the sheet's edges are seen in perspective.
    sheet = np.zeros((SIDE, SIDE))
    cv2.fillPoly(sheet, [np.round(seen).astype(np.int32)], 1.0)
    table = 70 + noise(random, 6, 3)
    return Drawn(grey(page(strokes) * sheet + table * (1 - sheet) + noise(random, 2)))


@kind
def few_of_many_levels(strokes: Levels, random: Random) -> Drawn:
    return Drawn(Image.fromarray((30000 + 30 * page(strokes)).astype(np.uint16)))
