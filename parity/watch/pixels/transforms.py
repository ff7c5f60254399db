"""What people do to images of digits, knowingly or not, as functions of images (NumPy only)."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from parity.watch.pixels.bent import BENT, perspectives
from parity.watch.pixels.cover import covers
from parity.watch.pixels.equalized import equalized
from parity.watch.pixels.exposure import exposures, matching, paleness
from parity.watch.pixels.layout import LAYOUTS
from parity.watch.pixels.light import LIGHT, WRAPPED, wrapped
from parity.watch.pixels.likeness import FEW
from parity.watch.pixels.look import Look
from parity.watch.pixels.lossy import LOSSY
from parity.watch.pixels.order import rolled
from parity.watch.pixels.skeleton import skeletons
from parity.watch.pixels.textures import PENS, TEXTURES, noises
from parity.watch.pixels.tilt import tilts
from parity.watch.pixels.turns import Step
from parity.watch.pixels.warp import Sizing, blurred, moved, resized

PART = 0.25
"""Of a pixel by which images are moved, at least, where it is no whole number of pixels."""

GRAIN = 0.003
"""By which paper or ink is grainier, at least, where there is noise."""


def steps(now: Look, seen: Look) -> Iterator[Step]:
    """Everything that may lead from images as they look now to those that are seen.

    How far a shift or a change of size goes is measured by the difference between the two.
    """
    yield from PENS
    yield from skeletons(now, seen)
    yield from LIGHT
    yield from exposures(now, seen)
    yield from equalized(inverted=seen.depth < 0)
    yield from TEXTURES
    if any(seen.mean(name) > now.mean(name) + GRAIN for name in ("noise", "pits", "beyond")):
        yield from noises(now, seen)
    yield from LOSSY
    yield from LAYOUTS
    yield from _blurs(now, seen)
    if len(seen.ink) >= FEW:
        yield from tilts(now, seen)
        yield from BENT
        yield from perspectives(now, seen)
    yield from covers(now, seen)
    yield from rolled(now, seen)
    added = round((seen.paper - now.paper) / now.depth * 255)
    if 5 < abs(added) < 250:
        yield Step("light", f"{WRAPPED} uint8: {added} added", wrapped(lambda x: x + added))
    down, right = (seen.mean(name) - now.mean(name) for name in ("down", "right"))
    yield from _moves(down, right)
    before, after = _extent(now), _extent(seen)
    if min(*before, *after) > 0:
        high, wide = after[0] / before[0], after[1] / before[1]
        yield from _sizes(high, wide)


def _moves(down: float, right: float) -> Iterator[Step]:
    """By whole pixels, as most moves are, and by what is measured."""
    words = f"were moved by {right:+.1f} pixels to the right and {down:+.1f} down"
    whole = (float(round(down)), float(round(right)))
    exact = (down, right) if max(abs(down - whole[0]), abs(right - whole[1])) > PART else whole
    for way in sorted({whole, exact} - {(0.0, 0.0)}):
        yield Step("place", words, partial(moved, down=way[0], right=way[1]), measured=True)


def _blurs(now: Look, seen: Look) -> Iterator[Step]:
    """As much as makes the ink as pale as it is seen."""
    some = now.ink[:: max(1, len(now.ink) // 16)]
    by = matching(blurred, some, paleness(seen.ink), 0.2, 5)
    if 0.25 < by < 4:
        yield Step("blur", "were blurred", partial(blurred, deviation=by), measured=True)


def _extent(look: Look) -> tuple[float, float]:
    """Deviation of the ink from its middle, in pixels down and across."""
    square, ratio = look.mean("radius") ** 2, float(np.exp(2 * look.mean("aspect")))
    return (square * ratio / (1 + ratio)) ** 0.5, (square / (1 + ratio)) ** 0.5


def _sizes(high: float, wide: float) -> Iterator[Step]:
    """Strokes have a width of their own, so that the factor is only about that of the extent."""
    both = (high * wide) ** 0.5
    for factor in sorted({both, 0.5 * (1 + both), 1.25 * both - 0.25}):
        if 0.2 < factor < 4 and abs(factor - 1) > 0.06:
            name = "smaller" if factor < 1 else "larger"
            yield from _size(f"show {name} digits: {factor:.2f} times the size", factor, factor)
    if abs(np.log(high / wide)) > 0.15 and min(high, wide) > 0.2 and max(high, wide) < 4:
        words = f"show digits {high:.2f} times as high and {wide:.2f} times as wide"
        yield from _size(words, high, wide)


SIZINGS: tuple[Sizing, ...] = ("smooth", "area", "linear", "nearest", "floor")


def _size(words: str, high: float, wide: float) -> Iterator[Step]:
    for how in SIZINGS:
        yield Step("size", words, partial(resized, high=high, wide=wide, how=how), measured=True)
