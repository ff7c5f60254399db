"""What up-sampling does: copies of the nearest place, or a mean of neighbours."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from parity.arrays import Array, Floats
from parity.readings.case import Case
from parity.readings.readings import Reading, Readings
from parity.readings.rounding import magnitude, noise, worst

INTERPOLATION = "interpolation"
ADVICE = {
    INTERPOLATION: (
        "give both the same: interpolation= (Keras), mode= and align_corners= (torch); Keras' "
        "bilinear is torch's with align_corners=False"
    )
}


def readings(case: Case, x: Floats) -> tuple[Readings, float] | None:
    """What up-sampling may make of `x`, and its magnitude; None for others.

    `x` is float64 [B, H, W, C] or [B, W, C].
    """
    shape = case.a[case.where].shape
    if not case.where.startswith("up_sampling") or not len(shape) == x.ndim > 2:
        return None
    return partial(resized, x), float(np.abs(x).max())


def resized(x: Floats, seen: Array) -> Iterator[Reading]:
    """Images [B, ..., C] brought to the places of what was seen, in each way that is known.

    TensorFlow does it in float32, whatever the dtype; that all numbers are float32 ones proves it.
    """
    single = np.array_equal(seen.astype(np.float32), seen)
    coarse = noise(np.zeros(0, np.float32), scale=magnitude(seen))
    for words, (places, weigh) in _WAYS.items():
        values = x
        for axis in range(1, x.ndim - 1):
            size = x.shape[axis]
            matrix = weigh(places(size, seen.shape[axis]), size)
            values = np.moveaxis(np.tensordot(matrix, values, (1, axis)), 0, axis)
        yield Reading({INTERPOLATION: words}, values)
        if single and worst(values, np.asarray(seen, np.float64)) <= coarse:
            yield Reading({INTERPOLATION: f"{words}, computed in float32"}, seen)


def _centres(size: int, target: int) -> Floats:
    """Where the centres of the new places lie among those of the old ones."""
    where: Floats = (np.arange(target) + 0.5) * size / target - 0.5
    return where


def _begins(size: int, target: int) -> Floats:
    """Where the new places begin."""
    where: Floats = np.arange(target) * size / target
    return where


def _corners(size: int, target: int) -> Floats:
    """Where they lie if the first and the last are those of the old ones."""
    return np.linspace(0, size - 1, target)


def _picked(where: Floats, size: int) -> Floats:
    """Shares of the places in each new one, [target, size]: all of the one it lies in."""
    shares: Floats = np.eye(size)[np.clip(where.astype(int), 0, size - 1)]
    return shares


def _nearest(where: Floats, size: int) -> Floats:
    """All of the one whose centre is nearest."""
    return _picked(where + 0.5, size)


def _linear(where: Floats, size: int) -> Floats:
    """Shares of the two nearest, [target, size]."""
    inside = np.clip(where, 0, size - 1)
    shares: Floats = np.maximum(0, 1 - np.abs(inside[:, None] - np.arange(size)))
    return shares


def _cubic(where: Floats, size: int) -> Floats:
    """Shares of the four nearest (Keys 1981, a = -0.75); beyond the edge stand copies of it."""
    return _of_four(where, size, _keys(where % 1, -0.75))


def _tabled(where: Floats, size: int) -> Floats:
    """As TensorFlow does it: a = -0.5, for 1,024 distances, and nothing beyond the edge."""
    shares = _keys(np.round(where % 1 * 1024) / 1024, -0.5)
    at = np.floor(where)[:, None] + np.arange(-1, 3)
    shares = np.where((at < 0) | (at >= size), 0, shares)
    return _of_four(where, size, shares / shares.sum(axis=1, keepdims=True))


def _keys(part: Floats, a: float) -> Floats:
    """Weights of the places before, at, behind and two behind a place and a part, [target, 4]."""
    far = np.abs(part[:, None] - np.arange(-1, 3))
    inner = (a + 2) * far**3 - (a + 3) * far**2 + 1
    outer = a * (far**3 - 5 * far**2 + 8 * far - 4)
    weights: Floats = np.where(far <= 1, inner, outer)
    return weights


def _of_four(where: Floats, size: int, weights: Floats) -> Floats:
    shares = np.zeros((len(where), size))
    at = np.floor(where).astype(int)[:, None] + np.arange(-1, 3)
    np.add.at(shares, (np.arange(len(where))[:, None], np.clip(at, 0, size - 1)), weights)
    return shares


def _area(size: int, target: int) -> Floats:
    """The mean of all places that a new one touches, as adaptive pooling takes it."""
    shares = np.zeros((target, size))
    for new in range(target):
        reach = slice(new * size // target, -(-(new + 1) * size // target))
        shares[new, reach] = 1 / (reach.stop - reach.start)
    return shares


_MEAN = "takes the mean of neighbours"
_WAYS: dict[str, tuple[Callable[[int, int], Floats], Callable[[Floats, int], Floats]]] = {
    "copies the nearest place": (_centres, _nearest),
    "copies the place in which a new one begins": (_begins, _picked),
    f"{_MEAN}, between their centres": (_centres, _linear),
    f"{_MEAN}, corners on corners": (_corners, _linear),
    f"{_MEAN}, upper left corners on each other": (_begins, _linear),
    "takes a cubic of -0.75 between centres": (_centres, _cubic),
    "takes a cubic of -0.5 between centres": (_centres, _tabled),
    "takes the mean of all that a new place covers": (_area, lambda shares, _: shares),
}
"""Where the new places are, and what they take of the old ones; the usual first. torch's bicubic
has -0.75, TensorFlow's -0.5; torch's nearest copies where a new place begins, its nearest-exact and
TensorFlow's the centre's."""
