"""Grey levels spread evenly, over images or parts of them (NumPy only): ink [N, H, W] to ink."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from parity.watch.pixels.look import Floats, Look
from parity.watch.pixels.turns import Step

EQUALIZED = "were equalised: each grey level became about as frequent as any other"
LOCALLY = "were equalised locally, part by part (CLAHE)"
LEVELS = 256


def equalized(_: Look, seen: Look) -> Iterator[Step]:
    """Of ink, or of what was inverted before."""
    ways: tuple[tuple[str, Callable[[Floats], Floats]], ...] = (
        (EQUALIZED, partial(_ranked, paper=False)),
        (EQUALIZED, partial(_ranked, paper=True)),
        (EQUALIZED, _ranked_in_steps),
        *(
            (LOCALLY, partial(_clahe, tiles=tiles, limit=limit))
            for tiles, limit in ((8, 2.0), (8, 40.0), (4, 2.0), (4, 4.0))
        ),
    )
    for words, do in ways:
        yield Step("light", words, partial(_of_paper, do=do) if seen.depth < 0 else do)
    for axis, line in ((2, "row"), (1, "column")):  # as `keras.utils.normalize` does
        words = f"were divided {line} by {line}: each {line} of each image by its own length"
        yield Step("light", words, partial(_of_one_length, axis=axis))


def _of_paper(ink: Floats, do: Callable[[Floats], Floats]) -> Floats:
    result: Floats = 1 - do(1 - ink)
    return result


def _levels(ink: Floats) -> NDArray[np.int64]:
    return np.round(ink.clip(0, 1) * (LEVELS - 1)).astype(np.int64)


def _counts(levels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of each row of levels [K, P], how often each occurs, [K, 256]."""
    each = levels + LEVELS * np.arange(len(levels))[:, None]
    return np.bincount(each.ravel(), minlength=LEVELS * len(levels)).reshape(-1, LEVELS)


def _ranked(ink: Floats, *, paper: bool) -> Floats:
    """Each level's rank among the image's pixels, or among all but those of the lowest level."""
    levels = _levels(ink).reshape(len(ink), -1)
    ranks = _counts(levels).cumsum(axis=1).astype(np.float64)
    if not paper:
        ranks -= np.take_along_axis(ranks, levels.min(axis=1)[:, None], axis=1)
    table = ranks.clip(0) / np.maximum(ranks[:, -1:], 1)
    result: Floats = np.take_along_axis(table, levels, axis=1).reshape(ink.shape)
    return result


def _ranked_in_steps(ink: Floats) -> Floats:
    """Ranks among all pixels, but what is lowest stays lowest: as Pillow does it."""
    levels = _levels(ink).reshape(len(ink), -1)
    counts = _counts(levels)
    highest = np.take_along_axis(counts, levels.max(axis=1)[:, None], axis=1)
    step = (levels.shape[1] - highest) // (LEVELS - 1)
    below = counts.cumsum(axis=1) - counts
    table = np.where(step > 0, (step // 2 + below) // np.maximum(step, 1), np.arange(LEVELS))
    spread = np.take_along_axis(table.clip(0, LEVELS - 1), levels, axis=1)
    result: Floats = spread.reshape(ink.shape) / (LEVELS - 1)
    return result


def _clahe(ink: Floats, tiles: int, limit: float) -> Floats:
    """Contrast-limited adaptive histogram equalisation (Zuiderveld 1994).

    A table for each tile, interpolated between the tiles' middles.
    """
    count, height, width = ink.shape
    high, wide = -(-height // tiles), -(-width // tiles)
    more = ((0, 0), (0, high * tiles - height), (0, wide * tiles - width))
    levels = _levels(np.pad(ink, more, mode="reflect"))
    parts = levels.reshape(count, tiles, high, tiles, wide).swapaxes(2, 3)
    found = _counts(parts.reshape(-1, high * wide))
    found = found.astype(np.int32)
    most = max(1, int(limit * high * wide / LEVELS))
    cut = np.minimum(found, most)
    spare = (found - cut).sum(axis=1, keepdims=True, dtype=np.int32)
    rest = spare % LEVELS
    step = np.maximum(LEVELS // np.maximum(rest, 1), 1)
    place = np.arange(LEVELS, dtype=np.int32)
    cut += spare // LEVELS + ((place % step == 0) & (place // step < rest))
    table = np.round(cut.cumsum(axis=1) * ((LEVELS - 1) / (high * wide))).ravel() / (LEVELS - 1)
    own = levels[:, :height, :width] + LEVELS * tiles**2 * np.arange(count)[:, None, None]
    result = np.zeros(ink.shape)
    for row, by_row in _between(height, high, tiles):
        for column, by_column in _between(width, wide, tiles):
            tile = row[:, None] * tiles + column
            result += by_row[:, None] * by_column * table.take(own + LEVELS * tile)
    return result


def _between(size: int, tile: int, tiles: int) -> Iterator[tuple[NDArray[np.int64], Floats]]:
    """Of each pixel the tile before and the tile after, and their shares."""
    places = np.arange(size) / tile - 0.5
    before = np.floor(places).astype(np.int64)
    after = places - before
    yield before.clip(0, tiles - 1), 1 - after
    yield (before + 1).clip(0, tiles - 1), after


def _of_one_length(ink: Floats, axis: int) -> Floats:
    result: Floats = ink / np.maximum(np.sqrt((ink**2).sum(axis=axis, keepdims=True)), 1e-7)
    return result
