"""Answers by rank: the likeliest class of each image, the second, and so on."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.judge.names import PREDICTED, words_of
from parity.judge.shapes import whole

Array = NDArray[Any]
PLACES = frozenset({"top"})
"""Words of columns that are numbered by place, not by class."""
RANKS = frozenset({"rank"})
ENOUGH = 20
"""Rows of which it is no chance that several models never answer alike."""


def by_place(name: str) -> bool:
    """Whether columns of this name are numbered by place: "top1_class", "top1_prob"."""
    return bool(words_of(name) & PLACES)


def first_of(name: str, members: Mapping[int, Array]) -> Array | None:
    """The likeliest class of each image, [N], of columns that hold one class for each place.

    They are classes by place where each row names different ones, and the columns are called "top"
    or are numbered from 1. None where the columns are no classes by place.

    Args:
        name: Of the columns, without their numbers.
        members: The columns, each [N], by number.

    Raises:
        ValueError: each row has all classes, and no name says whether by place or by class.
    """
    words, numbers = words_of(name), sorted(members)
    if not words & (PLACES | PREDICTED | RANKS) or numbers[-1] - numbers[0] != len(numbers) - 1:
        return None
    rows = np.stack([members[number] for number in numbers], axis=1)
    ordered = np.sort(rows, axis=1)
    if len(numbers) < 2 or not whole(rows) or (np.diff(ordered, axis=1) == 0).any():
        return None
    alike = bool((ordered == ordered[0]).all())
    if words & PLACES or (numbers[0] == 1 and len(rows) >= ENOUGH and not alike):
        return rows[:, 0]
    if alike:
        raise ValueError(
            f"columns {name} {numbers[0]} to {numbers[-1]} with the same numbers in every row: "
            "classes by their place, or places of the classes? give predictions, the likeliest"
        )
    return None
