"""Pictures without a digit: letters, textures, blanks and scribbles."""

import cv2
import numpy as np
from matplotlib import get_data_path
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Drawing = NDArray[np.uint8]
Random = np.random.Generator
SIDE = 320
LETTERS = "ACEFGHJKLMNPRTUVWXYabcdefhkmnprtuvwxy"
"""Without those that are written like a digit."""
FONTS = ("DejaVuSans", "DejaVuSerif", "STIXGeneralItalic", "cmb10")


def letter(random: Random) -> Drawing:
    name = f"{get_data_path()}/fonts/ttf/{random.choice(FONTS)}.ttf"
    canvas = Image.new("L", (SIDE, SIDE), 235)
    font = ImageFont.truetype(name, int(random.integers(110, 220)))
    text = str(random.choice(list(LETTERS)))
    ImageDraw.Draw(canvas).text((SIDE // 2, SIDE // 2), text, font=font, fill=40, anchor="mm")
    return np.asarray(canvas)


def texture(random: Random) -> Drawing:
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    noise = random.normal(0, 1, (SIDE, SIDE))
    step = random.uniform(3, 14)
    choice = int(random.integers(4))
    if choice == 0:
        levels = noise * 50
    elif choice == 1:
        cloud = cv2.GaussianBlur(noise, (0, 0), step)
        levels = cloud / cloud.std() * 45
    elif choice == 2:
        levels = 80 * np.sign(np.sin(x / step) * np.sin(y / step))
    else:
        levels = 70 * np.sin((x * random.normal() + y * random.normal()) / step)
    return np.clip(128 + levels, 0, 255).astype(np.uint8)


def blank(random: Random) -> Drawing:
    grain = random.normal(random.integers(20, 240), random.uniform(0, 10), (SIDE, SIDE))
    return np.clip(grain, 0, 255).astype(np.uint8)


def scribble(random: Random) -> Drawing:
    image = np.full((SIDE, SIDE), 235, np.uint8)
    points = random.normal(SIDE / 2, 60, (int(random.integers(8, 40)), 2)).clip(15, SIDE - 15)
    pen = int(random.integers(4, 14))
    cv2.polylines(image, [points.astype(np.int32)], False, 40, pen, cv2.LINE_AA)
    return image


NOTHING = (letter, texture, blank, scribble)
