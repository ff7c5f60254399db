"""What people do to images of digits, and how each must be told, if it is told at all.

Written with SciPy, so that nothing is recognised by the very code that does it.
"""

import re
from collections.abc import Callable

import numpy as np
from scipy import ndimage

from parity.watch.pixels.change import Change

Images = np.ndarray
Do = Callable[[Images, np.random.Generator], Images]
"""Of images float64 [N, 28, 28] from 0 to 1."""
Kind = tuple[Do, list[str]]
"""What is done, and for each thing to be told the words that may tell it, as an expression."""
UP = np.s_[:, ::-1]
ROWS, COLUMNS = np.indices((28, 28))

INVERTED = "were inverted.*"
LEVELS = r"were (scaled|moved|standardised|multiplied|not scaled|brighter).*"
RAISED = r"were (scaled|moved|standardised).*|were overexposed.*"
MOVED = r"were moved by [-+]\d.*"
LARGER, SMALLER = r"show larger digits: .*", r"show smaller digits: .*"
THICKER, THINNER = "show thicker strokes", "show thinner strokes"
BLURRED, NOISY, SPECKLED = "were blurred|are coarse.*", "were made noisy", "were speckled"
CUT = "were cut to (two|a few grey) levels|were cut to integers.*"
DARKER, BRIGHTER = "were darkened.*|were underexposed.*", "were brightened.*|were overexposed.*"
ORDER = "are in another order.*"
WRAPPED = "wrapped around in uint8.*"


def _warped(x: Images, matrix: list[list[float]]) -> Images:
    """Around the middle; rows and columns are taken from ``matrix @ (row, column)``."""
    m = np.array(matrix)
    offset = 13.5 - m @ [13.5, 13.5]
    return np.stack([ndimage.affine_transform(i, m, offset, order=1) for i in x])


def zoomed(x: Images, high: float, wide: float) -> Images:
    if min(high, wide) < 1:
        x = ndimage.gaussian_filter(x, (0, 0.3 / high, 0.3 / wide))
    return _warped(x, [[1 / high, 0], [0, 1 / wide]])


def rotated(x: Images, degrees: float) -> Images:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return _warped(x, [[c, -s], [s, c]])


def slanted(x: Images, share: float) -> Images:
    return _warped(x, [[1, 0], [share, 1]])


def shifted(x: Images, down: float, right: float) -> Images:
    return ndimage.shift(x, (0, down, right), order=1)


def blurry(x: Images, deviation: float) -> Images:
    return ndimage.gaussian_filter(x, (0, deviation, deviation))


def thick(x: Images, size: int = 3) -> Images:
    return ndimage.grey_dilation(x, (1, size, size))


def thin(x: Images) -> Images:
    cross = np.array([[[0, 1, 0], [1, 1, 1], [0, 1, 0]]], bool)
    return ndimage.grey_erosion(x, footprint=cross)


def noisy(x: Images, rng: np.random.Generator, deviation: float) -> Images:
    return (x + rng.normal(0, deviation, x.shape)).clip(0, 1)


def speckled(x: Images, rng: np.random.Generator, share: float) -> Images:
    chance = rng.random(x.shape)
    return np.where(chance < share, rng.random(x.shape) < 0.5, x)


def one_by_one(x: Images) -> Images:
    x = x - x.mean(axis=(1, 2), keepdims=True)
    return np.asarray(x / x.std(axis=(1, 2), keepdims=True).clip(1e-9))


def in_uint8(x: Images, of: Callable[[Images], Images]) -> Images:
    return of((x * 255).round().astype(np.uint8)).astype(np.uint8) / 255


def sobel(x: Images) -> Images:
    edges = [np.hypot(ndimage.sobel(i, 0), ndimage.sobel(i, 1)) for i in x]
    return (np.array(edges) / 4).clip(0, 1)


def sharpened(x: Images) -> Images:
    return (x + 1.5 * (x - blurry(x, 1.0))).clip(0, 1)


def reordered(x: Images, order: Images) -> Images:
    return x.reshape(len(x), -1)[:, order].reshape(x.shape)


