"""Orders of pixels that people have names for (NumPy only)."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from parity.watch.pixels.figures import FEATURES
from parity.watch.pixels.look import Floats, Look
from parity.watch.pixels.near import likeness

Indices = NDArray[np.int64]
OFF = 0.35
"""Of the mean image's deviation: a mean image in the right order differs by less."""


def named_order(then: Look, now: Look) -> str | None:
    """The order in which all images are, in words; None where none that has a name fits.

    Evidence: put back, neighbours are as alike as they were, and the mean image is the old one.
    """
    if then.ink.shape[1:] != now.ink.shape[1:] or _as_alike(then, now.ink):
        return None
    height, width = now.ink.shape[1:]
    pixels = np.arange(height * width).reshape(height, width)
    before, after = then.ink.mean(axis=0).ravel(), now.ink.mean(axis=0).ravel()
    off = {
        words: float(np.std(before[ordered(pixels).ravel()] - after) / max(before.std(), 1e-9))
        for words, ordered in ORDERS.items()
    }
    for words in sorted(off, key=lambda words: off[words]):
        if off[words] > OFF:
            return None
        back = np.argsort(ORDERS[words](pixels).ravel())
        if _as_alike(then, now.ink.reshape(len(now.ink), -1)[:, back].reshape(now.ink.shape)):
            return words
    return None


def _as_alike(then: Look, ink: Floats) -> bool:
    """Whether neighbours, below and beside, are as alike as they were."""
    for name, first, second in (
        ("below", ink[:, 1:], ink[:, :-1]),
        ("beside", ink[:, :, 1:], ink[:, :, :-1]),
    ):
        if abs(float(likeness(first, second).mean()) - then.mean(name)) > FEATURES[name].least:
            return False
    return True


def _across(rows: Callable[[Indices], Indices]) -> Callable[[Indices], Indices]:
    """To columns what is done to rows."""
    return lambda pixels: rows(pixels.T).T


def _alternate(first: int) -> Callable[[Indices], Indices]:
    return lambda rows: np.concatenate([rows[first::2], rows[1 - first :: 2]])


def _swapped(rows: Indices) -> Indices:
    """Two by two; of an odd number none."""
    if len(rows) % 2:
        return rows
    return rows.reshape(-1, 2, rows.shape[1])[:, ::-1].reshape(rows.shape)


def _blocks(side: int) -> Callable[[Indices], Indices]:
    """Block by block, each row by row."""

    def order(pixels: Indices) -> Indices:
        height, width = pixels.shape
        if height % side or width % side:
            return pixels
        blocks = pixels.reshape(height // side, side, width // side, side).swapaxes(1, 2)
        return blocks.reshape(pixels.shape)

    return order


def _by_name(name: Callable[[int, int], str]) -> Callable[[Indices], Indices]:
    """Columns of a table, sorted by what they are called by pixel and width, as words are."""

    def order(pixels: Indices) -> Indices:
        names = [name(pixel, pixels.shape[1]) for pixel in range(pixels.size)]
        return pixels.ravel()[np.argsort(names)].reshape(pixels.shape)

    return order


_LINES: dict[str, Callable[[Indices], Indices]] = {
    "every other {} comes first": _alternate(0),
    "every other {} comes first, beginning with the second": _alternate(1),
    "neighbouring {}s have changed places": _swapped,
}
ORDERS = {
    **{words.format("row"): order for words, order in _LINES.items()},
    **{words.format("column"): _across(order) for words, order in _LINES.items()},
    **{f"block by block, {side} x {side} pixels": _blocks(side) for side in (2, 4, 7, 14)},
    "sorted as words are, pixel10 before pixel2": _by_name(lambda n, _: str(n)),
    "sorted as words are, the first being pixel1": _by_name(lambda n, _: str(n + 1)),
    "sorted as words are, 1x10 before 1x2": _by_name(lambda n, w: f"{n // w + 1}x{n % w + 1}"),
}
"""Each takes the numbers of the pixels, [H, W], to where each is taken from, [H, W]."""
