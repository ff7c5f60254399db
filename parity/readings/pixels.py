"""Why two sides feed their networks other pixels from the same raw images."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.readings.cause import Cause
from parity.readings.grey import INVERTED, OWN, RANGE, SCALE, STANDARDISED, Grey, line, rules
from parity.readings.places import (
    ORDER,
    UPRIGHT,
    arrangements,
    order_words,
    reordered,
)
from parity.readings.readings import Names, left
from parity.readings.rounding import Floats, closes, noise, usable, worst

LOOKED_AT = 32
"""Images that choose a hypothesis; all images then confirm it."""
SAME = 1e-6
"""Relative difference of a factor from 1 that is none."""
FLOAT32 = "float32 rounding"
ADVICE = {
    SCALE: "divide by 255 once",
    INVERTED: "invert on both sides or neither",
    RANGE: "scale to the same range",
    STANDARDISED: "standardise by the same mean and deviation",
    OWN: "standardise each image by the same rule and epsilon",
    ORDER: "feed both in the same order (shuffle=False)",
    FLOAT32: "keep float64 on the way: divide after the conversion, not before",
    "uint8 wrap-around": "convert to float before the arithmetic",
    "pixels cut to integers": "convert to float after the division, not to an integer",
}
"""Name of a cause -> how to align the sides; of others, do the same on both."""


@dataclass(frozen=True)
class Path:
    """How a side's pixels come from the raw ones."""

    grey: Grey
    places: dict[str, str]
    rounded: bool

    @property
    def words(self) -> str:
        """The rule, and what is unusual of the places and the precision."""
        unusual = [words for kind, words in self.places.items() if words != UPRIGHT[kind]]
        return ", ".join([self.grey.words, *unusual, *(["in float32"] if self.rounded else [])])


def explain(raw: NDArray[np.uint8], a: NDArray[Any], b: NDArray[Any], names: Names) -> list[Cause]:
    """Name how either side's pixels come from the raw ones, and in what that differs.

    Args:
        raw: The images both were given, uint8 [B, H, W].
        a: What side A feeds its network, float [B, F].
        b: What side B feeds.
        names: Of A and B.

    Returns:
        At most one cause; empty where a side's pixels cannot be had from the raw ones.
    """
    fits = raw.ndim == 3 and a.shape == b.shape == (len(raw), raw[0].size) if len(raw) else False
    if not fits or not usable(raw, a, b) or worst(a, b) == 0:
        return []
    images = raw.astype(np.float64)
    paths = []
    for seen in (a, b):
        path = _path(images, seen)
        if path is None:
            return _between(raw.shape, a, b, names)
        paths.append(path)
    of_a, of_b = paths
    kinds = _kinds(of_a, of_b)
    gap = left(a, b, of_a.grey.values, of_b.grey.values)
    allowed = max(_allowed(side, path.rounded) for side, path in zip((a, b), paths, strict=True))
    # float32 values in a float64 array prove the rounding, though not in which order it came.
    confirmed = closes(worst(a, b), gap, allowed)
    if not kinds or not (confirmed or kinds == [FLOAT32]):
        return []
    advice = dict.fromkeys(ADVICE.get(kind, "do the same on both sides") for kind in kinds)
    text = (
        f"pixels: {names[0]} feeds {of_a.words}, {names[1]} {of_b.words}, of raw x from 0 to 255; "
        f"to align them, {' and '.join(advice)}"
    )
    return [Cause(" and ".join(kinds), gap, text)]


def _between(shape: tuple[int, ...], a: NDArray[Any], b: NDArray[Any], names: Names) -> list[Cause]:
    """What B's pixels are of A's, where those of a side cannot be had from the raw ones."""
    left_side, right_side = np.asarray(a, np.float64), np.asarray(b, np.float64)
    for places, arranged in arrangements(left_side.reshape(shape)):
        factor, offset = line(arranged, right_side)
        gap = worst(factor * arranged + offset, right_side)
        if factor == 0 or not closes(worst(a, b), gap, noise(a, b)):
            continue
        kinds = [kind for kind, words in places.items() if words != UPRIGHT[kind]]
        said = [places[kind] for kind in kinds]
        if abs(factor - 1) > SAME or abs(offset) > SAME * float(np.abs(b).max()):
            kinds.append(SCALE)
            said.append(f"{factor:.6g} times those {offset:+.6g}")
        if not kinds:
            continue
        text = (
            f"pixels: {names[1]}'s are {names[0]}'s, {' and '.join(said)}; how those "
            "follow from the raw ones is not known; to align them, do the same on both sides"
        )
        return [Cause(" and ".join(kinds), gap, text)]
    return []


def _kinds(of_a: Path, of_b: Path) -> list[str]:
    """Names of what differs between two paths."""
    kinds = []
    if of_a.grey.words != of_b.grey.words:
        odd = of_a.grey.kinds ^ of_b.grey.kinds or of_a.grey.kinds | of_b.grey.kinds
        kinds += sorted(odd)
    kinds += [kind for kind, words in of_a.places.items() if of_b.places[kind] != words]
    return kinds + ([FLOAT32] if of_a.rounded != of_b.rounded else [])


def _allowed(seen: NDArray[Any], rounded: bool) -> float:
    return noise(seen.astype(np.float32) if rounded else seen)


def _path(images: Floats, seen: NDArray[Any]) -> Path | None:
    """How a side's pixels come from the raw ones; None where that is not known."""
    path = _read(images, seen, rounded=False)
    coarse = seen.astype(np.float32)
    if path is not None or seen.dtype == np.float32 or not np.array_equal(coarse, seen):
        return path
    return _read(images, seen, rounded=True)


def _read(images: Floats, seen: NDArray[Any], *, rounded: bool) -> Path | None:
    allowed = _allowed(seen, rounded)
    values = np.asarray(seen, np.float64)
    with np.errstate(all="ignore"):
        for places, arranged in _arranged(images, values, allowed):
            near = [
                (error, grey)
                for grey in rules(arranged, values)
                if (error := worst(grey.values, values)) <= allowed
            ]
            if near:
                least = 4 * min(error for error, _ in near) + allowed / 16
                grey = next(grey for error, grey in near if error <= least)
                return Path(_rounded(grey) if rounded else grey, places, rounded)
    return None


def _rounded(grey: Grey) -> Grey:
    return Grey(grey.kinds, grey.words, grey.values.astype(np.float32).astype(np.float64))


def _arranged(
    images: Floats, seen: Floats, allowed: float
) -> Iterator[tuple[dict[str, str], Floats]]:
    """Arrangements of all images, of which the first few already lead to what was seen."""
    few = slice(0, LOOKED_AT)
    for places, arranged in arrangements(images):
        if any(
            worst(grey.values, seen[few]) <= allowed for grey in rules(arranged[few], seen[few])
        ):
            yield places, arranged
    order = reordered(images.astype(np.uint8).reshape(len(images), -1), seen)
    if order is not None:
        places = {**UPRIGHT, ORDER: order_words(order)}
        yield places, images.reshape(len(images), -1)[order]