def shuffled_each(x: Images, rng: np.random.Generator) -> Images:
    return rng.permuted(x.reshape(len(x), -1), axis=1).reshape(x.shape)


def strided(x: Images, stride: int) -> Images:
    """Rows of 28 read as if they were `stride` long."""
    flat = np.pad(x.reshape(len(x), -1), ((0, 0), (0, 28 * stride)))
    return flat[:, (ROWS * stride + COLUMNS).ravel()].reshape(x.shape)


def framed(x: Images, width: int, level: float) -> Images:
    x = x.copy()
    x[:, :width] = x[:, -width:] = x[:, :, :width] = x[:, :, -width:] = level
    return x


def halved(x: Images) -> Images:
    return x.reshape(len(x), 14, 2, 14, 2).mean(axis=(2, 4))


def patched(x: Images, rng: np.random.Generator) -> Images:
    """A square of 10 pixels is blank, elsewhere in each."""
    x = x.copy()
    for image in x:
        row, column = rng.integers(4, 14, 2)
        image[row : row + 10, column : column + 10] = 0
    return x


def each_elsewhere(x: Images, rng: np.random.Generator) -> Images:
    return np.stack([ndimage.shift(i, rng.uniform(-5, 5, 2), order=1) for i in x])


def each_turned(x: Images, rng: np.random.Generator) -> Images:
    return np.concatenate([rotated(i[None], rng.uniform(-40, 40)) for i in x])


