"""Recorded optimiser steps as flat arrays, with the rounding that each figure may carry."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from parity.arrays import Array, Floats, Ints, Table
from parity.readings.precisions import PRECISIONS
from parity.readings.trace import Trace

NOTHING = 64.0
"""Roundings of the network's largest gradient (root mean square) up to which one is none."""
Group = Literal["unit", "input", "tensor"]
"""The weights that lead to one unit (a column of [in, out]), that leave one input, or all."""
Precision = Literal["as it is", "float32", "float16", "bfloat16"]


@dataclass(frozen=True)
class Record:
    """T steps of N weights: all of a network's, or a sample of them.

    Attributes:
        names: Names of the K trainable tensors.
        matrix: bool [K], whether a tensor has two dimensions or more.
        still: Names of the tensors that had gradients and never moved, unless none moved.
        tensor: int64 [N], the tensor that each weight belongs to.
        before: float64 [T, N], weights before each step.
        change: float64 [T, N], what each step added to them.
        gradient: float64 [T, N].
        norms: float64 [T, K], Euclidean norms of the whole tensors' gradients.
        groups: By `Group`, int64 [N], the group that each weight belongs to; 0 for a vector's.
        noise: float64 [T, N], error of `change` that one rounding in the recorded precision makes.
        roundoff: Relative error of one rounding in the recorded precision.
        whole: Whether all weights of each tensor were recorded.
    """

    names: tuple[str, ...]
    matrix: NDArray[np.bool_]
    still: frozenset[str]
    tensor: Ints
    before: Floats
    change: Floats
    gradient: Floats
    norms: Floats
    groups: dict[Group, Ints]
    noise: Floats
    roundoff: float
    whole: bool

    @property
    def steps(self) -> int:
        """T."""
        return len(self.before)

    def at(self, chosen: NDArray[Any]) -> "Record":
        """The weights of these indices, or of this mask, only."""
        return replace(
            self,
            tensor=self.tensor[chosen],
            before=self.before[:, chosen],
            change=self.change[:, chosen],
            gradient=self.gradient[:, chosen],
            groups={kind: ids[chosen] for kind, ids in self.groups.items()},
            noise=self.noise[:, chosen],
        )

    def first(self, steps: int) -> "Record":
        """The first steps only."""
        return replace(
            self,
            before=self.before[:steps],
            change=self.change[:steps],
            gradient=self.gradient[:steps],
            norms=self.norms[:steps],
            noise=self.noise[:steps],
        )

    def until_it_moves(self) -> "Record":
        """The steps up to the first that changed anything."""
        moved = np.flatnonzero(self.change.any(axis=1))
        return self.first(int(moved[0]) + 1 if len(moved) else 1)

    def of(self, names: frozenset[str]) -> NDArray[np.bool_]:
        """Which weights belong to these tensors, bool [N]."""
        belongs: NDArray[np.bool_] = np.array([name in names for name in self.names])[self.tensor]
        return belongs

    @property
    def vectors(self) -> frozenset[str]:
        """Names of the tensors of one dimension."""
        return frozenset(n for n, two in zip(self.names, self.matrix, strict=True) if not two)

    def norms_of(self, values: Floats, group: Group) -> Floats:
        """For each weight the norm of its group's `values`, [T, N]; of all weights only."""
        ids = self.groups[group]
        squares = np.array([np.bincount(ids, np.square(row)) for row in values])
        if group != "tensor":
            squares[:, 0] = 0
        result: Floats = np.sqrt(squares)[:, ids]
        return result


