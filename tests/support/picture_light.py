"""Kinds of pictures: light, pens and file formats. Importing this enters them in `KINDS`."""

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
    ramp,
)


@kind
def faint_pencil_with_grain(strokes: Levels, random: Random) -> Drawn:
    texture = np.clip(0.75 + noise(random, 0.25, 0.8), 0, 1)
    return Drawn(grey(page(strokes * texture, 225, 165) + noise(random, 8)))


@kind
def chalk_on_a_noisy_board(strokes: Levels, random: Random) -> Drawn:
    chalk = strokes * np.clip(0.8 + noise(random, 0.35, 1), 0, 1)
    return Drawn(grey(page(chalk, 60 + noise(random, 8, 12), 215) + noise(random, 14)))


@kind
def hard_shadow(strokes: Levels, random: Random) -> Drawn:
    light = np.where(ramp(random) > random.uniform(0.4, 0.6), 1.0, 0.5)
    return Drawn(grey(page(strokes) * light))


@kind
def soft_shadow(strokes: Levels, random: Random) -> Drawn:
    light = 0.45 + 0.55 / (1 + np.exp(-(ramp(random) - 0.5) * 18))
    return Drawn(grey(page(strokes) * light + noise(random, 3)))


@kind
def shadow_of_a_hand(strokes: Levels, random: Random) -> Drawn:
    shadow = np.zeros((SIDE, SIDE))
    cv2.ellipse(shadow, (int(random.integers(60, 260)), 310), (90, 190), 20, 0, 360, 1.0, -1)
    light = 1 - 0.5 * cv2.GaussianBlur(shadow, (0, 0), 6)
    return Drawn(grey(page(strokes) * light + noise(random, 3)), "jpg", {"quality": 80})


@kind
def light_falling_off(strokes: Levels, random: Random) -> Drawn:
    return Drawn(grey(page(strokes) * (0.2 + 0.8 * ramp(random))))


@kind
def vignette(strokes: Levels, random: Random) -> Drawn:
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE - 0.5
    return Drawn(grey(page(strokes) * (1 - 1.3 * (x**2 + y**2)) + noise(random, 3)))


@kind
def lamp_on_a_board(strokes: Levels, random: Random) -> Drawn:
    return Drawn(grey(page(strokes, 30 + 90 * ramp(random) ** 2, 225) + noise(random, 5)))


@kind
def grainy(strokes: Levels, random: Random) -> Drawn:
    return Drawn(grey(page(strokes, 200, 60) + noise(random, 25)))


@kind
def salt_and_pepper(strokes: Levels, random: Random) -> Drawn:
    levels, dice = page(strokes), random.random((SIDE, SIDE))
    levels[dice < 0.02], levels[dice > 0.98] = 0, 255
    return Drawn(grey(levels))


@kind
def crumpled(strokes: Levels, random: Random) -> Drawn:
    return Drawn(grey(page(strokes, 215 + noise(random, 14, 14), 45) + noise(random, 4)))


@kind
def folded(strokes: Levels, random: Random) -> Drawn:
    levels = page(strokes)
    levels[:, 150:] *= 0.86
    levels[:, 149:152] -= 25
    return Drawn(grey(levels + noise(random, 3)))


@kind
def low_contrast(strokes: Levels, random: Random) -> Drawn:
    return Drawn(grey(page(strokes, 150, 110) + noise(random, 2)))


@kind
def out_of_focus(strokes: Levels, random: Random) -> Drawn:
    return Drawn(grey(np.asarray(cv2.GaussianBlur(page(strokes), (0, 0), 5), np.float64)))


@kind
def thick_marker(strokes: Levels, random: Random) -> Drawn:
    return Drawn(grey(page(np.asarray(cv2.dilate(strokes, np.ones((9, 9))), np.float64))))


@kind
def thin_pen(strokes: Levels, random: Random) -> Drawn:
    return Drawn(grey(page(np.asarray(cv2.erode(strokes, np.ones((7, 7))), np.float64))))


@kind
def binder_holes(strokes: Levels, random: Random) -> Drawn:
    levels = page(strokes)
    for y in (60, 260):
        cv2.circle(levels, (18, y), 11, 30, -1)
    return Drawn(grey(levels))