SINGLE: dict[str, Kind] = {
    # grey levels
    "inverted": (lambda x, _: 1 - x, ["were inverted: .*"]),
    "raw": (lambda x, _: x * 255, ["were not scaled"]),
    "scaled twice": (lambda x, _: x / 255, ["were scaled twice"]),
    "times 255": (lambda x, _: x * 255**2, ["were multiplied by 255 .*"]),
    "-1 to 1": (lambda x, _: 2 * x - 1, ["were scaled to -1 to 1"]),
    "-.5 to .5": (lambda x, _: x - 0.5, [LEVELS]),
    "standardised": (lambda x, _: (x - 0.1307) / 0.3081, ["were standardised.*"]),
    "standardised one by one": (lambda x, _: one_by_one(x), ["were standardised.*"]),
    "half contrast": (lambda x, _: x / 2 + 0.25, ["were scaled by 0.5.*moved by .0.25"]),
    "uint16": (lambda x, _: x * 65535, [".*16 bits.*|.*bytes swapped.*"]),
    "bytes swapped": (lambda x, _: (x * 255).round() * 256, [".*16 bits.*|.*bytes swapped.*"]),
    "1 - x in uint8": (lambda x, _: in_uint8(x, lambda u: 1 - u), [WRAPPED]),
    "twice x in uint8": (lambda x, _: in_uint8(x, lambda u: u * 2), [WRAPPED]),
    "thrice x in uint8": (lambda x, _: in_uint8(x, lambda u: u * 3), [WRAPPED]),
    "x + 100 in uint8": (lambda x, _: in_uint8(x, lambda u: u + 100), [WRAPPED]),
    "int8": (lambda x, _: (x * 255).round().astype(np.uint8).astype(np.int8) / 255, ["wrapped around in int8.*"]),
    "integers": (lambda x, _: np.floor(x), [CUT]),
    "two levels": (lambda x, _: (x > 0.5) * 1.0, [CUT]),
    "four levels": (lambda x, _: (x * 3).round() / 3, [CUT]),
    "gamma 0.5": (lambda x, _: x**0.5, [BRIGHTER]),
    "gamma 2": (lambda x, _: x**2, [DARKER]),
    "brighter, clipped": (lambda x, _: (x + 0.3).clip(0, 1), [RAISED]),
    "contrast, clipped": (lambda x, _: (x * 2).clip(0, 1), [BRIGHTER]),
    "the dark clipped": (lambda x, _: (1.7 * (x - 0.4)).clip(0, 1), [DARKER]),
    "the top clipped": (lambda x, _: x.clip(0, 0.5), [RAISED]),
    # textures
    "noise": (lambda x, r: noisy(x, r, 0.2), [NOISY]),
    "noise beyond": (lambda x, r: x + r.normal(0, 0.1, x.shape), [NOISY]),
    "salt and pepper": (lambda x, r: speckled(x, r, 0.08), [SPECKLED]),
    "blur": (lambda x, _: blurry(x, 1.0), [BLURRED]),
    "box blur": (lambda x, _: ndimage.uniform_filter(x, (0, 3, 3)), [BLURRED]),
    "median": (lambda x, _: ndimage.median_filter(x, (1, 5, 5)), ["were smoothed by a median", THINNER, BLURRED][:0]),
    "sharpened": (lambda x, _: sharpened(x), ["were sharpened"]),
    "sobel": (lambda x, _: sobel(x), ["show only the edges.*"]),
    "laplace": (lambda x, _: np.abs(ndimage.laplace(x, axes=(1, 2))).clip(0, 1), ["show only the edges.*"]),
    "coarse": (lambda x, _: halved(x).repeat(2, 1).repeat(2, 2), [BLURRED]),
    "thicker": (lambda x, _: thick(x), [THICKER]),
    "thinner": (lambda x, _: thin(x), [THINNER]),
    # places
    "moved": (lambda x, _: shifted(x, 3, -2), [MOVED]),
    "moved far": (lambda x, _: shifted(x, -5, 4), [MOVED]),
    "rotated": (lambda x, _: rotated(x, 25), ["were rotated clockwise|were rotated anticlockwise"]),
    "rotated back": (lambda x, _: rotated(x, -45), ["were rotated anticlockwise|were rotated clockwise"]),
    "upside down": (lambda x, _: x[UP], ["were turned upside down"]),
    "mirrored": (lambda x, _: x[:, :, ::-1], ["were mirrored.*"]),
    "transposed": (lambda x, _: x.transpose(0, 2, 1), ["were transposed"]),
    "quarter": (lambda x, _: np.rot90(x, 1, (1, 2)), ["were turned by 90 degrees anticlockwise"]),
    "half turn": (lambda x, _: np.rot90(x, 2, (1, 2)), ["were turned by 180 degrees"]),
    "larger": (lambda x, _: zoomed(x, 1.35, 1.35), [LARGER]),
    "smaller": (lambda x, _: zoomed(x, 0.6, 0.6), [SMALLER]),
    "stretched": (lambda x, _: zoomed(x, 1.0, 0.65), ["show digits .*"]),
    "slanted": (lambda x, _: slanted(x, 0.4), ["were slanted.*"]),
    "cropped": (lambda x, _: zoomed(x[:, 4:24, 4:24], 1, 1) if False else x[:, 4:24, 4:24], [LARGER]),
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
    "patches": (patched, []),
    "every other row": (lambda x, _: x * (ROWS % 2), []),
    "lines": (lambda x, _: np.maximum(x, (ROWS % 7 == 3) * 0.8), []),
    # order
    "one permutation": (lambda x, r: reordered(x, r.permutation(784)), [ORDER]),
    "a permutation each": (shuffled_each, [ORDER]),
    "rows shuffled": (lambda x, r: x[:, r.permutation(28)], [ORDER]),
    "columns shuffled": (lambda x, r: x[:, :, r.permutation(28)], [ORDER]),
    "a header in front": (lambda x, _: np.roll(x.ravel(), 16).reshape(x.shape), [ORDER]),
    "halves swapped": (lambda x, _: np.roll(x, 14, 2), [ORDER]),
    "quadrants swapped": (lambda x, _: np.roll(x, (14, 14), (1, 2)), [ORDER]),
    "wrong stride": (lambda x, _: strided(x, 27), [ORDER, "were slanted.*"][:0]),
    "longer stride": (lambda x, _: strided(x, 32), []),
    "wrong reshape": (lambda x, _: x.transpose(1, 2, 0).reshape(x.shape), [ORDER]),
    # several in one
    "averaged": (lambda x, r: (x + x[r.permutation(len(x))]) / 2, ["show two.*"]),
    "two in one": (lambda x, r: np.maximum(x, x[r.permutation(len(x))]), ["show two.*"]),
    "tiled": (lambda x, _: np.tile(halved(x), (1, 2, 2)), []),
    "half are inverted": (lambda x, r: np.where(r.random((len(x), 1, 1)) < 0.5, x, 1 - x), []),
    "each elsewhere": (each_elsewhere, []),
    "each turned": (each_turned, []),
    "all the same": (lambda x, _: np.repeat(x[:1], len(x), 0), ["are the same.*"]),
    "shade": (lambda x, _: x * 0.6 + 0.4 * COLUMNS / 27, []),
    "nothing but noise": (lambda x, r: r.random(x.shape), []),
}  # fmt: skip
COMPOSED: dict[str, Kind] = {
    "inverted, two levels": (lambda x, _: 1.0 - (x > 0.5), [INVERTED, CUT]),
    "inverted, blurred": (lambda x, _: 1 - blurry(x, 1.2), [INVERTED, BLURRED]),
    "inverted, noisy": (lambda x, r: noisy(1 - x, r, 0.15), [INVERTED, NOISY]),
    "inverted, moved": (lambda x, _: 1 - shifted(x, 3, 3), [INVERTED, MOVED]),
    "inverted, smaller": (lambda x, _: 1 - zoomed(x, 0.6, 0.6), [INVERTED, SMALLER]),
    "inverted, thicker": (lambda x, _: 1 - thick(x), [INVERTED, THICKER]),
    "inverted, transposed": (lambda x, _: 1 - x.transpose(0, 2, 1), [INVERTED, "were transposed"]),
    "inverted, raw, mirrored": (lambda x, _: 255 - 255 * x[:, :, ::-1], [INVERTED, "were mirrored.*"]),
    "inverted, left half blank": (lambda x, _: 1 - x * (COLUMNS >= 14), [INVERTED, "are blank on.*"]),
    "inverted, shuffled": (lambda x, r: 1 - reordered(x, r.permutation(784)), [INVERTED, ORDER]),
    "raw, shuffled": (lambda x, r: 255 * reordered(x, r.permutation(784)), ["were not scaled", ORDER]),
    "smaller, moved": (lambda x, _: shifted(zoomed(x, 0.6, 0.6), 4, -3), [SMALLER, MOVED]),
    "smaller, noisy": (lambda x, r: noisy(zoomed(x, 0.6, 0.6), r, 0.15), [SMALLER, NOISY]),
    "thicker, moved": (lambda x, _: shifted(thick(x), -3, -3), [THICKER, MOVED]),
    "thicker, blurred": (lambda x, _: blurry(thick(x, 5), 1), [THICKER, BLURRED]),
    "thicker, upside down": (lambda x, _: thick(x)[UP], [THICKER, "were turned upside down"]),
    "rotated, noisy": (lambda x, r: noisy(rotated(x, 30), r, 0.15), ["were rotated.*", NOISY]),
    "blurred, noisy": (lambda x, r: noisy(blurry(x, 1.0), r, 0.15), [BLURRED, NOISY]),
    "transposed, two levels": (lambda x, _: (x.transpose(0, 2, 1) > 0.5) * 1.0, ["were transposed", CUT]),
    "-1 to 1, noisy": (lambda x, r: noisy(x, r, 0.15) * 2 - 1, ["were scaled to -1 to 1", NOISY]),
    "raw, upside down": (lambda x, _: x[UP] * 255, ["were not scaled", "were turned upside down"]),
    "larger, blurred": (lambda x, _: blurry(zoomed(x, 1.3, 1.3), 1), [LARGER, BLURRED]),
    "moved, slanted": (lambda x, _: shifted(slanted(x, 0.4), 0, 3), ["were slanted.*", MOVED]),
    "gamma, moved": (lambda x, _: shifted(x**0.5, 3, 0), [BRIGHTER, MOVED]),
    "smaller, inverted, noisy": (lambda x, r: noisy(1 - zoomed(x, 0.6, 0.6), r, 0.1), [SMALLER, INVERTED, NOISY]),
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
