"""Why two sides feed their networks other pixels from the same raw images."""

from collections.abc import Iterator

import numpy as np

from parity.arrays import Array, Floats, Names
from parity.readings import features
from parity.readings.case import Case
from parity.readings.cause import Cause
from parity.readings.grey import INVERTED, OWN, RANGE, SCALE, STANDARDISED, rules
from parity.readings.places import ORDER, UPRIGHT, arrangements, order_words, reordered
from parity.readings.readings import Reading, parted, read
from parity.readings.rounding import ROUNDING, epsilon, magnitude, noise, usable, worst
from parity.readings.rows import line

IMAGES, PIXELS = "images", "pixels"
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


def explain(case: Case) -> list[Cause]:
    """Name how either side's pixels come from the raw ones, and in what that differs.

    Args:
        case: `given` has the raw ``images``, uint8 [B, H, W], or others [B, ...]; `a` and `b` the
            ``pixels`` that the networks are fed, float [B, ...].

    Returns:
        At most one cause; empty where a side's pixels cannot be had from the raw ones.
    """
    raw, a, b = case.given[IMAGES], case.a[PIXELS], case.b[PIXELS]
    if raw.dtype.kind not in "biuf" or not usable(raw, a, b):
        return []
    if raw.ndim != 3 or a.size != raw.size or b.size != raw.size or raw.dtype != np.uint8:
        return features.explain(case, raw, a, b)
    sides = a.reshape(len(raw), -1), b.reshape(len(raw), -1)
    if worst(*sides) == 0:
        return []
    of_a, of_b = (_path(raw.astype(np.float64), seen) for seen in sides)
    if of_a is None or of_b is None:
        return _between(raw.shape, sides, case.names)
    allowed = max(noise(side) for side in (a, b))
    words = "pixels, of raw x from 0 to 255"
    return parted(words, sides, (of_a, of_b), ADVICE, allowed, case.names)


def _between(shape: tuple[int, ...], sides: tuple[Array, Array], names: Names) -> list[Cause]:
    """What B's pixels are of A's, where those of a side cannot be had from the raw ones."""
    a, b = (np.asarray(side, np.float64) for side in sides)
    as_it_is = Reading({}, a, "feeds pixels whose way from the raw ones is not known")
    for places, arranged in arrangements(a.reshape(shape)):
        factor, offset = line(arranged, b)
        traits = {kind: words for kind, words in places.items() if words != UPRIGHT[kind]}
        if abs(factor - 1) > SAME or abs(offset) > SAME * float(np.abs(b).max()):
            traits[SCALE] = f"{factor:.6g} times those {offset:+.6g}"
        of_b = Reading(traits, factor * arranged + offset, f"the same {', '.join(traits.values())}")
        causes = parted("pixels", sides, (as_it_is, of_b), ADVICE, noise(*sides), names)
        if causes and factor != 0:
            return causes
    return []


def _path(images: Floats, seen: Array) -> Reading | None:
    """How a side's pixels come from the raw ones; None where that is not known."""
    path = _read(images, seen, epsilon(seen))
    # Numbers that are all float32 prove the rounding, though not in which order it came.
    single = seen.astype(np.float32)
    if path is not None or seen.dtype == np.float32 or not np.array_equal(single, seen):
        return path
    path = _read(images, seen, epsilon(single))
    if path is None:
        return None
    return Reading({**path.traits, FLOAT32: "in float32"}, seen, f"{path.words}, in float32")


def _read(images: Floats, seen: Array, precision: float) -> Reading | None:
    """The same of pixels that are rounded to a precision."""
    values = np.asarray(seen, np.float64)
    allowed = ROUNDING * precision * magnitude(seen)
    with np.errstate(all="ignore"):
        for places, arranged in _arranged(images, values, allowed):
            grey = read(seen, rules(arranged, values), allowed, precision)
            if grey is None:
                continue
            unusual = {kind: words for kind, words in places.items() if words != UPRIGHT[kind]}
            words = ", ".join([f"feeds {grey.words}", *unusual.values()])
            return Reading(grey.traits | unusual, grey.values, words)
    return None


def _arranged(
    images: Floats, seen: Floats, allowed: float
) -> Iterator[tuple[dict[str, str], Floats]]:
    """Arrangements of all images, of which the first few already lead to what was seen."""
    few = slice(0, LOOKED_AT)
    for places, arranged in arrangements(images):
        if read(seen[few], rules(arranged[few], seen[few]), allowed) is not None:
            yield places, arranged
    order = reordered(images.astype(np.uint8).reshape(len(images), -1), seen)
    if order is not None:
        places = {**UPRIGHT, ORDER: order_words(order)}
        yield places, images.reshape(len(images), -1)[order]
