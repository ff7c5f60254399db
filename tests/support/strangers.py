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
from PIL import Image, ImageDraw, ImageFont

from tests.support import strange_figures as figures
from tests.support.strange_figures import MIDDLE, SIDE, Drawing, Random, bent
from tests.support.written_letters import written

FONTS = (
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSans-BoldOblique",
    "DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSerif", "DejaVuSerif-Bold",
    "DejaVuSerif-Italic", "STIXGeneral", "STIXGeneralBol", "cmr10", "cmss10", "cmtt10",
)  # fmt: skip
PLOTTED = "&@#?!+=%$<>*" + string.ascii_letters
"""What OpenCV's fonts of single strokes have, besides digits."""
TOLD_APART = sorted(set(PLOTTED) - set("OoIlSsZz"))
"""Of these, what many fonts do not draw as they draw a digit."""
LIKE_DIGITS = sorted("DGQUabgquy")
"""Of these, what is most like a digit all the same."""


@cache
def font_of(name: str | Path) -> tuple[ImageFont.FreeTypeFont, list[str]]:
    """A font of a file or of Matplotlib's, and its characters that are no digit of any script."""
    path = name if isinstance(name, Path) else Path(get_data_path(), "fonts", "ttf", f"{name}.ttf")
    found = map(chr, sorted(FT2Font(str(path)).get_charmap()))
    return ImageFont.truetype(str(path), 56), [sign for sign in found if _is_sign(sign)]


def _is_sign(sign: str) -> bool:
    plain = unicodedata.normalize("NFKD", sign)
    return unicodedata.category(sign)[0] in "LSP" and not any(map(str.isnumeric, plain))


def printed(text: str, font: ImageFont.FreeTypeFont, random: Random, most: float = 3) -> Drawing:
    """Text of a font, thinner or thicker, leaning and bent as a hand would have it."""
    canvas = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(canvas).text((MIDDLE, MIDDLE), text, font=font, fill=255, anchor="mm")
    pen = np.ones((int(random.integers(1, 5)),) * 2)
    return bent(np.asarray(cv2.dilate(np.array(canvas), pen), np.uint8), random, most)


def plotted(text: str, random: Random) -> Drawing:
    """Text of single strokes, as a pen draws them."""
    image = np.zeros((SIDE, SIDE), np.uint8)
    font, size = int(random.integers(8)), float(random.uniform(1.4, 2.2))
    cv2.putText(image, text, (22, 60), font, size, 255, int(random.integers(2, 9)), cv2.LINE_AA)
    return bent(image, random)


SEGMENTS = (  # that light up for each digit
    "abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcdfg",
)  # fmt: skip
"""The first is at the top, the others follow clockwise, the seventh is in the middle."""
ENDS = {
    "a": (0, 0, 1, 0), "b": (1, 0, 1, 1), "c": (1, 1, 1, 2), "d": (0, 2, 1, 2), "e": (0, 1, 0, 2),
    "f": (0, 0, 0, 1), "g": (0, 1, 1, 1),
}  # fmt: skip
"""From where to where each goes, in units of the width from the upper left."""


def displayed(number: int, random: Random) -> Drawing:
    """A digit of seven segments, apart or not, as of a clock."""
    image, pen = np.zeros((SIDE, SIDE), np.uint8), int(random.integers(3, 10))
    apart = random.uniform(0, 0.2)
    for name in SEGMENTS[number]:
        start, end = np.reshape(ENDS[name], (2, 2)) * 26 + (29, 16)
        way = (end - start) * apart
        first, last = (tuple(map(int, at.round())) for at in (start + way, end - way))
        cv2.line(image, first, last, 255, pen, cv2.LINE_AA)
    return bent(image, random)


def digit(number: int, random: Random) -> Drawing:
    """A printed, plotted or displayed digit, which is no stranger."""
    chance = random.random()
    if chance < 0.1:
        return displayed(number, random)
    if chance < 0.5:
        return plotted(str(number), random)
    return printed(str(number), font_of(str(random.choice(FONTS)))[0], random)


def of_a_font(path: Path, random: Random) -> Drawing:
    """A letter or a sign of a font, mostly a Latin one or one of a keyboard."""
    font, signs = font_of(path)
    among = (LIKE_DIGITS, TOLD_APART, signs)[int(random.choice(3, p=(0.15, 0.6, 0.25)))]
    return printed(str(random.choice(among)), font, random, float(random.choice((3, 6))))


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


def arrow(random: Random) -> Drawing:
    """A line, straight or bent, with a head at one end or at both."""
    image, pen = np.zeros((SIDE, SIDE), np.uint8), int(random.integers(3, 10))
    turn, length = random.uniform(0, 6.3), random.uniform(18, 34)
    way = np.array([np.cos(turn), np.sin(turn)])
    start, end = MIDDLE - length * way, MIDDLE + length * way
    line = figures.smooth(np.array([start, random.normal(MIDDLE, random.choice((0, 12)), 2), end]))
    barb, spread = random.uniform(8, 22), random.uniform(0.35, 1)
    for tip, before in ((line[-1], line[-6]), (line[0], line[5]))[: 1 + (random.random() < 0.2)]:
        back = np.arctan2(*(before - tip)[::-1])
        sides = [back - spread, back + spread]
        barbs = tip + barb * np.column_stack([np.cos(sides), np.sin(sides)])
        figures.closed_line(image, np.insert(barbs, 1, tip, axis=0), pen, random)
    cv2.polylines(image, [line.astype(np.int32)], False, 255, pen, cv2.LINE_AA)
    return image


KINDS = {
    written: 0.14, letter: 0.2, sign: 0.17, figures.figure: 0.08, figures.strokes: 0.08,
    figures.scribble: 0.05, arrow: 0.03, figures.curve: 0.03, figures.badge: 0.05,
    figures.emblem: 0.03, figures.molecule: 0.03, figures.smudge: 0.02, figures.blots: 0.02,
    figures.shape: 0.04, figures.texture: 0.03,
}  # fmt: skip
"""The kinds of drawings, and how often each is drawn."""


def stranger(random: Random) -> Drawing:
    """A drawing of any kind."""
    kinds = list(KINDS)
    return kinds[int(random.choice(len(kinds), p=list(KINDS.values())))](random)
