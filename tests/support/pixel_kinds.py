"""What people do to images of digits, and how each must be told, if it is told at all."""

import re
from collections.abc import Callable

import numpy as np
from scipy import ndimage

from parity.watch.pixels.change import Change
from tests.support.pixel_changes import (
    COLUMNS,
    ROWS,
    Images,
    blurry,
    bulged,
    by_four_corners,
    canny,
    closed,
    compressed,
    each_elsewhere,
    each_turned,
    equalised,
    framed,
    from_below,
    halved,
    in_int8,
    in_uint8,
    laplace,
    locally_equalised,
    lost,
    noisy,
    one_by_one,
    opened,
    opened_away,
    patched,
    pixel_by_pixel,
    put,
    reordered,
    rotated,
    sharpened,
    shifted,
    shrunk_and_enlarged,
    shuffled_each,
    slanted,
    sobel,
    speckled,
    strided,
    swirled,
    thick,
    thin,
    trapezoid,
    without_rows,
    zoomed,
)

Do = Callable[[Images, np.random.Generator], Images]
"""Of images float64 [N, 28, 28] from 0 to 1."""
Kind = tuple[Do, list[str]]
"""What is done, and for each thing to be told the words that may tell it, as an expression."""
UP = np.s_[:, ::-1]

RAW, MIRRORED, TRANSPOSED = "were not scaled", "were mirrored.*", "were transposed"
INVERTED = "were inverted.*"
LEVELS = r"were (scaled|moved|standardised|multiplied|not scaled|brighter).*"
RAISED = r"were (scaled|moved|standardised).*|were overexposed.*"
MOVED = r"were moved by [-+]\d.*"
LARGER, SMALLER = r"show larger digits: .*", r"show smaller digits: .*"
THICKER, THINNER = "show thicker strokes", "show thinner strokes"
BLURRED, NOISY, SPECKLED = "were blurred|are coarse.*", "were made noisy", "were speckled"
CUT = "were cut to (two|a few grey) levels|were cut to integers.*"
STRETCHED = "were sharpened, or had their contrast stretched.*|were overexposed.*"
DARKER, BRIGHTER = "were darkened.*|were underexposed.*", "were brightened.*|were overexposed.*"
ORDER = "are in another order.*"
ANTICLOCKWISE = "were rotated anticlockwise.*"
LITTLE = "were turned, bent or moved.*"
EQUALISED, LOCALLY = "were equalised: .*", "were equalised locally.*"
OPENED = "were opened.*"
WRAPPED = "wrapped around in uint8.*"

