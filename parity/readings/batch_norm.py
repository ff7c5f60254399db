"""What a batch-norm layer does: which statistics, which epsilon, scale and offset or not."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.readings.cause import Cause
from parity.readings.readings import Names, Reading, compare
from parity.readings.rounding import Floats, Table, noise

EPSILONS = (1e-3, 1e-5, 1e-6, 1e-7, 1e-8, 1e-12, 0.0)
"""Those that frameworks have by default; others are solved for."""
STEADY = 1e-3
"""Units whose variance is below this share of the largest say nothing of a slope."""
PARTS = ("scale", "offset", "mean", "variance")
ADVICE = {
    "batch-norm epsilon": (
        "give both the same: nn.BatchNorm1d(eps=1e-3) as Keras has, or "
        "keras.layers.BatchNormalization(epsilon=1e-5) as torch has"
    ),
    "batch-norm statistics": (
        "run both in the same mode: train() or eval() in torch, training=True or False in Keras"
    ),
    "batch-norm scale": "give both a scale: affine=True (torch), scale=True (Keras)",
    "batch-norm offset": "give both an offset: affine=True (torch), center=True (Keras)",
}


def explain(
    layer: str,
    x: Floats,
    sides: tuple[NDArray[Any], NDArray[Any]],
    weights: Table,
    names: Names,
) -> list[Cause]:
    """Why two batch-norm layers differ on the same input.

    Args:
        layer: Its name, which the tensors in `weights` begin with.
        x: Input, float64 [B, O].
        sides: Outputs of A and B, [B, O].
        weights: `scale`, `offset`, `mean` and `variance` [O]; any but the statistics may lack.
        names: Of A and B.
    """
    scale, offset, mean, variance = _parts(layer, weights, x.shape[1])
    deviation = np.sqrt(np.maximum(np.minimum(variance, x.var(axis=0)), EPSILONS[1]))
    largest = ((np.abs(x) + np.abs(mean)) * np.abs(scale) / deviation + np.abs(offset)).max()
    statistics = _statistics(x, mean, variance)

    def readings(seen: NDArray[Any]) -> Iterator[Reading]:
        for (source, (m, v)), scaled, moved in product(
            statistics.items(), (True, False), (True, False)
        ):
            gamma = scale if scaled else np.ones_like(scale)
            beta = offset if moved else np.zeros_like(offset)
            for value in (*EPSILONS, _solve(x - m, v, gamma, np.asarray(seen, np.float64) - beta)):
                if not np.isfinite(value) or (v + value < 0).any():
                    continue
                yield Reading(
                    {
                        "batch-norm statistics": source,
                        "batch-norm epsilon": f"adds epsilon {value:.4g} to the variance",
                        "batch-norm scale": "applies the scale"
                        if scaled
                        else "leaves out the scale",
                        "batch-norm offset": "adds the offset"
                        if moved
                        else "leaves out the offset",
                    },
                    (x - m) * gamma / np.sqrt(v + value) + beta,
                )

    allowed = noise(x, *sides, scale=float(largest))
    return compare(layer, sides, readings, ADVICE, allowed, names)


def _statistics(x: Floats, mean: Floats, variance: Floats) -> dict[str, tuple[Floats, Floats]]:
    """Means and variances that a layer may normalise by, and how that is said."""
    statistics = {
        "uses the moving statistics": (mean, variance),
        "uses the batch's mean and population variance": (x.mean(axis=0), x.var(axis=0)),
    }
    if len(x) > 1:
        sample = (x.mean(axis=0), x.var(axis=0, ddof=1))
        statistics["uses the batch's mean and sample variance"] = sample
    return statistics


def _parts(layer: str, weights: Table, units: int) -> list[Floats]:
    """Scale, offset, mean and variance, float64 [O], with what a fresh layer has for a missing."""
    fresh = (1.0, 0.0, 0.0, 1.0)
    return [
        np.asarray(weights.get(f"{layer}.{part}", np.full(units, value)), np.float64)
        for part, value in zip(PARTS, fresh, strict=True)
    ]


def _solve(centred: Floats, variance: Floats, gamma: Floats, seen: Floats) -> float:
    """The epsilon with which `centred` becomes `seen`; NaN where no unit tells.

    Least squares over units of the relative error of ``variance + epsilon``: small variances tell
    most.
    """
    power = (centred**2).mean(axis=0)
    slope = (centred * seen).mean(axis=0) / power
    telling = (power > STEADY * power.max()) & (slope != 0) & np.isfinite(slope)
    if not telling.any():
        return float("nan")
    widened = (gamma[telling] / slope[telling]) ** 2
    weight = 1 / widened**2
    value = float((weight * (widened - variance[telling])).sum() / weight.sum())
    return float(f"{value:.6g}")
