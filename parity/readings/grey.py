"""What a side does to grey levels: one rule for all, for each image or for each pixel (NumPy)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from parity.readings.rounding import Floats, worst

SCALE = "pixel scale"
INVERTED = "inverted pixels"
RANGE = "pixel range"
STANDARDISED = "standardisation"
OWN = "standardisation of each image"
FEWEST = 8
"""Images of which a rule for each pixel can be read: a line goes through any two."""


@dataclass(frozen=True)
class Grey:
    """A rule from raw pixels to what a network is fed.

    Attributes:
        kinds: Names of what is unusual about it; none for ``x / 255``.
        words: The rule, of x from 0 to 255.
        values: What it gives, float64 [B, P].
    """

    kinds: frozenset[str]
    words: str
    values: Floats


_LINES: tuple[tuple[float, float, str, tuple[str, ...]], ...] = (
    (1 / 255, 0, "x / 255", ()),
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


def rules(x: Floats, seen: Floats) -> Iterator[Grey]:
    """What may have been done to raw pixels, the usual first; figures are solved from `seen`.

    Args:
        x: Raw pixels 0 to 255, float64 [B, P].
        seen: What the network was fed, [B, P].
    """
    for factor, offset, words, kinds in _LINES:
        yield Grey(frozenset(kinds), words, factor * x + offset)
    yield from _line(x, seen)
    yield from _integers(x)
    yield from _cut(x, seen)
    yield from _power(x, seen)
    yield from _each_image(x, seen)
    yield from _each_pixel(x, seen)


def _fit(x: Floats, seen: Floats, axis: int | None) -> tuple[Floats, Floats]:
    """Factors and offsets of the lines from `x` to `seen`; factor 0 where `x` does not vary."""
    mean, middle = x.mean(axis=axis, keepdims=True), seen.mean(axis=axis, keepdims=True)
    power = ((x - mean) ** 2).sum(axis=axis, keepdims=True)
    product = ((x - mean) * seen).sum(axis=axis, keepdims=True)
    factor: Floats = np.where(power > 0, product / np.where(power > 0, power, 1), 0)
    return factor, middle - factor * mean


def line(x: Floats, seen: Floats) -> tuple[float, float]:
    """Factor and offset of the one line from `x` to `seen`."""
    factor, offset = _fit(x, seen, None)
    return float(factor.item()), float(offset.item())


def _line(x: Floats, seen: Floats) -> Iterator[Grey]:
    """One line for all pixels."""
    factor, offset = line(x, seen)
    if factor == 0:
        return
    values = factor * x + offset
    kinds = {INVERTED} if factor < 0 else set()
    if abs(offset) <= 1e-9 * float(np.abs(seen).max()):
        yield Grey(frozenset(kinds | {SCALE}), f"{factor:.6g} * x", values)
        return
    deviation, mean = 1 / (255 * factor), -offset / (255 * factor)
    words = f"(x / 255 - {mean:.6g}) / {deviation:.6g}"
    yield Grey(frozenset(kinds | {STANDARDISED}), words.replace("- -", "+ "), values)


def _integers(x: Floats) -> Iterator[Grey]:
    """Arithmetic in uint8."""
    wrapped = (1 - x) % 256
    kind = frozenset({"uint8 wrap-around"})
    yield Grey(kind, "1 - x in uint8 (paper is one level up), then / 255", wrapped / 255)
    yield Grey(kind, "1 - x in uint8 (paper is one level up)", wrapped)
    cut = np.floor(x / 255)
    kind = frozenset({"pixels cut to integers"})
    yield Grey(kind, "x / 255 cut to integers", cut)
    yield Grey(kind | {INVERTED}, "1 - x / 255, x / 255 cut to integers", 1 - cut)


def _cut(x: Floats, seen: Floats) -> Iterator[Grey]:
    """Two values, parted at a level."""
    values = np.unique(seen)
    if len(values) != 2:
        return
    high = seen == values[1]
    inverted = float(x[high].mean()) < float(x[~high].mean())
    level = float(x[~high if inverted else high].min())
    over = x >= level
    kinds = {"pixels cut to two values"} | ({INVERTED} if inverted else set())
    low, top = values[::-1] if inverted else values
    words = f"{top:.6g} from level {level:g} on and {low:.6g} below"
    yield Grey(frozenset(kinds), words, np.where(over, top, low))


def _power(x: Floats, seen: Floats) -> Iterator[Grey]:
    """``(x / 255) ** gamma``."""
    inside = (x > 0) & (x < 255) & (seen > 0)
    if not inside.any():
        return
    logs = np.log(x[inside] / 255)
    gamma = float((logs * np.log(seen[inside])).sum() / (logs**2).sum())
    if gamma > 0:
        yield Grey(frozenset({"gamma"}), f"(x / 255) ** {gamma:.6g}", (x / 255) ** gamma)


def _each_image(x: Floats, seen: Floats) -> Iterator[Grey]:
    """A line for each image: by its mean and deviation, its range, its norm, or unknown figures."""
    factor, offset = _fit(x, seen, 1)
    fitted = factor * x + offset
    size = float(np.abs(seen).max())
    if not worst(fitted, seen) <= 1e-4 * size:
        return
    centred = x - x.mean(axis=1, keepdims=True)
    kind = frozenset({OWN})
    varied = centred.any(axis=1)
    widths = {"deviation": 0, "sample deviation": 1}
    for name, ddof in widths.items():
        deviation = centred.std(axis=1, keepdims=True, ddof=ddof)
        blank = np.where(deviation > 0, deviation, 1)
        yield Grey(kind, f"(x - mean) / {name} of each image", centred / blank)
        with np.errstate(divide="ignore", invalid="ignore"):
            wider = (1 / factor)[varied]
            added = float(np.median(wider - deviation[varied]))
            inside = float(np.median(wider**2 - deviation[varied] ** 2))
        for words, divisor in (
            (f"({name} + {added / 255:.4g})", deviation + added),
            (f"sqrt({name}² + {inside / 255**2:.4g})", np.sqrt(deviation**2 + inside)),
        ):
            yield Grey(kind, f"(x / 255 - mean) / {words} of each image", centred / divisor)
    low, high = x.min(axis=1, keepdims=True), x.max(axis=1, keepdims=True)
    yield Grey(kind, "x / max of each image", x / np.maximum(high, 1))
    yield Grey(kind, "(x - min) / (max - min) of each image", (x - low) / np.maximum(high - low, 1))
    norm = np.sqrt((x**2).sum(axis=1, keepdims=True))
    yield Grey(kind, "x / norm of each image", x / np.maximum(norm, 1))
    least, most = float(factor.min() * 255), float(factor.max() * 255)
    yield Grey(kind, f"each image times a figure of its own, {least:.4g} to {most:.4g}", fitted)


def _each_pixel(x: Floats, seen: Floats) -> Iterator[Grey]:
    """A line for each pixel, as of a standardisation by column."""
    if len(x) < FEWEST:
        return
    factor, offset = _fit(x, seen, 0)
    words = "each pixel moved and scaled by figures of its own"
    yield Grey(frozenset({"standardisation of each pixel"}), words, factor * x + offset)
