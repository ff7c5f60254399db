"""Moving statistics that part: batch norm's momentum, or which variance it keeps."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from parity.arrays import Floats, Table
from parity.readings.batch_norm import parts
from parity.readings.case import Case
from parity.readings.cause import Cause
from parity.readings.readings import Reading, parted, read
from parity.readings.rounding import ROUNDING, epsilon

MOMENTUM, VARIANCE = "batch-norm momentum", "batch-norm variance"
ADVICE = {
    MOMENTUM: "give both the same: torch's momentum is 1 minus Keras'",
    VARIANCE: "track the same variance: torch divides by B - 1, Keras by B",
}
FROZEN = "keeps its mean and variance as they are"
KINDS = {"population": 0, "sample": 1}
"""Of variances, and what is taken from B where they divide by it."""


class Moments(NamedTuple):
    """What batch norm knows of what it is fed.

    Attributes:
        mean: Of each unit, [units].
        variance: Population variance, [units].
        size: Numbers of each unit.
        largest: Magnitude.
    """

    mean: Floats
    variance: Floats
    size: int
    largest: float


def explain(case: Case, outputs: tuple[Table, Table]) -> list[Cause]:
    """What either side's batch norms do to their moving means and variances in the first step.

    Args:
        case: `given` has the weights before the step; `a` and `b` those after it.
        outputs: What each layer of A and of B gave in training for the first batch, in order,
            float [B, ..., units].

    Returns:
        One for each layer that either side is read in, and in which they differ.
    """
    moments = [_moments(table) for table in outputs]
    causes = []
    for layer in dict.fromkeys(name.rpartition(".")[0] for name in case.a):
        found = parts(layer, case.a)
        if not {"mean", "variance"} <= set(found):
            continue
        start, a, b = (
            np.stack([side[found["mean"]], side[found["variance"]]]).astype(np.float64)
            for side in (case.given, case.a, case.b)
        )
        precision = epsilon(case.a[found["mean"]])
        of_a, of_b = (
            _read(seen, _before(layer, known), start, precision)
            for seen, known in zip((a, b), moments, strict=True)
        )
        if of_a is None or of_b is None:
            continue
        allowed = max(of_a[1], of_b[1])
        read_as = of_a[0], of_b[0]
        if any(reading.traits[MOMENTUM] == FROZEN for reading in read_as):
            read_as = _of_momentum(of_a[0]), _of_momentum(of_b[0])
        causes += parted(layer, (a, b), read_as, ADVICE, allowed, case.names)
    return causes


def _of_momentum(reading: Reading) -> Reading:
    """Without the variance, of which nothing is known where nothing is tracked."""
    return Reading({MOMENTUM: reading.traits[MOMENTUM]}, reading.values)


def _moments(outputs: Table) -> dict[str, Moments]:
    """Of each layer's outputs, by its name."""
    found = {}
    for name, values in outputs.items():
        if values.ndim > 1 and values.size:
            rows = values.reshape(-1, values.shape[-1]).astype(np.float64)
            largest = float(np.abs(rows).max())
            found[name] = Moments(rows.mean(axis=0), rows.var(axis=0), len(rows), largest)
    return found


def _before(layer: str, moments: dict[str, Moments]) -> list[Moments]:
    """What the layer may be fed: the nearest before it first."""
    names = list(moments)
    place = names.index(layer) if layer in names else len(names)
    return [moments[name] for name in names[:place]][::-1]


def _read(
    seen: Floats, fed: list[Moments], start: Floats, precision: float
) -> tuple[Reading, float] | None:
    """What a side does, and the rounding that was allowed for it."""
    for known in fed:
        if known.mean.shape == start.shape[1:]:
            allowed = ROUNDING * precision * max(known.largest**2, known.largest)
            with np.errstate(all="ignore"):  # units whose statistics are the batch's already
                found = read(seen, _readings(seen, known, start), allowed, precision)
            if found is not None:
                return found, allowed
    return None


def _readings(seen: Floats, fed: Moments, start: Floats) -> Iterator[Reading]:
    """Statistics [2, units] after a step, for either variance and the one weight that may fit."""
    for kind, ddof in KINDS.items():
        if fed.size <= ddof:
            continue
        batch = np.stack([fed.mean, fed.variance * (fed.size / (fed.size - ddof))])
        weight = float(np.median((seen - batch) / (start - batch)))
        traits = {
            MOMENTUM: FROZEN
            if weight == 1
            else f"keeps {weight:.6g} of its old mean and variance each step",
            VARIANCE: f"tracks the {kind} variance",
        }
        yield Reading(traits, weight * start + (1 - weight) * batch)