@kind
def small_on_a_large_page(strokes: Levels, random: Random) -> Drawn:
    levels = np.full((900, 1200), 235.0)
    small = cv2.resize(page(strokes), (200, 200), interpolation=cv2.INTER_AREA)
    levels[500:700, 150:350] = small
    return Drawn(grey(levels + random.normal(0, 4, levels.shape)), "jpg", {"quality": 70})


@kind
def twenty_eight_pixels(strokes: Levels, random: Random) -> Drawn:
    return Drawn(grey(page(strokes)).resize((28, 28), Image.Resampling.BOX))


@kind
def photograph_of_many_pixels(strokes: Levels, random: Random) -> Drawn:
    large = cv2.resize(page(strokes), (2400, 2400), interpolation=cv2.INTER_CUBIC)
    levels = np.asarray(large + random.normal(0, 10, large.shape), np.float64)
    return Drawn(grey(levels), "jpg", {"quality": 75})


@kind
def red_on_green(strokes: Levels, random: Random) -> Drawn:
    return Drawn(colour(strokes, (60, 150, 70), (225, 75, 60)))


@kind
def yellow_on_white(strokes: Levels, random: Random) -> Drawn:
    return Drawn(colour(strokes, (255, 255, 255), (255, 235, 40)))


@kind
def blue_on_pink(strokes: Levels, random: Random) -> Drawn:
    return Drawn(colour(strokes, (250, 190, 200), (40, 60, 170)), "webp", {"quality": 60})


@kind
def white_on_blue(strokes: Levels, random: Random) -> Drawn:
    return Drawn(colour(strokes, (30, 60, 140), (240, 240, 250)), "jpg", {"quality": 60})


@kind
def jpeg_artefacts(strokes: Levels, random: Random) -> Drawn:
    return Drawn(grey(page(strokes) + noise(random, 5)), "jpg", {"quality": 8})


def _deep(strokes: Levels, top: int) -> Image.Image:
    return Image.fromarray(np.round(page(strokes) / 255 * top).astype(np.uint16))


@kind
def twelve_bits_in_sixteen(strokes: Levels, random: Random) -> Drawn:
    return Drawn(_deep(strokes, 4095))


@kind
def sixteen_bits_in_tiff(strokes: Levels, random: Random) -> Drawn:
    return Drawn(_deep(strokes, 65535), "tiff")


@kind
def ten_bits_in_sixteen(strokes: Levels, random: Random) -> Drawn:
    return Drawn(_deep(strokes * 0.8, 1023), "tiff")


def _see_through(strokes: Levels, ink: tuple[int, int, int]) -> Image.Image:
    picture = Image.new("RGB", (SIDE, SIDE), ink)
    picture.putalpha(grey(255 * strokes))
    return picture


@kind
def black_on_nothing(strokes: Levels, random: Random) -> Drawn:
    return Drawn(_see_through(strokes, (0, 0, 0)))


@kind
def white_on_nothing(strokes: Levels, random: Random) -> Drawn:
    return Drawn(_see_through(strokes, (255, 255, 255)), "webp", {"lossless": True})


@kind
def grey_and_alpha(strokes: Levels, random: Random) -> Drawn:
    return Drawn(_see_through(strokes, (120, 120, 120)).convert("LA"))


@kind
def turned_by_exif(strokes: Levels, random: Random) -> Drawn:
    exif = Image.Exif()
    exif[0x0112] = 6
    return Drawn(grey(page(strokes)).rotate(90), "jpg", {"exif": exif})


@kind
def palette(strokes: Levels, random: Random) -> Drawn:
    return Drawn(colour(strokes, (240, 235, 210), (70, 40, 110)).convert("P"))


@kind
def one_bit(strokes: Levels, random: Random) -> Drawn:
    return Drawn(grey(page(strokes)).convert("1", dither=Image.Dither.NONE), "tiff")


@kind
def one_bit_dithered(strokes: Levels, random: Random) -> Drawn:
    return Drawn(grey(page(strokes, 215, 40)).convert("1"))


@kind
def bitmap(strokes: Levels, random: Random) -> Drawn:
    return Drawn(colour(strokes, (255, 255, 240), (20, 20, 60)), "bmp")


@kind
def gif(strokes: Levels, random: Random) -> Drawn:
    return Drawn(colour(strokes, (200, 220, 255), (90, 0, 0)), "gif")


@kind
def cmyk(strokes: Levels, random: Random) -> Drawn:
    return Drawn(colour(strokes, (250, 250, 250), (30, 30, 30)).convert("CMYK"), "jpg")