def flat(trace: Trace, some: Mapping[str, Ints] | None = None) -> Record:
    """All trainable weights of a trace that tell something; none, or no step, is a ValueError.

    The bias before a batch norm does not: its gradient is 0, and what is recorded of it is what
    rounding left, other for either side and other than what the step was made of.

    Args:
        trace: The steps of one side.
        some: Of these tensors, only the weights of these places in them, flattened; norms are
            of whole tensors all the same.
    """
    some = some or {}
    names = tuple(trace.gradients[0])
    shapes = [np.shape(trace.gradients[0][name]) for name in names]
    before, after, gradient = (
        _rows(steps, names, some) for steps in (trace.before, trace.after, trace.gradients)
    )
    squares = np.array([[_square(step[name]) for name in names] for step in trace.gradients])
    change = after - before
    kept = [len(some[n]) if n in some else prod(s) for n, s in zip(names, shapes, strict=True)]
    starts = np.concatenate([[0], np.cumsum(kept)])
    tensor = np.repeat(np.arange(len(names)), kept)
    rms = np.sqrt(squares / np.array([prod(shape) for shape in shapes]))
    layers = {name.partition(".")[0] for name in names}  # on the way back each rounds once more
    roundoff = float(np.finfo(trace.before[0][names[0]].dtype).eps) / 2
    telling = ~_rounded_away(rms, roundoff)
    still = frozenset(
        name
        for name, tells, start, end in zip(names, telling, starts[:-1], starts[1:], strict=True)
        if tells and not change[:, start:end].any() and gradient[:, start:end].any()
    )
    axes: tuple[tuple[Group, int], ...] = (("unit", -1), ("input", 0))
    groups = {kind: _lines(names, shapes, axis, some) for kind, axis in axes}
    record = Record(
        names,
        np.array([len(shape) > 1 for shape in shapes]),
        frozenset() if len(still) == telling.sum() else still,
        tensor,
        before,
        change,
        gradient,
        np.sqrt(squares),
        groups | {"tensor": tensor},
        _noise(before, change, gradient, len(layers) * rms[:, tensor], roundoff),
        roundoff,
        not some,
    )
    return record.at(telling[tensor]) if not telling.all() else record


def _square(values: Array) -> float:
    numbers = np.ravel(values).astype(np.float64, copy=False)
    return float(numbers @ numbers)


def _rounded_away(rms: Floats, roundoff: float) -> NDArray[np.bool_]:
    """Which tensors have gradients, of root mean squares [T, K], that are rounding; bool [K]."""
    largest = rms.max(axis=1, keepdims=True)
    gone = (rms <= NOTHING * roundoff * largest).all(axis=0)
    some: NDArray[np.bool_] = gone & rms.any(axis=0)
    return some


def _rows(steps: list[Table], names: tuple[str, ...], some: Mapping[str, Ints]) -> Floats:
    def of(step: Table, name: str) -> Array:
        values: Array = np.ravel(step[name])
        return values[some[name]] if name in some else values

    return np.array([np.concatenate([of(step, n) for n in names]) for step in steps], np.float64)


def _lines(
    names: tuple[str, ...], shapes: list[tuple[int, ...]], axis: int, some: Mapping[str, Ints]
) -> Ints:
    """Numbers of the lines along an axis that the weights lie in, from 1 on; 0 in vectors."""
    parts, begun = [], 1
    for name, shape in zip(names, shapes, strict=True):
        places = some[name] if name in some else np.arange(prod(shape))
        if len(shape) < 2:
            parts.append(np.zeros(len(places), np.int64))
            continue
        parts.append(begun + np.unravel_index(places, shape)[axis])
        begun += shape[axis]
    return np.concatenate(parts)


def coarse(values: Floats, precision: Precision) -> Floats:
    """The nearest numbers of a precision, float64."""
    if precision == "as it is":
        return values
    with np.errstate(over="ignore"):
        return PRECISIONS[precision].round(values).astype(np.float64)


def _noise(
    before: Floats, change: Floats, gradient: Floats, rms: Floats, roundoff: float
) -> Floats:
    """Of the weight, of the updates that its momentum remembers, of the gradient's own sum."""
    size = np.abs(change)
    ratio = rms / np.maximum(np.abs(gradient), 1e-8 * rms + np.finfo(float).tiny)
    remembered = 4 * np.maximum.accumulate(size)
    noise = roundoff * (np.abs(before) + remembered + size * ratio)
    floor = 1e-3 * roundoff * np.sqrt(np.mean(np.square(change))) + 1e-100
    result: Floats = noise + floor
    return result
