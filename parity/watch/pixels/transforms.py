"""What people do to images of digits, knowingly or not, as functions of images (NumPy only)."""

from collections.abc import Callable, Container, Iterable, Iterator
from functools import partial

import numpy as np

from parity.watch.pixels.bent import bends
from parity.watch.pixels.cover import CUT_OUT, covers
from parity.watch.pixels.equalized import equalized
from parity.watch.pixels.exposure import exposures, matching, paleness
from parity.watch.pixels.layout import LAYOUTS
from parity.watch.pixels.light import LIGHT
from parity.watch.pixels.look import Look
from parity.watch.pixels.lossy import LOSSY
from parity.watch.pixels.order import rolled
from parity.watch.pixels.skeleton import skeletons
from parity.watch.pixels.textures import PENS, TEXTURES, noises
from parity.watch.pixels.tilt import moves_each, tilts
from parity.watch.pixels.trial import ORDER
from parity.watch.pixels.turns import Step
from parity.watch.pixels.warp import Sizing, blurred, moved, resized

PART = 0.25
"""Of a pixel by which images are moved, at least, where it is no whole number of pixels."""


def steps(now: Look, seen: Look, kinds: Container[str] = ORDER) -> Iterator[Step]:
    """All of some kinds that may lead from images as they look now to those that are seen.

    How far a shift or a change of size goes is measured by the difference between the two.
    """
    for kind, several in _WAYS.items():
        for ways in several if kind in kinds else ():
            found = ways(now, seen) if callable(ways) else ways
            yield from (step for step in found if step.kind == kind)


def _moves(now: Look, seen: Look) -> Iterator[Step]:
    """By whole pixels, as most moves are, and by what is measured, if greys show a part of one."""
    down, right = (seen.mean(name) - now.mean(name) for name in ("down", "right"))
    words = f"were moved by {right:+.1f} pixels to the right and {down:+.1f} down"
    whole = (float(round(down)), float(round(right)))
    parts = max(abs(down - whole[0]), abs(right - whole[1])) > PART and seen.mean("levels") > 1
    exact = (down, right) if parts else whole
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


def _sizes(now: Look, seen: Look) -> Iterator[Step]:
    """Strokes have a width of their own, so that the factor is only about that of the extent."""
    before, after = _extent(now), _extent(seen)
    if min(*before, *after) <= 0:
        return
    high, wide = after[0] / before[0], after[1] / before[1]
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


_WAYS: dict[str, tuple[Callable[[Look, Look], Iterator[Step]] | Iterable[Step], ...]] = {
    "turn": (tilts,),
    "mix": (TEXTURES,),
    "size": (LAYOUTS, bends, _sizes),
    "place": (LAYOUTS, rolled, _moves, moves_each),
    "pen": (PENS, skeletons),
    "cover": (covers,),
    "cut": (CUT_OUT,),
    "blur": (TEXTURES, LOSSY, _blurs),
    "light": (LIGHT, exposures, equalized),
    "noise": (noises,),
    "order": (rolled,),
}
"""What is always tried, and what is measured on images as they are now and on those seen."""
