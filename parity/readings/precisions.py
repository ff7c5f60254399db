"""Kinds of floating-point numbers that weights and layers are rounded to (NumPy)."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from parity.arrays import Array


def _bfloat16(x: Array) -> Array:
    """To the nearest bfloat16, ties to even, as float32."""
    bits = x.astype(np.float32).view(np.uint32).astype(np.uint64)
    even = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return even.astype(np.uint32).view(np.float32)


def _nearest(dtype: type[np.floating[Any]], x: Array) -> Array:
    """To the nearest number of a dtype; what is too large for it becomes infinite, in silence."""
    with np.errstate(over="ignore"):
        return x.astype(dtype)


class Precision(NamedTuple):
    """A kind of number: the distance from 1 to the next one, and rounding to the nearest."""

    epsilon: float
    round: Callable[[Array], Array]


PRECISIONS = {
    "bfloat16": Precision(2.0**-7, _bfloat16),
    "float16": Precision(2.0**-10, partial(_nearest, np.float16)),
    "float32": Precision(2.0**-23, partial(_nearest, np.float32)),
}
"""The coarsest first: its numbers are, most of them, numbers of the others too."""
