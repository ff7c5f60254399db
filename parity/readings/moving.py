"""Moving statistics that part: batch norm's momentum, or which variance it keeps."""

from itertools import pairwise

import numpy as np

from parity.readings.cause import Cause
from parity.readings.trace import Trace
from parity.sides.lockstep import Array, Table

NEAR = 1e-6
"""Spread of the solved momentum over a layer's units, below which it is believed."""


def explain(outputs: Table, a: Trace, b: Trace, names: tuple[str, str]) -> list[Cause]:
    """What either side's batch norm does to its moving mean and variance in the first step.

    Args:
        outputs: What each layer gave in training for the first batch, in order, float [B, units].
        a: The first steps of side A.
        b: The first steps of side B.
        names: Of the sides.
    """
    for before, layer in pairwise(outputs):
        if not layer.startswith("batch_norm"):
            continue
        inputs = outputs[before].astype(np.float64)
        rules = [_rule(inputs, layer, trace) for trace in (a, b)]
        if None in rules or rules[0] == rules[1]:
            continue
        return _causes(layer, inputs, (a, b), rules, names)
    return []


def _rule(inputs: Array, layer: str, trace: Trace) -> tuple[float, str] | None:
    """Weight of the old value, and "population" or "sample", that this side's first step shows."""
    kinds = {"population": inputs.var(axis=0), "sample": inputs.var(axis=0, ddof=1)}
    of_mean = _weight(trace, f"{layer}.mean", inputs.mean(axis=0))
    for kind, variance in kinds.items():
        of_variance = _weight(trace, f"{layer}.variance", variance)
        if of_mean is not None and of_variance is not None:
            return round(of_mean, 6), kind
    return None


def _weight(trace: Trace, name: str, batch: Array) -> float | None:
    """The m of ``after = m * before + (1 - m) * batch``, if one number fits all units."""
    before, after = trace.before[0][name], trace.after[0][name]
    found = (after - batch) / (before - batch)
    middle = float(np.median(found))
    return middle if np.abs(found - middle).max() < NEAR * max(1.0, abs(middle)) else None


def _causes(
    layer: str,
    inputs: Array,
    traces: tuple[Trace, Trace],
    rules: list[tuple[float, str] | None],
    names: tuple[str, str],
) -> list[Cause]:
    (weight_a, kind_a), (weight_b, kind_b) = (rule or (0.0, "") for rule in rules)
    start = traces[0].before[0]
    target = {name: traces[1].after[0][f"{layer}.{name}"] for name in ("mean", "variance")}

    def gap(weight: float, kind: str) -> float:
        batch = {
            "mean": inputs.mean(axis=0),
            "variance": inputs.var(axis=0, ddof=int(kind == "sample")),
        }
        return max(
            float(
                np.abs(weight * start[f"{layer}.{n}"] + (1 - weight) * batch[n] - target[n]).max()
            )
            for n in batch
        )

    causes = []
    if weight_a != weight_b:
        causes.append(
            Cause(
                "batch-norm momentum",
                gap(weight_b, kind_a),
                f"{layer} keeps {weight_a:g} of its old mean and variance each step on {names[0]}, "
                f"{weight_b:g} on {names[1]}; torch's momentum is 1 minus Keras'",
            )
        )
    if kind_a != kind_b:
        causes.append(
            Cause(
                "batch-norm variance",
                gap(weight_b, kind_b),
                f"{layer} tracks the {kind_a} variance on {names[0]}, the {kind_b} variance on "
                f"{names[1]}: torch divides by B - 1, Keras by B",
            )
        )
    return causes
