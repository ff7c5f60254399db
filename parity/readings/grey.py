"""What a side does to grey levels: one rule for all, for each image or for each pixel (NumPy)."""

from collections.abc import Iterator

import numpy as np

from parity.arrays import Floats
from parity.readings.readings import Reading
from parity.readings.rounding import worst
from parity.readings.rows import fit, line, normalised

SCALE = "pixel scale"
INVERTED = "inverted pixels"
RANGE = "pixel range"
STANDARDISED = "standardisation"
OWN = "standardisation of each image"
FEWEST = 8
"""Images of which a rule for each pixel can be read: a line goes through any two."""
USUAL = "x / 255"

_LINES: tuple[tuple[float, float, str, tuple[str, ...]], ...] = (
    (1 / 255, 0, USUAL, ()),
    (-1 / 255, 1, "1 - x / 255 (ink and paper have changed places)", (INVERTED,)),
    (1, 0, "x (not scaled)", (SCALE,)),
    (-1, 255, "255 - x (inverted and not scaled)", (INVERTED, SCALE)),
    (1 / 255**2, 0, "x / 255 / 255 (scaled twice)", (SCALE,)),
    (-1 / 255**2, 1, "1 - x / 255 / 255 (inverted and scaled twice)", (INVERTED, SCALE)),
    (-1 / 255**2, 1 / 255, "(1 - x / 255) / 255 (inverted and scaled twice)", (INVERTED, SCALE)),
    (255, 0, "x * 255 (multiplied by 255 instead of divided)", (SCALE,)),
    (-255, 1, "1 - x * 255 (inverted and multiplied by 255)", (INVERTED, SCALE)),
    (1 / 127.5, -1, "x / 127.5 - 1 (scaled to -1 to 1)", (RANGE,)),
    (-1 / 127.5, 1, "1 - x / 127.5 (inverted and scaled to -1 to 1)", (INVERTED, RANGE)),
    (1 / 128, -1, "x / 128 - 1 (scaled to -1 to 1)", (RANGE,)),
    (1 / 256, 0, "x / 256", (SCALE,)),
    (1 / 255, -0.5, "x / 255 - 0.5 (moved to -0.5 to 0.5)", (RANGE,)),
)
"""Factor, offset, words and kinds."""


def rules(x: Floats, seen: Floats) -> Iterator[Reading]:
    """What may have been done to raw pixels, the usual first; figures are solved from `seen`.

    The traits of a reading name what is unusual about it; ``x / 255`` has none.

    Args:
        x: Raw pixels 0 to 255, float64 [B, P].
        seen: What the network was fed, [B, P].
    """
    yield from lines(x)
    yield from _line(x, seen)
    yield from _integers(x)
    yield from _cut(x, seen)
    yield from _power(x, seen)
    yield from _each_image(x, seen)
    yield from _each_pixel(x, seen)


def lines(x: Floats) -> Iterator[Reading]:
    """Those lines from raw pixels that have a meaning."""
    for factor, offset, words, kinds in _LINES:
        yield _rule(words, factor * x + offset, *kinds)
    for factor, offset, words, kinds in _LINES:  # as Keras' Rescaling does in float64, too
        said = f"{words}, its constant rounded to float32"
        yield _rule(said, float(np.float32(factor)) * x + offset, *(kinds or (SCALE,)))


def _rule(words: str, values: Floats, *kinds: str) -> Reading:
    """Of the unusual things `kinds`."""
    return Reading(dict.fromkeys(kinds, words), values, words)


def _line(x: Floats, seen: Floats) -> Iterator[Reading]:
    """One line for all pixels."""
    factor, offset = line(x, seen)
    if factor == 0:
        return
    values = factor * x + offset
    kinds = [INVERTED] if factor < 0 else []
    if abs(offset) <= 1e-9 * float(np.abs(seen).max()):
        yield _rule(f"{factor:.6g} * x", values, *kinds, SCALE)
        return
    deviation, mean = 1 / (255 * factor), -offset / (255 * factor)
    words = f"(x / 255 - {mean:.6g}) / {deviation:.6g}"
    yield _rule(words.replace("- -", "+ "), values, *kinds, STANDARDISED)


def _integers(x: Floats) -> Iterator[Reading]:
    """Arithmetic in uint8."""
    wrapped = (1 - x) % 256
    wraps = "1 - x in uint8 (paper is one level up)"
    yield _rule(f"{wraps}, then / 255", wrapped / 255, "uint8 wrap-around")
    yield _rule(wraps, wrapped, "uint8 wrap-around")
    cut, kind = np.floor(x / 255), "pixels cut to integers"
    yield _rule("x / 255 cut to integers", cut, kind)
    yield _rule("1 - x / 255, x / 255 cut to integers", 1 - cut, INVERTED, kind)


def _cut(x: Floats, seen: Floats) -> Iterator[Reading]:
    """Two values, parted at a level."""
    values = np.unique(seen)
    if len(values) != 2:
        return
    high = seen == values[1]
    inverted = float(x[high].mean()) < float(x[~high].mean())
    level = float(x[~high if inverted else high].min())
    low, top = values[::-1] if inverted else values
    words = f"{top:.6g} from level {level:g} on and {low:.6g} below"
    kinds = [INVERTED] if inverted else []
    yield _rule(words, np.where(x >= level, top, low), *kinds, "pixels cut to two values")


def _power(x: Floats, seen: Floats) -> Iterator[Reading]:
    """``(x / 255) ** gamma``."""
    inside = (x > 0) & (x < 255) & (seen > 0)
    if not inside.any():
        return
    logs = np.log(x[inside] / 255)
    gamma = float((logs * np.log(seen[inside])).sum() / (logs**2).sum())
    if gamma > 0:
        yield _rule(f"(x / 255) ** {gamma:.6g}", (x / 255) ** gamma, "gamma")


def _each_image(x: Floats, seen: Floats) -> Iterator[Reading]:
    """A line for each image: by its mean and deviation, its range, its norm, or unknown figures."""
    factor, offset = fit(x, seen, 1)
    fitted = factor * x + offset
    if not worst(fitted, seen) <= 1e-4 * float(np.abs(seen).max()):
        return
    for words, values in normalised(x, seen, 255):
        yield _rule(f"{words} of each image", values, OWN)
    least, most = float(factor.min() * 255), float(factor.max() * 255)
    words = f"each image times a figure of its own, {least:.4g} to {most:.4g}"
    yield _rule(words, fitted, OWN)


def _each_pixel(x: Floats, seen: Floats) -> Iterator[Reading]:
    """A line for each pixel, as of a standardisation by column."""
    if len(x) < FEWEST:
        return
    factor, offset = fit(x, seen, 0)
    words = "each pixel moved and scaled by figures of its own"
    yield _rule(words, factor * x + offset, "standardisation of each pixel")
