"""The numbers of an update rule: how each is searched, and what a person would have written."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

TINY = 1e-20
"""Smallest epsilon, decay or threshold that is told from zero."""
UNROUND = 17.0


@dataclass(frozen=True)
class Scale:
    """How a number is searched.

    Attributes:
        grid: Where to start from.
        free: What makes it unbounded.
        bound: The inverse of `free`.
        usual: Tried first: the value of a number that the steps do not tell is the usual one.
        share: Whether it lies between 0 and 1.
    """

    grid: tuple[float, ...]
    free: Callable[[float], float]
    bound: Callable[[float], float]
    usual: tuple[float, ...] = ()
    share: bool = False


def _exp(x: float) -> float:
    return math.exp(min(max(x, math.log(TINY)), 20.0))


_DECADES = Scale(tuple(10.0 ** np.arange(-16, 0.5, 0.5)), lambda x: math.log(max(x, TINY)), _exp)
_ROUND = (*(n * 10.0**exponent for exponent in range(-7, 1) for n in (1, 2, 3, 5)), 10.0)
"""Decays that people write: the first step of Adam tells them only from near."""
_SHARE = Scale(
    (0.9, 0.0, 0.5, 0.8, 0.95, 0.99),
    lambda x: x,
    lambda x: min(max(x, 0.0), 1 - 1e-6),
    share=True,
)
_LONG = Scale(
    (0.999, 0.5, 0.9, 0.95, 0.99, 0.9999),
    lambda x: math.log(1 - x),
    lambda x: 1 - min(max(_exp(x), 1e-6), 1.0),
    (0.999, 0.99, 0.9),
    share=True,
)
SCALES = {
    "beta_1": replace(_SHARE, usual=(0.9,)),
    "beta_2": _LONG,
    "momentum": replace(_SHARE, usual=(0.9,)),
    "dampening": _SHARE,
    "average": replace(_LONG, usual=()),
    "epsilon": replace(_DECADES, usual=(1e-8, 1e-7, 1e-10)),
    "decay": replace(_DECADES, grid=_ROUND),
    "accumulator": replace(_DECADES, grid=tuple(10.0 ** np.arange(-6, 2.1, 0.5))),
    "clip": replace(_DECADES, grid=()),  # it depends on the gradients
}
"""By field of a rule: all that is ever fitted, the learning rates apart."""


def rounded(value: float, digits: int) -> float:
    """To this many significant digits."""
    return float(f"{value:.{digits - 1}e}")


def through_float32(value: float) -> float:
    """The nearest number of single precision."""
    return float(np.float32(value))


def candidates(field: str, value: float) -> Iterator[float]:
    """Round numbers near the fitted value of a setting, the likeliest first."""
    yield from SCALES[field].usual
    for digits in range(1, 7):
        near = round(value, digits) if SCALES[field].share else rounded(value, digits)
        if SCALES[field].share and not 0 <= near < 1:
            continue
        yield near
        yield through_float32(near)


def digits(value: float) -> float:
    """Digits that it takes to write a number, half a one more if it went through float32."""
    for count in range(1, 9):
        if rounded(value, count) == value:
            return float(count)
    for count in range(1, 8):
        if through_float32(rounded(value, count)) == value:
            return count + 0.5
    return UNROUND


def shown(value: float) -> str:
    """As a person would write it."""
    if digits(value) % 1 == 0.5:
        return f"{float(f'{value:.6g}'):g} rounded to float32"
    return f"{value:.10g}" if digits(value) == UNROUND else f"{value:.6g}"


def nearest_round(value: float, tolerance: float) -> float:
    """The roundest number that is as good as this one, or the number itself."""
    for count in range(1, 8):
        for near in (rounded(value, count), through_float32(rounded(value, count))):
            if abs(near - value) <= tolerance * abs(value):
                return near
    return value
