"""How far two arrays are apart: the worst element, absolutely, relatively and in ulps."""

from dataclasses import dataclass

import numpy as np

from parity.arrays import Array, Table


@dataclass(frozen=True)
class Difference:
    """The worst element of a tensor, and whether it is near enough.

    Attributes:
        tensor: Its name.
        position: Of the element; empty where shapes or names differ.
        a: Its value on side A; NaN where there is none.
        b: On side B.
        absolute: ``|a - b|``; infinite where it cannot be had.
        relative: To the tensor's largest magnitude on either side.
        ulps: ``|a - b|`` in units of the last place of the larger of the two.
        limit: Largest absolute difference that passes.
    """

    tensor: str
    position: tuple[int, ...]
    a: float
    b: float
    absolute: float
    relative: float
    ulps: float
    limit: float

    @property
    def passed(self) -> bool:
        """Whether it is within its limit."""
        return self.absolute <= self.limit

    @property
    def excess(self) -> float:
        """Absolute difference as a multiple of the limit; what decides which tensor is worst."""
        if self.limit > 0:
            return self.absolute / self.limit
        return np.inf if self.absolute > 0 else 0.0


def difference(tensor: str, a: Array, b: Array, limit: float) -> Difference:
    """The worst element of two arrays; a value that is not finite on one side only is worst.

    Args:
        tensor: Their name.
        a: Numbers of any shape.
        b: Numbers of the same shape; of another, the difference is infinite.
        limit: Largest absolute difference that passes.
    """
    if a.shape != b.shape or a.size == 0:
        same = a.shape == b.shape
        gap = 0.0 if same else np.inf
        return Difference(tensor, (), np.nan, np.nan, gap, gap, gap, limit)
    if np.array_equal(a, b):  # most often raw images: spare them copies in float64
        first = (0,) * max(a.ndim, 1)
        return Difference(tensor, first, float(a.flat[0]), float(b.flat[0]), 0.0, 0.0, 0.0, limit)
    dtype = np.result_type(a, b)
    kept = dtype if np.issubdtype(dtype, np.floating) else np.dtype(np.float64)
    left, right = np.atleast_1d(a.astype(kept)), np.atleast_1d(b.astype(kept))
    with np.errstate(invalid="ignore", over="ignore"):
        gaps = np.abs(left - right)
    gaps[(left == right) | (np.isnan(left) & np.isnan(right))] = 0
    gaps[np.isnan(gaps)] = np.inf
    position = np.unravel_index(int(gaps.argmax()), gaps.shape)
    worst = float(gaps[position])
    x, y = float(left[position]), float(right[position])
    largest = float(max(np.abs(left).max(), np.abs(right).max()))
    with np.errstate(invalid="ignore", divide="ignore"):
        last_place = float(np.spacing(np.maximum(np.abs(left[position]), np.abs(right[position]))))
    return Difference(
        tensor,
        tuple(int(index) for index in position),
        x,
        y,
        worst,
        worst / largest if worst else 0.0,
        worst / last_place if worst else 0.0,
        limit,
    )


def missing(tensor: str) -> Difference:
    """A tensor that only one side has."""
    return Difference(tensor, (), np.nan, np.nan, np.inf, np.inf, np.inf, 0.0)


def differences(a: Table, b: Table, limits: dict[str, float]) -> tuple[Difference, ...]:
    """One for each name of `limits`, in that order; a name that a side lacks differs infinitely."""
    return tuple(
        difference(name, a[name], b[name], limit) if name in a and name in b else missing(name)
        for name, limit in limits.items()
    )
