"""What counts as rounding: how far apart two arrays may be and still be the same numbers."""

import numpy as np

from parity.arrays import Array

ROUNDING = 64
"""Units of the last place that sums in another order may differ by."""
EXPLAINED = 1e-6
"""Share of a gap that an explanation may leave."""


def epsilon(*arrays: Array) -> float:
    """Of the coarsest floating dtype among them; float64's where there is none."""
    kinds = [a.dtype for a in arrays if np.issubdtype(a.dtype, np.floating)]
    return max((float(np.finfo(kind).eps) for kind in kinds), default=2.0**-52)


def magnitude(*arrays: Array) -> float:
    """The largest finite magnitude of all of them."""
    return max((float(np.abs(a[np.isfinite(a)]).max(initial=0.0)) for a in arrays), default=0.0)


def noise(*arrays: Array, scale: float | None = None) -> float:
    """Largest absolute difference that rounding makes of such arrays.

    Args:
        arrays: Their dtypes decide, and their magnitudes.
        scale: Magnitude of what was summed, where that is larger than the arrays.
    """
    largest = magnitude(*arrays) if scale is None else scale
    return ROUNDING * epsilon(*arrays) * largest


def worst(a: Array, b: Array) -> float:
    """Largest absolute difference; infinite for other shapes and where it is not a number."""
    if a.shape != b.shape:
        return np.inf
    with np.errstate(invalid="ignore", over="ignore"):
        gap = float(np.abs(np.subtract(a, b, dtype=np.float64)).max(initial=0.0))
    return np.inf if np.isnan(gap) else gap


def closes(before: float, after: float, allowed: float) -> bool:
    """Whether a gap has fallen to rounding, `allowed`, by an explanation and not by being small."""
    return after <= EXPLAINED * before or (after <= allowed and after <= before / 8)


def usable(*arrays: Array) -> bool:
    """Whether there is something in each of them, and all of it is finite."""
    return all(a.size > 0 and bool(np.isfinite(a).all()) for a in arrays)
