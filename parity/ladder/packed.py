"""Samples of several inputs as one array, as a batch is everywhere on the ladder (NumPy only)."""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from parity.arrays import Array

Apart = Callable[[Array], Any]
"""From rows of the one array to what a model takes."""


def packed(x: Any) -> tuple[Array, Apart | None]:
    """The samples as one array [N, ...], and how several inputs are had from it again.

    Args:
        x: An array, or a tuple, list or dictionary of arrays, each [N, ...].

    Raises:
        ValueError: the arrays do not hold as many samples.
    """
    several = isinstance(x, tuple | dict) or (
        isinstance(x, list) and all(hasattr(part, "shape") and part.ndim > 0 for part in x)
    )
    if not several:
        return np.asarray(x), None
    arrays = [np.asarray(part) for part in (x.values() if isinstance(x, dict) else x)]
    if len({len(part) for part in arrays}) != 1:
        raise ValueError(f"inputs of {', '.join(str(len(part)) for part in arrays)} samples")
    flat = [part.reshape(len(part), -1).astype(np.float64) for part in arrays]
    ends = np.cumsum([prod(part.shape[1:]) for part in arrays])[:-1]

    def apart(rows: Array) -> Any:
        split = np.split(rows, ends, axis=1)
        parts = [
            own.reshape(len(own), *part.shape[1:]).astype(part.dtype)
            for own, part in zip(split, arrays, strict=True)
        ]
        return dict(zip(x, parts, strict=True)) if isinstance(x, dict) else tuple(parts)

    return np.concatenate(flat, axis=1), apart
