"""Which initialiser drew these weights? From their largest, their deviation and their number."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

TRUNCATED = 0.87962566
"""Deviation of a standard normal that is cut off at 2."""
SURE = 4
"""Standard errors within which a measured deviation must lie."""


class Distribution(NamedTuple):
    """What weights may have been drawn from, with mean 0."""

    text: str
    deviation: float
    limit: float


def initializer(measured: dict[str, Any], fan_in: int, fan_out: int) -> str:
    """The distribution that explains `measured`: "shape", "mean", "std", "min" and "max"."""
    low, high, std = measured["min"], measured["max"], measured["std"]
    if low == high:
        return f"all {low:g}"
    count, largest = math.prod(measured["shape"]), max(-low, high)
    # A uniform's deviation has the smallest error of all; a normal's, at most this one.
    tolerance = SURE / math.sqrt(2 * count)
    fitting = [
        known
        for known in _known(fan_in, fan_out)
        if largest <= known.limit * (1 + 1e-6) and abs(std / known.deviation - 1) <= tolerance
    ]
    if abs(measured["mean"]) > SURE * std / math.sqrt(count) or not fitting:
        mean = measured["mean"]
        return f"unknown: mean {mean:.2g}, deviation {std:.2g}, from {low:.2g} to {high:.2g}"
    return min(fitting, key=lambda known: known.limit).text


def _known(fan_in: int, fan_out: int) -> Iterator[Distribution]:
    both = fan_in + fan_out
    for formula, limit in {
        "sqrt(6 / (in + out))": math.sqrt(6 / both),
        "1 / sqrt(in)": math.sqrt(1 / fan_in),
        "sqrt(6 / in)": math.sqrt(6 / fan_in),
        "0.05": 0.05,
    }.items():
        yield Distribution(f"uniform within {limit:.4g} = {formula}", limit / math.sqrt(3), limit)
    for formula, deviation in {
        "sqrt(2 / (in + out))": math.sqrt(2 / both),
        "sqrt(2 / in)": math.sqrt(2 / fan_in),
        "sqrt(1 / in)": math.sqrt(1 / fan_in),
    }.items():
        text = f"normal of deviation {deviation:.4g} = {formula}"
        yield Distribution(f"{text}, cut off", deviation, 2 * deviation / TRUNCATED)
        yield Distribution(text, deviation, math.inf)
