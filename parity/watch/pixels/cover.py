"""What hides a part of every image: a blank half or strip, a frame (NumPy only)."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from parity.watch.pixels.figures import FAINT
from parity.watch.pixels.look import Floats, Look, edges
from parity.watch.pixels.turns import Step

SAME = 0.02
"""Share of the range within which all pixels are of one level."""
CHANCE = 1e-6
"""Probability below which it is no chance that all images are blank there."""
WIDEST = 6
"""Pixels of a frame, at most."""
FEWEST = 4
"""Pixels that are a place."""
STANDS_OUT = 0.1
"""Share of the range by which a frame differs from what it surrounds."""
_SIDES = (
    ("at the top", 1, False),
    ("at the bottom", 1, True),
    ("on the left", 2, False),
    ("on the right", 2, True),
)
"""Where, along which axis, and whether from its end."""


def covers(then: Look, now: Look) -> Iterator[Step]:
    """What is the same in all images, where it was not."""
    strips = list(_blank_strips(then, now))
    yield from strips if len(strips) == 1 else _blank(then, now)
    yield from _marks(then, now)


def _blank(then: Look, now: Look) -> Iterator[Step]:
    """Pixels without ink in any image, some of which had too much for chance."""
    blank = (np.abs(now.ink) < SAME).all(axis=0)
    empty = (then.ink < FAINT).mean(axis=0)
    if np.count_nonzero(blank & (empty ** len(now.ink) < CHANCE)) >= FEWEST:
        words = "are blank in the same place: where there was ink, there is none in any image"
        yield Step("cover", words, lambda ink: np.where(blank, 0.0, ink), measured=True)


def _marks(then: Look, now: Look) -> Iterator[Step]:
    """Pixels with ink in all images."""
    least, most = now.ink.min(axis=0), now.ink.max(axis=0)
    inked = (then.ink > STANDS_OUT).mean(axis=0)
    marked = (least > STANDS_OUT) & (inked ** len(now.ink) < CHANCE)
    if FEWEST <= np.count_nonzero(marked) < marked.size / 2:
        still = marked & (most - least < SAME)
        yield Step(
            "cover",
            "have the same mark in all images: a watermark, lines or dead pixels",
            lambda ink: np.where(still, least, np.where(marked, np.maximum(ink, least), ink)),
            measured=True,
        )


def _cut_out(side: int) -> Callable[[Floats], Floats]:
    """A blank square in each image, somewhere (DeVries and Taylor 2017)."""

    def cut(ink: Floats) -> Floats:
        result, rng = ink.copy(), np.random.default_rng(0)
        for image in result:
            row, column = (int(rng.integers(0, size - side + 1)) for size in image.shape)
            image[row : row + side, column : column + side] = 0
        return result

    return cut


def _without_lines(share: float, axis: int) -> Callable[[Floats], Floats]:
    """That share of each image's rows or columns is blank."""

    def cut(ink: Floats) -> Floats:
        kept = np.random.default_rng(0).random((len(ink), ink.shape[axis])) > share
        result: Floats = ink * (kept[:, :, None] if axis == 1 else kept[:, None])
        return result

    return cut


CUT_OUT = (
    *(Step("cut", "had a square cut out of each image", _cut_out(side)) for side in (6, 8, 10)),
    *(
        Step("cut", f"lost some {lines} of each image", _without_lines(share, axis))
        for axis, lines in ((1, "rows"), (2, "columns"))
        for share in (0.07, 0.15, 0.25)
    ),
)


def _blank_strips(then: Look, now: Look) -> Iterator[Step]:
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
        mask = np.zeros(now.ink.shape[1:], bool)
        mask[strip[1:]] = True
        do = partial(_filled, mask=mask, level=level)
        yield Step("cover", f"are blank {words}: {much}", do, measured=True)


def _filled(ink: Floats, mask: NDArray[np.bool_], level: float) -> Floats:
    return np.where(mask, level, ink)


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
        if float(np.abs(edges(inner) - outer).max()) > least:
            stands_out = abs(_paper(inner) - outer) > STANDS_OUT * float(np.ptp(images))
            return count if stands_out else 0
    return 0


def _paper(images: Floats) -> float:
    return float(np.median(edges(images)))
