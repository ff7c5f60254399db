"""What up-sampling does: copies of the nearest place, or a mean of neighbours."""

from collections.abc import Callable, Iterator

import numpy as np

from parity.arrays import Array, Floats
from parity.readings.case import Case
from parity.readings.readings import Reading, Readings

INTERPOLATION = "interpolation"
ADVICE = {
    INTERPOLATION: (
        "give both the same: interpolation= (Keras), mode= and align_corners= (torch); Keras' "
        "bilinear is torch's with align_corners=False"
    )
}


def readings(case: Case, x: Floats) -> tuple[Readings, float] | None:
    """What up-sampling may make of `x`, and its magnitude; None for others.

    Args:
        case: Of a layer.
        x: Input, float64 [B, H, W, C] or [B, W, C].
    """
    shape = case.a[case.where].shape
    places = range(1, x.ndim - 1)
    whole = len(shape) == x.ndim > 2 and all(shape[n] % x.shape[n] == 0 for n in places)
    if not case.where.startswith("up_sampling") or not whole:
        return None

    def of(seen: Array) -> Iterator[Reading]:
        for words, weigh in _WAYS.items():
            values = x
            for axis in places:
                matrix = weigh(x.shape[axis], seen.shape[axis])
                values = np.moveaxis(np.tensordot(matrix, values, (1, axis)), 0, axis)
            yield Reading({INTERPOLATION: words}, values)

    return of, float(np.abs(x).max())


def _nearest(size: int, target: int) -> Floats:
    """Shares of the places in each new one, [target, size]."""
    return np.repeat(np.eye(size), target // size, axis=0)


def _linear(size: int, target: int, *, corners: bool = False) -> Floats:
    """The same between the two nearest centres, or with the corners on each other."""
    if corners:
        where = np.linspace(0, size - 1, target)
    else:
        where = np.clip((np.arange(target) + 0.5) * size / target - 0.5, 0, size - 1)
    shares: Floats = np.maximum(0, 1 - np.abs(where[:, None] - np.arange(size)))
    return shares


_WAYS: dict[str, Callable[[int, int], Floats]] = {
    "copies the nearest place": _nearest,
    "takes the mean of neighbours, between their centres": _linear,
    "takes the mean of neighbours, corners on corners": lambda size, target: _linear(
        size, target, corners=True
    ),
}
