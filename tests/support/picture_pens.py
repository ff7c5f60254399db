"""Kinds of pictures: pens that leave no solid stroke, plates. Importing this enters them."""

import cv2
import numpy as np

from tests.support.pictures import SIDE, Drawn, Levels, Random, grey, kind, noise, page


def around(strokes: Levels, more: int, less: int) -> Levels:
    """The outline of strokes: from so many pixels outside of them to so many inside."""
    outer, inner = (
        cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * by + 1, 2 * by + 1))
        for by in (more, less)
    )
    return np.asarray(cv2.dilate(strokes, outer) - cv2.erode(strokes, inner), np.float64)


@kind
def outlined(strokes: Levels, random: Random) -> Drawn:
    return Drawn(grey(page(around(strokes, 3, 1))))


@kind
def outlined_in_chalk(strokes: Levels, random: Random) -> Drawn:
    return Drawn(grey(page(around(strokes, 4, 1), 50 + noise(random, 4, 8), 220)))


@kind
def hatched(strokes: Levels, random: Random) -> Drawn:
    """Of short parallel lines."""
    y, x = np.indices((SIDE, SIDE))
    wide = np.asarray(cv2.dilate(strokes, np.ones((5, 5))), np.float64)
    return Drawn(grey(page(wide * ((x + y) % 9 < 5), 245, 20)))


@kind
def of_dots(strokes: Levels, random: Random) -> Drawn:
    """As on a display."""
    dots = np.zeros((SIDE, SIDE))
    for y in range(4, SIDE, 9):
        for x in range(4, SIDE, 9):
            if strokes[y - 4 : y + 5, x - 4 : x + 5].mean() > 0.4:
                cv2.circle(dots, (x, y), 3, 1.0, -1, cv2.LINE_AA)
    return Drawn(grey(page(dots, 25, 230)))


@kind
def small_in_white_on_black(strokes: Levels, random: Random) -> Drawn:
    """Hardly any of the picture is ink."""
    small = cv2.resize(strokes, (100, 100), interpolation=cv2.INTER_AREA)
    return Drawn(grey(page(np.pad(small, ((30, 190), (150, 70))), 20, 235)))


@kind
def clear_but_pale(strokes: Levels, random: Random) -> Drawn:
    return Drawn(grey(page(strokes, 200, 186) + noise(random, 0.7)))


@kind
def tiny_on_a_scanned_sheet(strokes: Levels, random: Random) -> Drawn:
    levels = np.full((2400, 1700), 238.0)
    levels[700:830, 900:1030] = cv2.resize(
        page(strokes, 238), (130, 130), interpolation=cv2.INTER_AREA
    )
    return Drawn(grey(levels + random.normal(0, 3, levels.shape)))


@kind
def on_a_round_plate(strokes: Levels, random: Random) -> Drawn:
    plate = np.full((SIDE, SIDE), 230.0)
    cv2.circle(plate, (SIDE // 2, SIDE // 2), 145, 60, -1, cv2.LINE_AA)
    return Drawn(grey(page(strokes, plate, 240)))


@kind
def cut_off_all_around(strokes: Levels, random: Random) -> Drawn:
    rows, columns = (np.flatnonzero((strokes > 0.3).any(axis=axis)) for axis in (1, 0))
    beside = 2 if len(columns) > len(rows) / 2 else -10  # or a 1 would be a bar from edge to edge
    own = strokes[rows[0] + 2 : rows[-1] - 1, columns[0] + beside : columns[-1] + 1 - beside]
    return Drawn(grey(page(own)))


@kind
def in_the_light_of_a_spot(strokes: Levels, random: Random) -> Drawn:
    y, x = np.mgrid[0:SIDE, 0:SIDE] - SIDE / 2
    light = 0.15 + 0.85 * np.exp(-(((x**2 + y**2) / (2 * 110**2)) ** 2))
    return Drawn(grey(page(strokes, 225, 40) * light + noise(random, 3)))
