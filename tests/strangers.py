"""Draws what is no digit, to train the detector of it: signs, strokes, shapes and textures.

Tests measure the detector on kinds of drawings and on fonts that are not in here.
"""

import string
import unicodedata
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from matplotlib import get_data_path
from matplotlib.ft2font import FT2Font
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Drawing = NDArray[np.uint8]
Random = np.random.Generator
SIDE = 84  # pixels of a drawing
MIDDLE = SIDE // 2
FONTS = (
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSans-BoldOblique",
    "DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSerif", "DejaVuSerif-Bold",
    "DejaVuSerif-Italic", "STIXGeneral", "STIXGeneralBol", "cmr10", "cmss10", "cmtt10",
)  # fmt: skip
PLOTTED = "&@#?!+=%$<>*" + string.ascii_letters
"""What OpenCV's fonts of single strokes have, besides digits."""


@cache
def font_of(name: str) -> tuple[ImageFont.FreeTypeFont, list[str]]:
    """A font, and those of its characters that leave ink and are no digit of any script."""
    path = Path(get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"
    found = map(chr, sorted(FT2Font(str(path)).get_charmap()))
    return ImageFont.truetype(str(path), 56), [sign for sign in found if _is_sign(sign)]


def _is_sign(sign: str) -> bool:
    plain = unicodedata.normalize("NFKD", sign)
    return unicodedata.category(sign)[0] in "LSP" and not any(map(str.isnumeric, plain))


def printed(text: str, font: ImageFont.FreeTypeFont, random: Random) -> Drawing:
    """Text of a font, thinner or thicker, leaning and bent as a hand would have it."""
    canvas = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(canvas).text((MIDDLE, MIDDLE), text, font=font, fill=255, anchor="mm")
    pen = np.ones((int(random.integers(1, 5)),) * 2)
    return bent(np.asarray(cv2.dilate(np.array(canvas), pen), np.uint8), random)


def plotted(text: str, random: Random) -> Drawing:
    """Text of single strokes, as a pen draws them."""
    image = np.zeros((SIDE, SIDE), np.uint8)
    font, size = int(random.integers(8)), float(random.uniform(1.4, 2.2))
    cv2.putText(image, text, (22, 60), font, size, 255, int(random.integers(2, 9)), cv2.LINE_AA)
    return bent(image, random)


def bent(image: Drawing, random: Random) -> Drawing:
    """An affine and an elastic distortion (Simard et al., Best Practices, 2003)."""
    lean = np.eye(2) + random.normal(0, 0.1, (2, 2))
    lean[:, 0] *= random.uniform(0.8, 1.8)  # narrower
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    knots = random.normal(0, random.uniform(0, 3), (2, 5, 5))
    across, down = (cv2.resize(knot, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for knot in knots)
    source_x = lean[0, 0] * (x - MIDDLE) + lean[0, 1] * (y - MIDDLE) + MIDDLE + across
    source_y = lean[1, 0] * (x - MIDDLE) + lean[1, 1] * (y - MIDDLE) + MIDDLE + down
    maps = (source_x.astype(np.float32), source_y.astype(np.float32))
    return np.asarray(cv2.remap(image, *maps, cv2.INTER_LINEAR), np.uint8)


def digit(number: int, random: Random) -> Drawing:
    """A printed or plotted digit, which is no stranger."""
    if random.random() < 0.5:
        return plotted(str(number), random)
    return printed(str(number), font_of(str(random.choice(FONTS)))[0], random)


def letter(random: Random) -> Drawing:
    """A Latin letter or a sign of a keyboard."""
    text = str(random.choice(list(PLOTTED)))
    if random.random() < 0.5:
        return plotted(text, random)
    return printed(text, font_of(str(random.choice(FONTS)))[0], random)


def sign(random: Random) -> Drawing:
    """A sign of any script, or a symbol; some of them upside down or on their side."""
    font, signs = font_of(str(random.choice(FONTS)))
    image = printed(str(random.choice(signs)), font, random)
    turns = int(random.choice(4, p=(0.7, 0.1, 0.1, 0.1)))
    return np.ascontiguousarray(np.rot90(image, turns))


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


KINDS = {
    letter: 0.31, sign: 0.18, figure: 0.14, strokes: 0.12, scribble: 0.08, curve: 0.04,
    blots: 0.02, shape: 0.06, texture: 0.05,
}  # fmt: skip
"""The kinds of drawings, and how often each is drawn."""


def stranger(random: Random) -> Drawing:
    """A drawing of any kind."""
    kinds = list(KINDS)
    return kinds[int(random.choice(len(kinds), p=list(KINDS.values())))](random)
