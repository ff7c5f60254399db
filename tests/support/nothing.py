"""Pictures without a digit, of kinds and fonts that the detector was not trained on."""

import cv2
import numpy as np
from matplotlib import get_data_path
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tests.support.written_letters import through

Drawing = NDArray[np.uint8]
Random = np.random.Generator
SIDE = 320
MIDDLE = SIDE // 2
LETTERS = "ACEFGHJKLMNPRTUVWXYabcdefhkmnprtuvwxy"
"""Without those that are written like a digit."""
FONTS = (
    "STIXGeneralItalic", "STIXGeneralBolIta", "cmb10", "cmmi10", "DejaVuSerif-BoldItalic",
    "DejaVuSansMono-Oblique",
)  # fmt: skip


def text(words: str, size: int, random: Random) -> Image.Image:
    name = f"{get_data_path()}/fonts/ttf/{random.choice(FONTS)}.ttf"
    canvas = Image.new("L", (SIDE, SIDE), 235)
    font = ImageFont.truetype(name, size)
    ImageDraw.Draw(canvas).text((MIDDLE, MIDDLE), words, font=font, fill=40, anchor="mm")
    return canvas


def letter(random: Random) -> Drawing:
    return np.asarray(
        text(str(random.choice(list(LETTERS))), int(random.integers(110, 220)), random)
    )


def word_upside_down(random: Random) -> Drawing:
    word = "".join(random.choice(list(LETTERS), int(random.integers(3, 7))))
    return np.asarray(text(word, int(random.integers(50, 80)), random).rotate(180))


def texture(random: Random) -> Drawing:
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    noise = random.normal(0, 1, (SIDE, SIDE))
    step = random.uniform(3, 14)
    choice = int(random.integers(5))
    if choice == 0:
        levels = noise * 50
    elif choice == 1:
        cloud = cv2.GaussianBlur(noise, (0, 0), step)
        levels = cloud / cloud.std() * 45
    elif choice == 2:
        levels = 80 * np.sign(np.sin(x / step) * np.sin(y / step))
    elif choice == 3:
        levels = 70 * np.sin((x * random.normal() + y * random.normal()) / step)
    else:
        rings = np.hypot(1.2 * (x - MIDDLE), y - MIDDLE) + 9 * np.sin(y / 30 + random.uniform(0, 6))
        levels = 80 * np.sin(rings / step)
    return np.clip(128 + levels, 0, 255).astype(np.uint8)


def blank(random: Random) -> Drawing:
    grain = random.normal(random.integers(20, 240), random.uniform(0, 10), (SIDE, SIDE))
    return np.clip(grain, 0, 255).astype(np.uint8)


def _drawn(points: NDArray[np.float64], random: Random, *, closed: bool = False) -> Drawing:
    image = np.full((SIDE, SIDE), 235, np.uint8)
    pen = int(random.integers(4, 14))
    cv2.polylines(image, [np.round(points).astype(np.int32)], closed, 40, pen, cv2.LINE_AA)
    return image


def scribble(random: Random) -> Drawing:
    points = random.normal(MIDDLE, 60, (int(random.integers(8, 40)), 2)).clip(15, SIDE - 15)
    return _drawn(points, random)


def zigzag(random: Random) -> Drawing:
    count = int(random.integers(6, 16))
    down = MIDDLE + (-1) ** np.arange(count) * random.uniform(20, 90) + random.normal(0, 8, count)
    return _drawn(np.column_stack([np.linspace(40, 280, count), down]), random)


def face(random: Random) -> Drawing:
    turn = np.linspace(0, 2 * np.pi, 60)
    radius = int(random.integers(70, 130))
    ring = MIDDLE + radius * np.column_stack([np.cos(turn), np.sin(turn)])
    image = _drawn(ring, random)
    for side in (-1, 1):
        eye = MIDDLE + side * radius // 3, MIDDLE - radius // 3
        cv2.circle(image, eye, radius // 8, 40, -1, cv2.LINE_AA)
    cv2.ellipse(image, (MIDDLE, 170), (radius // 2, radius // 2), 0, 20, 160, 40, 6, cv2.LINE_AA)
    return image


def house(random: Random) -> Drawing:
    half, door = random.uniform(50, 90), random.uniform(15, 35)
    walls = [(-half, 100), (-half, 0), (half, 0), (half, 100), (-half, 100)]
    roof = [(-half, 0), (0, -half), (half, 0)]
    image = _drawn(MIDDLE + np.array(walls + roof, np.float64), random)
    at = (int(MIDDLE - door), MIDDLE + 40), (int(MIDDLE + door), MIDDLE + 100)
    cv2.rectangle(image, *at, 40, 6)
    return image


def stick_figure(random: Random) -> Drawing:
    image, pen = np.full((SIDE, SIDE), 235, np.uint8), int(random.integers(4, 12))
    cv2.circle(image, (MIDDLE, 80), 30, 40, pen, cv2.LINE_AA)
    cv2.line(image, (MIDDLE, 110), (MIDDLE, 200), 40, pen, cv2.LINE_AA)
    for side in (-1, 1):
        foot, hand, high = map(int, random.integers((25, 30, 110), (60, 70, 190)))
        cv2.line(image, (MIDDLE, 200), (MIDDLE + side * foot, 280), 40, pen, cv2.LINE_AA)
        cv2.line(image, (MIDDLE, 135), (MIDDLE + side * hand, high), 40, pen, cv2.LINE_AA)
    return image


IN_A_HAND = (
    ((72, 36), (46, 28), (24, 48), (44, 70), (70, 56)), ((73, 28), (73, 104), (90, 86)),  # q
), (
    ((72, 34), (46, 26), (24, 46), (44, 64), (70, 50)), ((74, 26), (72, 82), (46, 102), (20, 92)),
), (
    ((22, 30), (26, 58), (52, 66), (72, 50)), ((76, 28), (72, 84), (44, 103), (20, 92)),  # y
), (
    ((72, 42), (50, 33), (24, 60), (36, 94), (70, 78)), ((74, 35), (72, 82), (90, 98)),  # a
), (
    ((80, 18), (52, 1), (18, 40), (34, 94), (68, 94), (80, 60)), ((52, 58), (90, 58)),  # G
), (
    ((20, 0), (20, 100)), ((10, 2), (60, 6), (84, 45), (62, 92), (12, 98)),  # D
)  # fmt: skip
"""Strokes of q, g, y, a, G and D, through points in a square of 100."""


def almost_a_digit(random: Random) -> Drawing:
    """A letter that is nearly a 9, a 6 or a 0, as a hand writes it."""
    image, pen = np.full((SIDE, SIDE), 235, np.uint8), int(random.integers(8, 20))
    wide = random.uniform(1.4, 2)
    for stroke in IN_A_HAND[int(random.integers(len(IN_A_HAND)))]:
        points = through(np.array(stroke) + random.normal(0, 2, (len(stroke), 2)))
        line = MIDDLE + (points - 50) * (wide, 2)
        cv2.polylines(image, [np.round(line).astype(np.int32)], False, 40, pen, cv2.LINE_AA)
    return image


NOTHING = (letter, texture, blank, scribble)
DRAWINGS = (word_upside_down, zigzag, face, house, stick_figure)
