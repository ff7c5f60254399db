"""Images that a user keeps as numbers: arrays of any kind of file, and tables of pixels."""

import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.judge.contents import content_of
from parity.judge.kinds import kind_of
from parity.judge.tables import Table

KEYS = ("images", "x_test")
TABLES = (".csv", ".tsv", ".txt")
LEAST_SIDE = 7
"""Pixels to a side of an image that is told by the number of its pixels alone."""
BESIDE = 2
"""Columns at most of a table that hold no pixels: the label, and the number of the row."""


def read_images(path: Path) -> NDArray[Any] | None:
    """Images [N, H, W] of a file of numbers; None of a file that is none, perhaps a picture.

    Raises:
        ValueError: the file is damaged, or holds something else.
    """
    named = path.suffix in (".npy", ".npz", *TABLES)
    try:
        kind = kind_of(path)
    except ValueError:
        if named:
            raise
        return None
    if kind == "text" and not named:
        return None
    content = content_of(path)
    return _named({"": pixels_of(content)[0]} if isinstance(content, Table) else content)


def as_images(name: str, array: NDArray[Any], count: int | None = None) -> NDArray[Any]:
    """An array in any layout in which networks are fed, as [N, H, W].

    `count`: N, where it is known; images may then lie along any axis, as MATLAB keeps them.

    Raises:
        ValueError: it holds no grey images.
    """
    images = array.astype(np.uint8) if array.dtype.kind == "b" else array
    if count is not None and len(images) != count and count in images.shape:
        images = np.moveaxis(images, images.shape.index(count), 0)
    axis = next((n for n in (3, 1) if images.ndim == 4 and images.shape[n] in (1, 3)), None)
    if axis is not None:  # colours that are all grey
        first = images.take([0], axis)
        images = first.squeeze(axis) if (images == first).all() else images
    if images.ndim == 2 and (width := images.shape[1]) >= LEAST_SIDE:
        side = math.isqrt(width)
        if len(images) == width:
            images = images[np.newaxis]
        elif side >= LEAST_SIDE and side**2 == width:
            images = images.reshape(-1, side, side)
    if images.ndim != 3 or images.dtype.kind not in "uif" or not len(images):
        said = f"{name}: " if name else ""
        raise ValueError(
            f"{said}{array.dtype} of shape {array.shape}; expected grey images, [N, H, W]"
        )
    return images


def _named(arrays: dict[str, NDArray[Any]]) -> NDArray[Any]:
    """Those called so, or else called a test's, or else all that there are."""
    large = [name for name, array in arrays.items() if array.ndim > 1]
    tests = [name for name in large if "test" in name.lower()]
    for names in ([name for name in KEYS if name in large][:1], tests, large or list(arrays)):
        if len(names) == 1:
            return as_images(names[0], arrays[names[0]])
    raise ValueError(f"arrays {', '.join(arrays)}; expected one called {' or '.join(KEYS)}")


def pixels_of(table: Table) -> tuple[NDArray[Any], list[int]]:
    """One image a row, [N, S, S], its pixels row by row, and the columns that are no pixels.

    Integers where all values are whole.

    Raises:
        ValueError: as many columns as no square image has pixels.
    """
    width = table.values.shape[1]
    side = math.isqrt(width)
    if side < LEAST_SIDE or width - side**2 > BESIDE:
        raise ValueError(f"{width} columns; expected one for each pixel of a square image")
    columns = _pixels(table, side**2)
    pixels = table.values[:, columns]
    whole = bool((pixels == np.round(pixels)).all())
    images = (pixels.astype(np.int64) if whole else pixels).reshape(-1, side, side)
    return images, sorted({*range(width)} - {*columns})


def _pixels(table: Table, count: int) -> list[int]:
    """Columns of pixels: those whose names differ by their numbers only, or all but the label."""
    width = table.values.shape[1]
    if table.names is not None:
        stems = [re.sub(r"\d+", "#", name) for name in table.names]
        commonest = Counter(stems).most_common(1)[0][0]
        named = [n for n, stem in enumerate(stems) if stem == commonest]
        if len(named) == count:
            return named
    spare = width - count
    label_is_last = spare == 1 and np.ptp(table.values[:, 0]) == 0  # corners are paper
    return list(range(count)) if label_is_last else list(range(spare, width))
