"""Kinds of pictures: paper, lines and frames. Importing this enters them in `KINDS`."""

import cv2
import numpy as np
from PIL import Image

from tests.support.pictures import SIDE, Drawn, Levels, Random, grey, kind, noise, page, ruled


@kind
def plain(strokes: Levels, random: Random) -> Drawn:
    return Drawn(grey(page(strokes)))


@kind
def inverted(strokes: Levels, random: Random) -> Drawn:
    return Drawn(grey(255 - page(strokes)))


@kind
def one_stray_pixel(strokes: Levels, random: Random) -> Drawn:
    levels = page(strokes)
    levels[6, SIDE - 9] -= 60
    return Drawn(grey(levels))


@kind
def specks(strokes: Levels, random: Random) -> Drawn:
    levels = page(strokes)
    for x, y in random.integers(0, SIDE, (25, 2)):
        cv2.circle(levels, (int(x), int(y)), int(random.integers(1, 4)), 60, -1)
    return Drawn(grey(levels))


@kind
def lined(strokes: Levels, random: Random) -> Drawn:
    lines = ruled(32, 2, int(random.integers(32)), across=True)
    return Drawn(grey(page(strokes, page(lines, 235, 150))))


@kind
def lined_in_black(strokes: Levels, random: Random) -> Drawn:
    lines = ruled(60, 3, int(random.integers(60)), across=True)
    return Drawn(grey(page(strokes, page(lines, 235, 40))))


@kind
def lined_and_tilted(strokes: Levels, random: Random) -> Drawn:
    lines = ruled(36, 2, int(random.integers(36)), across=True, tilt=random.uniform(-0.08, 0.08))
    return Drawn(grey(page(strokes, page(lines, 235, 130)) + noise(random, 3)))


@kind
def lined_in_blue_with_margin(strokes: Levels, random: Random) -> Drawn:
    lines, margin = ruled(30, 2, 11, across=True), ruled(900, 2, 40, across=False)
    planes = [
        grey(page(strokes, page(margin, page(lines, 250, blue), red), ink))
        for blue, red, ink in ((120, 220, 30), (160, 90, 40), (230, 90, 110))
    ]
    return Drawn(Image.merge("RGB", planes), "jpg", {"quality": 85})


@kind
def squared(strokes: Levels, random: Random) -> Drawn:
    step = 28
    grid = np.maximum(
        ruled(step, 1, int(random.integers(step)), across=True),
        ruled(step, 1, int(random.integers(step)), across=False),
    )
    return Drawn(grey(page(strokes, page(grid, 240, 150))))


@kind
def squared_and_tilted(strokes: Levels, random: Random) -> Drawn:
    tilt = random.uniform(-0.06, 0.06)
    grid = np.maximum(
        ruled(40, 2, 7, across=True, tilt=tilt), ruled(40, 2, 19, across=False, tilt=-tilt)
    )
    return Drawn(grey(page(strokes, page(grid, 240, 140)) + noise(random, 4)))


@kind
def dotted(strokes: Levels, random: Random) -> Drawn:
    paper = np.full((SIDE, SIDE), 240.0)
    paper[10::24, 12::24] = paper[11::24, 12::24] = 120
    return Drawn(grey(page(strokes, paper)))


@kind
def on_a_line(strokes: Levels, random: Random) -> Drawn:
    bottom = np.flatnonzero((strokes > 0.5).any(axis=1))[-1]
    return Drawn(grey(page(strokes, page(ruled(900, 3, int(bottom) - 2, across=True), 235, 90))))


@kind
def black_frame(strokes: Levels, random: Random) -> Drawn:
    levels = page(strokes)
    width = int(random.integers(4, 20))
    levels[:width] = levels[-width:] = levels[:, :width] = levels[:, -width:] = 5
    return Drawn(grey(levels))


@kind
def scanner_edge(strokes: Levels, random: Random) -> Drawn:
    levels = page(strokes)
    levels[:, -22:] = 15
    levels[-9:] = 30
    return Drawn(grey(levels + noise(random, 3)))


@kind
def paper_on_a_dark_table(strokes: Levels, random: Random) -> Drawn:
    levels = np.full((SIDE, SIDE), 45.0)
    levels[30:-25, 40:-35] = page(strokes)[30:-25, 40:-35]
    return Drawn(grey(levels + noise(random, 3)), "jpg", {"quality": 80})


@kind
def torn_paper(strokes: Levels, random: Random) -> Drawn:
    turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    reach = 148 + 6 * np.sin(3 * turn + random.uniform(0, 6)) + random.normal(0, 3, 60)
    edge = SIDE / 2 + reach[:, None] * np.column_stack([np.cos(turn), np.sin(turn)])
    sheet = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillPoly(sheet, [edge.round().astype(np.int32)], 1)
    table = 60 + noise(random, 5)
    return Drawn(grey(np.where(sheet > 0, page(strokes), table)), "jpg", {"quality": 85})


@kind
def turned_paper_on_wood(strokes: Levels, random: Random) -> Drawn:
    wood = 90 + 12 * np.sin(np.arange(SIDE)[:, None] / 5 + noise(random, 1, 20)) + noise(random, 5)
    box = cv2.boxPoints(((160, 160), (270, 250), float(random.uniform(-12, 12))))
    sheet = np.zeros((SIDE, SIDE))
    cv2.fillPoly(sheet, [np.round(box).astype(np.int32)], 1.0)
    return Drawn(grey(wood * (1 - sheet) + page(strokes) * sheet), "jpg", {"quality": 85})


@kind
def box_around(strokes: Levels, random: Random) -> Drawn:
    levels = page(strokes)
    cv2.rectangle(levels, (38, 42), (280, 284), 40, int(random.integers(2, 6)))
    return Drawn(grey(levels))


@kind
def box_that_the_digit_touches(strokes: Levels, random: Random) -> Drawn:
    levels = page(strokes)
    rows, columns = (np.flatnonzero((strokes > 0.5).any(axis=axis)) for axis in (1, 0))
    left, right = max(int(columns[0]) - 45, 3), min(int(columns[-1]) + 45, SIDE - 4)
    cv2.rectangle(levels, (left, max(int(rows[0]) - 40, 3)), (right, int(rows[-1])), 40, 3)
    return Drawn(grey(levels))


@kind
def ring_around(strokes: Levels, random: Random) -> Drawn:
    levels = page(strokes)
    rows, columns = np.nonzero(strokes > 0.5)
    centre = (int(np.ptp(columns) / 2 + columns.min()), int(np.ptp(rows) / 2 + rows.min()))
    cv2.ellipse(levels, centre, (128, 122), 10, 0, 360, 40, 4, cv2.LINE_AA)
    return Drawn(grey(levels))