SINGLE: dict[str, Kind] = {
    # grey levels
    "inverted": (lambda x, _: 1 - x, ["were inverted: .*"]),
    "raw": (lambda x, _: x * 255, [RAW]),
    "scaled twice": (lambda x, _: x / 255, ["were scaled twice"]),
    "times 255": (lambda x, _: x * 255**2, ["were multiplied by 255 .*"]),
    "-1 to 1": (lambda x, _: 2 * x - 1, ["were scaled to -1 to 1"]),
    "-.5 to .5": (lambda x, _: x - 0.5, [LEVELS]),
    "standardised": (lambda x, _: (x - 0.1307) / 0.3081, ["were standardised.*"]),
    "standardised one by one": (lambda x, _: one_by_one(x), ["were standardised.*"]),
    "half contrast": (lambda x, _: x / 2 + 0.25, [r"were scaled by 0\.(49|5).*moved by .0.25"]),
    "16 bits": (lambda x, _: x * 65535, ["are of 16 bits.*"]),
    "bytes swapped": (lambda x, _: (x * 255).round() * 256, ["have their bytes swapped.*"]),
    "1 - x in uint8": (lambda x, _: in_uint8(x, lambda u: 1 - u), [WRAPPED]),
    "twice x in uint8": (lambda x, _: in_uint8(x, lambda u: u * 2), [WRAPPED]),
    "thrice x in uint8": (lambda x, _: in_uint8(x, lambda u: u * 3), [WRAPPED]),
    "x + 100 in uint8": (lambda x, _: in_uint8(x, lambda u: u + 100), [WRAPPED]),
    "int8": (lambda x, _: in_int8(x), ["wrapped around in int8.*"]),
    "integers": (lambda x, _: np.floor(x), [CUT]),
    "two levels": (lambda x, _: (x > 0.5) * 1.0, [CUT]),
    "four levels": (lambda x, _: (x * 3).round() / 3, [CUT]),
    "gamma 0.5": (lambda x, _: x**0.5, [BRIGHTER]),
    "gamma 2": (lambda x, _: x**2, [DARKER]),
    "brighter, clipped": (lambda x, _: (x + 0.3).clip(0, 1), [RAISED]),
    "contrast, clipped": (lambda x, _: (x * 2).clip(0, 1), [BRIGHTER]),
    "the dark clipped": (lambda x, _: (1.7 * (x - 0.4)).clip(0, 1), [DARKER]),
    "the top clipped": (lambda x, _: x.clip(0, 0.5), [RAISED]),
    "a little moved": (lambda x, _: x - 0.1307, [LEVELS]),
    "gamma 0.6": (lambda x, _: x**0.6, [BRIGHTER]),
    "fewer bits": (lambda x, _: np.floor(x * 7.999) / 8, [CUT]),
    "five times x in uint8": (lambda x, _: in_uint8(x, lambda u: u * 5), [WRAPPED]),
    "centred one by one": (
        lambda x, _: x - x.mean(axis=(1, 2), keepdims=True), ["were centred one by one.*"],
    ),
    "of one length": (
        lambda x, _: x / np.sqrt((x**2).sum(axis=(1, 2), keepdims=True)),
        ["were divided one by one.*"],
    ),
    "of one sum": (
        lambda x, _: x / x.sum(axis=(1, 2), keepdims=True), ["were divided one by one.*"],
    ),
    "of one mean": (
        lambda x, _: x / x.mean(axis=(1, 2), keepdims=True), ["were divided one by one.*"],
    ),
    "column by column": (
        lambda x, _: x / np.maximum(np.sqrt((x**2).sum(axis=1, keepdims=True)), 1e-7),
        ["were divided column by column.*"],
    ),
    "clipped at both ends": (
        lambda x, _: x.clip(0.2, 0.8), [r"were scaled by 0.6 and moved by .0.2.*", STRETCHED],
    ),
    "pixel by pixel": (
        lambda x, _: pixel_by_pixel(x), ["were standardised pixel by pixel"],
    ),
    "no mean image": (lambda x, _: x - x.mean(axis=0), ["had the mean image subtracted"]),
    "sine": (lambda x, _: np.sin(np.pi * x), ["were solarised.*"]),
    "two waves": (lambda x, _: np.sin(2 * np.pi * x), []),
    "three waves": (lambda x, _: np.sin(3 * np.pi * x), []),
    "solarised": (lambda x, _: np.where(x < 0.5, 2 * x, 2 - 2 * x), ["were solarised.*"]),
    "nibbles swapped": (lambda x, _: in_uint8(x, lambda u: (u << 4) | (u >> 4)), []),
    "dithered": (lambda x, r: (x > r.random(x.shape)) * 1.0, ["were dithered.*"]),
    "equalised": (lambda x, _: equalised(x), [EQUALISED]),
    "equalised locally": (lambda x, _: locally_equalised(x), [LOCALLY]),
    # textures
    "JPEG": (lambda x, _: compressed(x, 10), ["were compressed.*"]),
    "shrunk and enlarged": (lambda x, _: shrunk_and_enlarged(x, 14), [BLURRED]),
    "pixels lost": (lambda x, r: lost(x, r, 0.2), [SPECKLED + ".*"]),
    "salt": (lambda x, r: np.where(r.random(x.shape) < 0.03, 1.0, x), [SPECKLED]),
    "strong noise": (lambda x, r: noisy(x, r, 0.35), [NOISY]),
    "noise": (lambda x, r: noisy(x, r, 0.2), [NOISY]),
    "noise beyond": (lambda x, r: x + r.normal(0, 0.1, x.shape), [NOISY]),
    "uniform noise": (lambda x, r: x + r.uniform(-0.2, 0.2, x.shape), [NOISY]),
    "salt and pepper": (lambda x, r: speckled(x, r, 0.08), [SPECKLED]),
    "blur": (lambda x, _: blurry(x, 1.0), [BLURRED]),
    "box blur": (lambda x, _: ndimage.uniform_filter(x, (0, 3, 3)), [BLURRED]),
    "smeared": (
        lambda x, _: ndimage.convolve(x, np.eye(5)[None] / 5, mode="nearest"), [BLURRED],
    ),
    "median": (lambda x, _: ndimage.median_filter(x, (1, 5, 5)), ["were smoothed by a median"]),
    "sharpened": (lambda x, _: sharpened(x), ["were sharpened.*"]),
    "sobel": (lambda x, _: sobel(x), ["show only the edges.*"]),
    "laplace": (lambda x, _: laplace(x), ["show only the edges.*"]),
    "coarse": (lambda x, _: halved(x).repeat(2, 1).repeat(2, 2), [BLURRED]),
    "thicker": (lambda x, _: thick(x), [THICKER]),
    "thinner": (lambda x, _: thin(x), [THINNER]),
    "opened": (lambda x, _: opened(x), [OPENED]),
    "closed": (lambda x, _: closed(x, 5), ["were closed.*"]),
    "skeleton by openings": (lambda x, _: opened_away(x), ["show skeletons.*"]),
    "edges by Canny": (lambda x, _: canny(x), ["show only the edges.*"]),
    # places
    "from below": (lambda x, _: from_below(x, 0.3), ["are seen in perspective.*"]),
    "rotated a little": (lambda x, _: rotated(x, -13), [ANTICLOCKWISE]),
    "moved": (lambda x, _: shifted(x, 3, -2), [MOVED]),
    "moved far": (lambda x, _: shifted(x, -5, 4), [MOVED]),
    "moved by half a pixel": (lambda x, _: shifted(x, 0.5, 0.5), [MOVED]),
    "moved by parts of a pixel": (lambda x, _: shifted(x, -2.5, 0.4), [MOVED]),
    "swirled": (lambda x, _: swirled(x, 2.0, 5.0), [".*were swirled clockwise.*"]),
    "swirled wide": (lambda x, _: swirled(x, -1.2, 8.0), [".*were swirled anticlockwise.*"]),
    "lens": (lambda x, _: bulged(x, 0.4), ["were bulged as by a lens"]),
    "perspective": (lambda x, _: trapezoid(x, 0.4), ["are seen in perspective.*"]),
    "four corners": (lambda x, _: by_four_corners(x, 5), ["are seen in perspective.*"]),
    "rotated": (lambda x, _: rotated(x, 25), ["were rotated clockwise.*"]),
    "rotated back": (lambda x, _: rotated(x, -45), ["were rotated anticlockwise.*"]),
    "upside down": (lambda x, _: x[UP], ["were turned upside down"]),
    "mirrored": (lambda x, _: x[:, :, ::-1], [MIRRORED]),
    "transposed": (lambda x, _: x.transpose(0, 2, 1), [TRANSPOSED]),
    "quarter": (lambda x, _: np.rot90(x, 1, (1, 2)), ["were turned by 90 degrees anticlockwise"]),
    "half turn": (lambda x, _: np.rot90(x, 2, (1, 2)), ["were turned by 180 degrees"]),
    "larger": (lambda x, _: zoomed(x, 1.35, 1.35), [LARGER]),
    "smaller": (lambda x, _: zoomed(x, 0.6, 0.6), [SMALLER]),
    "stretched": (lambda x, _: zoomed(x, 1.0, 0.65), ["show digits .*"]),
    "slanted": (lambda x, _: slanted(x, 0.4), ["were slanted.*"]),
    "cropped": (lambda x, _: x[:, 4:24, 4:24], [LARGER]),
    "padded": (lambda x, _: np.pad(x, ((0, 0), (8, 8), (8, 8))), [SMALLER]),
    # half of it, frames
    "left half blank": (lambda x, _: x * (COLUMNS >= 14), ["are blank on the left.*"]),
    "right half blank": (lambda x, _: x * (COLUMNS < 14), ["are blank on the right.*"]),
    "top half blank": (lambda x, _: x * (ROWS >= 14), ["are blank at the top.*"]),
    "bottom half blank": (lambda x, _: x * (ROWS < 14), ["are blank at the bottom.*"]),
    "left half": (lambda x, _: x[:, :, :14], []),
    "top half": (lambda x, _: x[:, :14], []),
    "thin frame": (lambda x, _: framed(x, 1, 1.0), ["have a frame.*"]),
    "frame": (lambda x, _: framed(x, 3, 1.0), ["have a frame.*"]),
    "grey frame": (lambda x, _: framed(x, 2, 0.5), ["have a frame.*"]),
    "patches": (patched, ["had a square cut out of each image"]),
    "every other row": (lambda x, _: x * (ROWS % 2), ["are blank in the same place.*"]),
    "lines": (lambda x, _: np.maximum(x, (ROWS % 7 == 3) * 0.8), ["have the same mark.*"]),
    "turned far": (lambda x, _: rotated(x, 110), ["were rotated clockwise.*"]),
    "turned further": (lambda x, _: rotated(x, -160), ["were rotated anticlockwise.*"]),
    "the other diagonal": (
        lambda x, _: np.rot90(x.transpose(0, 2, 1), 2, (1, 2)),
        ["were transposed along the other diagonal"],
    ),
    "slanted down": (
        lambda x, _: slanted(x.transpose(0, 2, 1), 0.5).transpose(0, 2, 1), ["were slanted.*"],
    ),
    "centred by outline": (
        lambda x, _: put(x, lambda side: (28 - side) // 2), ["were centred by their outline.*"],
    ),
    "in the corner": (lambda x, _: put(x, lambda side: 0), ["lie in the upper left corner.*"]),
    "rows lost": (lambda x, r: without_rows(x, r, 4), ["lost some rows.*"]),
    # order
    "one permutation": (lambda x, r: reordered(x, r.permutation(784)), [ORDER]),
    "a permutation each": (shuffled_each, [ORDER]),
    "rows shuffled": (lambda x, r: x[:, r.permutation(28)], [ORDER]),
    "columns shuffled": (lambda x, r: x[:, :, r.permutation(28)], [ORDER]),
    "a header in front": (lambda x, _: np.roll(x.ravel(), 16).reshape(x.shape), [ORDER]),
    "halves swapped": (lambda x, _: np.roll(x, 14, 2), [ORDER]),
    "quadrants swapped": (lambda x, _: np.roll(x, (14, 14), (1, 2)), [ORDER]),
    "wrong stride": (lambda x, _: strided(x, 27), []),
    "longer stride": (lambda x, _: strided(x, 32), []),
    "wrong reshape": (lambda x, _: x.transpose(1, 2, 0).reshape(x.shape), [ORDER]),
    # several in one
    "averaged": (lambda x, r: (x + x[r.permutation(len(x))]) / 2, ["show two.*"]),
    "two in one": (lambda x, r: np.maximum(x, x[r.permutation(len(x))]), ["show two.*"]),
    "tiled": (lambda x, _: np.tile(halved(x), (1, 2, 2)), []),
    "half are inverted": (
        lambda x, r: np.where(r.random((len(x), 1, 1)) < 0.5, x, 1 - x), ["were inverted.*"]
    ),
    "each elsewhere": (each_elsewhere, ["were moved each on its own.*"]),
    "less contrast": (
        lambda x, _: (x + x.mean((1, 2), keepdims=True)) / 2, ["were scaled by 0.5.* one by one.*"]
    ),
    "each turned": (each_turned, ["were rotated each on its own.*|" + LITTLE]),
    "all the same": (lambda x, _: np.repeat(x[:1], len(x), 0), ["are the same.*"]),
    "shade": (lambda x, _: x * 0.6 + 0.4 * COLUMNS / 27, []),
    "nothing but noise": (lambda x, r: r.random(x.shape), []),
    "contrast doubled": (lambda x, _: (2 * x - x.mean()).clip(0, 1), [STRETCHED]),
    "edges as Pillow finds them": (
        lambda x, _: (9 * (x - ndimage.uniform_filter(x, (0, 3, 3)))).clip(0, 1),
        ["show only the edges.*"],
    ),
}  # fmt: skip
COMPOSED: dict[str, Kind] = {
    "inverted, opened": (lambda x, _: 1 - opened(x), [INVERTED, OPENED]),
    "inverted, turned": (lambda x, _: 1 - rotated(x, -13), [INVERTED, ANTICLOCKWISE]),
    "inverted, two levels": (lambda x, _: 1.0 - (x > 0.5), [INVERTED, CUT]),
    "inverted, blurred": (lambda x, _: 1 - blurry(x, 1.2), [INVERTED, BLURRED]),
    "inverted, noisy": (lambda x, r: noisy(1 - x, r, 0.15), [INVERTED, NOISY]),
    "inverted, moved": (lambda x, _: 1 - shifted(x, 3, 3), [INVERTED, MOVED]),
    "inverted, smaller": (lambda x, _: 1 - zoomed(x, 0.6, 0.6), [INVERTED, SMALLER]),
    "inverted, thicker": (lambda x, _: 1 - thick(x), [INVERTED, THICKER]),
    "inverted, transposed": (lambda x, _: 1 - x.transpose(0, 2, 1), [INVERTED, TRANSPOSED]),
    "inverted, raw, mirrored": (lambda x, _: 255 - 255 * x[:, :, ::-1], [INVERTED, MIRRORED]),
    "inverted, half blank": (lambda x, _: 1 - x * (COLUMNS >= 14), [INVERTED, "are blank on.*"]),
    "inverted, shuffled": (lambda x, r: 1 - reordered(x, r.permutation(784)), [INVERTED, ORDER]),
    "raw, shuffled": (lambda x, r: 255 * reordered(x, r.permutation(784)), [RAW, ORDER]),
    "smaller, moved": (lambda x, _: shifted(zoomed(x, 0.6, 0.6), 4, -3), [SMALLER, MOVED]),
    "smaller, noisy": (lambda x, r: noisy(zoomed(x, 0.6, 0.6), r, 0.15), [SMALLER, NOISY]),
    "turned, thicker": (lambda x, _: thick(rotated(x, -15)), [ANTICLOCKWISE, THICKER]),
    "thicker, moved": (lambda x, _: shifted(thick(x), -3, -3), [THICKER, MOVED]),
    "thicker, blurred": (lambda x, _: blurry(thick(x, 5), 1), [THICKER, BLURRED]),
    "thicker, upside down": (lambda x, _: thick(x)[UP], [THICKER, "were turned upside down"]),
    "rotated, gamma": (
        lambda x, _: rotated(x, 25) ** 0.5,
        ["were rotated clockwise.*", "were brightened by a gamma.*"],
    ),
    "rotated, noisy": (lambda x, r: noisy(rotated(x, 30), r, 0.15), ["were rotated.*", NOISY]),
    "blurred, noisy": (lambda x, r: noisy(blurry(x, 1.0), r, 0.15), [BLURRED, NOISY]),
    "transposed, two levels": (lambda x, _: (x.transpose(0, 2, 1) > 0.5) * 1.0, [TRANSPOSED, CUT]),
    "-1 to 1, noisy": (lambda x, r: noisy(x, r, 0.15) * 2 - 1, ["were scaled to -1 to 1", NOISY]),
    "raw, upside down": (lambda x, _: x[UP] * 255, [RAW, "were turned upside down"]),
    "larger, blurred": (lambda x, _: blurry(zoomed(x, 1.3, 1.3), 1), [LARGER, BLURRED]),
    "moved, slanted": (lambda x, _: shifted(slanted(x, 0.4), 0, 3), ["were slanted.*", MOVED]),
    "gamma, rotated": (
        lambda x, _: rotated(x**0.5, 20), [BRIGHTER, "were rotated clockwise.*"],
    ),
    "gamma, moved": (lambda x, _: shifted(x**0.5, 3, 0), [BRIGHTER, MOVED]),
    "all three": (lambda x, r: noisy(1 - zoomed(x, 0.6, 0.6), r, 0.1), [SMALLER, INVERTED, NOISY]),
    "thicker, two levels": (lambda x, _: (thick(x) > 0.5) * 1.0, [THICKER, CUT]),
}  # fmt: skip
KINDS = SINGLE | COMPOSED


def told_wrongly(said: Change | None, want: list[str]) -> bool:
    """Whether something else is told than all of what was done, or than that it is not known."""
    if said is None:
        return True
    if not said.known:
        return "I do not know" not in str(said) or not said.rest
    foreign = [step for step in said.steps if not any(re.fullmatch(w, step) for w in want)]
    left_out = [w for w in want if not any(re.fullmatch(w, step) for step in said.steps)]
    return bool(foreign or left_out or not want)


def tells_what_is_untrue(said: Change, want: list[str]) -> bool:
    """Whether a step is told that was not taken; of few images not all can be seen."""
    return said.known and not all(any(re.fullmatch(w, step) for w in want) for step in said.steps)
