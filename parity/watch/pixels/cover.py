"""What hides a part of every image: a blank half or strip, a frame (NumPy only)."""

from collections.abc import Callable, Iterator

import numpy as np

from parity.watch.pixels.look import FAINT, Floats, Look
from parity.watch.pixels.turns import Step

SAME = 0.02
"""Share of the range within which all pixels are of one level."""
CHANCE = 1e-6
"""Probability below which it is no chance that all images are blank there."""
WIDEST = 6
"""Pixels of a frame, at most."""
STANDS_OUT = 0.1
"""Share of the range by which a frame differs from what it surrounds."""
_SIDES = (
    ("at the top", 1, False),
    ("at the bottom", 1, True),
    ("on the left", 2, False),
    ("on the right", 2, True),
)
"""Where, along which axis, and whether from its end."""


def blank_strips(then: Look, now: Look) -> Iterator[Step]:
    """One-sided strips without anything in any image, where there was ink."""
    still = np.ptp(now.ink, axis=0) < SAME
    for words, axis, last in _SIDES:
        lines = still.all(axis=2 - axis)[:: -1 if last else 1]
        count = len(lines) if lines.all() else int(lines.argmin())
        where = np.s_[-count:] if last else np.s_[:count]
        strip = (np.s_[:], where) if axis == 1 else (np.s_[:], np.s_[:], where)
        if count == 0:
            continue
        empty = float((then.ink[strip] < FAINT).all(axis=(1, 2)).mean())
        if empty ** len(now.ink) > CHANCE:
            continue
        level = float(np.median(now.ink[strip]))
        size = now.ink.shape[axis]
        much = "one half" if 2 * count == size else f"{count} of {size} pixels"
        yield Step("cover", f"are blank {words}: {much}", _filled(strip, level), measured=True)


def _filled(strip: tuple[slice, ...], level: float) -> Callable[[Floats], Floats]:
    def fill(ink: Floats) -> Floats:
        result = ink.copy()
        result[strip] = level
        return result

    return fill


def framed(images: Floats, before: Floats) -> tuple[Floats, Step] | None:
    """The images without a frame, and what put it there; None where there is none.

    Args:
        images: As they are, [N, H, W].
        before: As they were, of the same size.
    """
    count = _frame(images)
    if count == 0 or count == _frame(before):
        return None
    inside = np.s_[:, count:-count, count:-count]
    result = np.full_like(images, _paper(images[inside]))
    result[inside] = images[inside]

    def cut(ink: Floats) -> Floats:
        kept = np.zeros_like(ink)
        kept[inside] = ink[inside]
        return kept

    width = f"{count} pixel{'s' if count > 1 else ''}"
    return result, Step("cover", f"have a frame around them, {width} wide", cut)


def _frame(images: Floats) -> int:
    """Width of the frame, of one level in all images that is not the paper's inside; 0 of none."""
    least = SAME * float(np.ptp(images))
    outer = float(images[0, 0, 0])
    for count in range(WIDEST + 1):
        inner = images[:, count : images.shape[1] - count, count : images.shape[2] - count]
        if float(np.abs(_edge(inner) - outer).max()) > least:
            stands_out = abs(_paper(inner) - outer) > STANDS_OUT * float(np.ptp(images))
            return count if stands_out else 0
    return 0


def _paper(images: Floats) -> float:
    return float(np.median(_edge(images)))


def _edge(images: Floats) -> Floats:
    """The outermost pixels, [N, 2 * (H + W) - 4]."""
    edge = np.ones(images.shape[1:], bool)
    edge[1:-1, 1:-1] = False
    result: Floats = images[:, edge]
    return result
