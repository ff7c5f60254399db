"""Moving statistics that part: batch norm's momentum, or which variance it keeps."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from parity.arrays import Array, Floats
from parity.readings.batch_norm import parts
from parity.readings.case import Case
from parity.readings.cause import Cause
from parity.readings.readings import Reading, compare
from parity.readings.rounding import noise

MOMENTUM, VARIANCE = "batch-norm momentum", "batch-norm variance"
ADVICE = {
    MOMENTUM: "give both the same: torch's momentum is 1 minus Keras'",
    VARIANCE: "track the same variance: torch divides by B - 1, Keras by B",
}
KINDS = {"population": 0, "sample": 1}
"""Of variances, and what is taken from B where they divide by it."""


def explain(case: Case) -> list[Cause]:
    """What either side's batch norm does to its moving mean and variance in the first step.

    Args:
        case: `given` has what each layer gave in training for the first batch, float [B, units],
            and the weights before the step; `a` and `b` those after it.
    """
    for layer in dict.fromkeys(name.rpartition(".")[0] for name in case.a):
        found = parts(layer, case.a)
        if not {"mean", "variance"} <= set(found):
            continue
        start, a, b = (
            np.stack([side[found["mean"]], side[found["variance"]]]).astype(np.float64)
            for side in (case.given, case.a, case.b)
        )
        for inputs in case.given.values():
            if inputs.ndim < 2 or inputs.shape[-1:] != start.shape[1:]:
                continue
            inputs = inputs.reshape(-1, inputs.shape[-1])
            readings = partial(_readings, inputs=inputs.astype(np.float64), start=start)
            allowed = noise(case.a[found["mean"]], scale=float(np.abs(inputs).max() ** 2))
            causes = compare(layer, (a, b), readings, ADVICE, allowed, case.names)
            if causes:
                return causes
    return []


def _readings(seen: Array, inputs: Floats, start: Floats) -> Iterator[Reading]:
    """Statistics [2, units] after a step, for either variance and the one weight that may fit."""
    for kind, ddof in KINDS.items():
        batch = np.stack([inputs.mean(axis=0), inputs.var(axis=0, ddof=ddof)])
        weight = float(np.median((seen - batch) / (start - batch)))
        traits = {
            MOMENTUM: f"keeps {weight:.6g} of its old mean and variance each step",
            VARIANCE: f"tracks the {kind} variance",
        }
        yield Reading(traits, weight * start + (1 - weight) * batch)
