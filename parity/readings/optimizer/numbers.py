"""Round numbers: what a person would have written for what was fitted."""

from collections.abc import Iterator

import numpy as np

USUAL = {
    "epsilon": (1e-8, 1e-7, 1e-10),
    "beta_1": (0.9,),
    "beta_2": (0.999, 0.99, 0.9),
    "momentum": (0.9,),
}
"""Tried first: the value of a number that the steps do not tell is the usual one."""
SHARES = {"beta_1", "beta_2", "momentum", "dampening"}
UNROUND = 17.0


def rounded(value: float, digits: int) -> float:
    """To this many significant digits."""
    return float(f"{value:.{digits - 1}e}")


def through_float32(value: float) -> float:
    """The nearest number of single precision."""
    return float(np.float32(value))


def candidates(field: str, value: float) -> Iterator[float]:
    """Round numbers near the fitted value of a setting, the likeliest first."""
    yield from USUAL.get(field, ())
    for digits in range(1, 7):
        near = round(value, digits) if field in SHARES else rounded(value, digits)
        if field in SHARES and not 0 <= near < 1:
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
