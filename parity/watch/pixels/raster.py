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


def _undone(order: Callable[[Indices], Indices]) -> Callable[[Indices], Indices]:
    def undo(pixels: Indices) -> Indices:
        places = np.arange(pixels.size).reshape(pixels.shape)
        return pixels.ravel()[np.argsort(order(places).ravel())].reshape(pixels.shape)

    return undo


def _alternate(first: int) -> Callable[[Indices], Indices]:
    return lambda rows: np.concatenate([rows[first::2], rows[1 - first :: 2]])


def _reversed_in(words: int) -> Callable[[Indices], Indices]:
    """In groups of so many, which divide the whole."""

    def swap(rows: Indices) -> Indices:
        if len(rows) % words:
            return rows
        return rows.reshape(-1, words, rows.shape[1])[:, ::-1].reshape(rows.shape)

    return swap


def _snake(pixels: Indices) -> Indices:
    result = pixels.copy()
    result[1::2] = result[1::2, ::-1]
    return result


def _zigzag(pixels: Indices) -> Indices:
    """Diagonal by diagonal, to and fro (ITU-T T.81, 1992, figure A.6)."""
    row, column = np.indices(pixels.shape).reshape(2, -1)
    diagonal = row + column
    along = np.where(diagonal % 2 == 1, row, column)
    return pixels.ravel()[np.lexsort((along, diagonal))].reshape(pixels.shape)


def _blocks(side: int) -> Callable[[Indices], Indices]:
    """Block by block, each row by row."""

    def order(pixels: Indices) -> Indices:
        height, width = pixels.shape
        if height % side or width % side:
            return pixels
        blocks = pixels.reshape(height // side, side, width // side, side).swapaxes(1, 2)
        return blocks.reshape(pixels.shape)

    return order


_LINES: dict[str, Callable[[Indices], Indices]] = {
    "every other {} comes first": _alternate(0),
    "every other {} comes first, beginning with the second": _alternate(1),
    "the two halves' {}s take turns": _undone(_alternate(0)),
    "neighbouring {}s have changed places": _reversed_in(2),
    "each four {}s are in reverse order": _reversed_in(4),
}
_WHOLE: dict[str, Callable[[Indices], Indices]] = {
    "zigzag along the diagonals": _zigzag,
    **{f"block by block, {side} x {side} pixels": _blocks(side) for side in (2, 4, 7, 14)},
}
ORDERS = {
    **{words.format("row"): order for words, order in _LINES.items()},
    **{words.format("column"): _across(order) for words, order in _LINES.items()},
    "every other row is mirrored": _snake,
    **_WHOLE,
    **{f"put back as if they were {words}": _undone(order) for words, order in _WHOLE.items()},
}
"""Each takes the numbers of the pixels, [H, W], to where each is taken from, [H, W]."""
