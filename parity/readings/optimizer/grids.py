"""Where the search for the numbers of an update rule begins."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from parity.readings.optimizer.record import Record
from parity.readings.optimizer.rules import Rule

TINY = 1e-20
"""Smallest epsilon, decay or threshold that is told from zero."""
EARLY = ("clip", "epsilon", "decay", "accumulator")
"""What the first step alone can tell."""


@dataclass(frozen=True)
class Scale:
    """How a number is searched: the grid to start from, and what makes it unbounded."""

    grid: tuple[float, ...]
    free: Callable[[float], float]
    bound: Callable[[float], float]


def _exp(x: float) -> float:
    return math.exp(min(max(x, math.log(TINY)), 20.0))


_DECADES = Scale(tuple(10.0 ** np.arange(-16, 0.5, 0.5)), lambda x: math.log(max(x, TINY)), _exp)
_SHARE = Scale((0.9, 0.0, 0.5, 0.8, 0.95, 0.99), lambda x: x, lambda x: min(max(x, 0.0), 1 - 1e-6))
_LONG = Scale(
    (0.999, 0.5, 0.9, 0.95, 0.99, 0.9999),
    lambda x: math.log(1 - x),
    lambda x: 1 - min(max(_exp(x), 1e-6), 1.0),
)
SCALES = {
    "beta_1": _SHARE,
    "beta_2": _LONG,
    "momentum": _SHARE,
    "dampening": _SHARE,
    "epsilon": _DECADES,
    "decay": replace(_DECADES, grid=tuple(10.0 ** np.arange(-7, 1.1, 0.5))),
    "accumulator": replace(_DECADES, grid=tuple(10.0 ** np.arange(-6, 2.1, 0.5))),
    "clip": replace(_DECADES, grid=()),
}


def thresholds(rule: Rule, record: Record) -> tuple[float, ...]:
    """Thresholds that clip different parts of the recorded gradients."""
    if rule.clip_kind == "value":
        sizes = np.abs(record.gradient)
        shares = [*np.arange(0, 0.9, 0.1), *(1 - np.geomspace(0.1, 1e-3, 9)), 1]
        return tuple((0.999 * np.quantile(sizes[sizes > 0], shares)).tolist() or [1.0])
    norms = record.norms if rule.clip_kind == "norm" else np.hypot.reduce(record.norms, axis=1)
    sizes = np.unique(norms[norms > 0])
    if len(sizes) == 0:
        return (1.0,)
    # Between two norms, what is clipped stays the same.
    between = max(1, 20 // len(sizes))
    places = (
        np.linspace(0, len(sizes) - 1, between * min(len(sizes) - 1, 20) + 1)[1:] - 0.5 / between
    )
    inner = np.exp(np.interp(places, np.arange(len(sizes)), np.log(sizes)))
    return (0.3 * float(sizes[0]), *inner.tolist())
