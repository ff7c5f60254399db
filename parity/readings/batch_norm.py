"""What a batch-norm layer does: which statistics, which epsilon, scale and offset or not."""

from collections.abc import Iterator
from itertools import product

import numpy as np

from parity.arrays import Array, Floats, Table
from parity.readings.case import Case
from parity.readings.readings import Reading, Readings

EPSILONS = (1e-3, 1e-5, 1e-6, 1e-7, 1e-8, 1e-12, 0.0)
"""Those that frameworks have by default; others are solved for."""
STEADY = 1e-3
"""Units whose variance is below this share of the largest say nothing of a slope."""
PARTS = {
    "scale": ("scale", "gamma", "weight"),
    "offset": ("offset", "beta", "bias"),
    "mean": ("mean", "moving_mean", "running_mean"),
    "variance": ("variance", "moving_variance", "running_var"),
}
"""What a layer's tensors are called, here and in the frameworks."""
FRESH = {"scale": 1.0, "offset": 0.0, "mean": 0.0, "variance": 1.0}
"""What a fresh layer has for a tensor that is missing."""
STATISTICS, EPSILON = "batch-norm statistics", "batch-norm epsilon"
SCALE, OFFSET = "batch-norm scale", "batch-norm offset"
ADVICE = {
    EPSILON: (
        "give both the same: nn.BatchNorm1d(eps=1e-3) as Keras has, or "
        "keras.layers.BatchNormalization(epsilon=1e-5) as torch has"
    ),
    STATISTICS: (
        "run both in the same mode: train() or eval() in torch, training=True or False in Keras"
    ),
    SCALE: "give both a scale: affine=True (torch), scale=True (Keras)",
    OFFSET: "give both an offset: affine=True (torch), center=True (Keras)",
}


def parts(layer: str, weights: Table) -> dict[str, str]:
    """Names of a layer's tensors in `weights`, by `PARTS`."""
    return {
        part: f"{layer}.{word}"
        for part, words in PARTS.items()
        for word in words
        if f"{layer}.{word}" in weights
    }


def readings(case: Case, x: Floats) -> tuple[Readings, float] | None:
    """What the layer may make of `x`, and the magnitude of what it sums; None for other layers.

    Args:
        case: Of a layer; `given` has its tensors [O].
        x: Input, float64 [B, O] or, of places, [B, ..., O].
    """
    if x.ndim < 2 or x.shape != case.a[case.where].shape:
        return None
    shape, x = x.shape, x.reshape(-1, x.shape[-1])
    found = next(_own(case, x.shape[1]), None)
    if found is None:
        return None
    scale, offset, mean, variance = (
        np.asarray(case.given.get(found.get(part, ""), np.full(x.shape[1], fresh)), np.float64)
        for part, fresh in FRESH.items()
    )
    deviation = np.sqrt(np.maximum(np.minimum(variance, x.var(axis=0)), EPSILONS[1]))
    largest = ((np.abs(x) + np.abs(mean)) * np.abs(scale) / deviation + np.abs(offset)).max()
    statistics = _statistics(x, mean, variance)

    def of(given: Array) -> Iterator[Reading]:
        seen = given.reshape(x.shape)
        for (source, (m, v)), scaled, moved in product(
            statistics.items(), (True, False), (True, False)
        ):
            gamma = scale if scaled else np.ones_like(scale)
            beta = offset if moved else np.zeros_like(offset)
            for value in (*EPSILONS, _solve(x - m, v, gamma, np.asarray(seen, np.float64) - beta)):
                if not np.isfinite(value) or (v + value < 0).any():
                    continue
                traits = {
                    STATISTICS: source,
                    EPSILON: f"adds epsilon {value:.4g} to the variance",
                    SCALE: "applies the scale" if scaled else "leaves out the scale",
                    OFFSET: "adds the offset" if moved else "leaves out the offset",
                }
                values = (x - m) * gamma / np.sqrt(v + value) + beta
                yield Reading(traits, values.reshape(shape))

    return of, float(largest)


def _own(case: Case, units: int) -> Iterator[dict[str, str]]:
    """Names of the tensors of the layer itself, or of one that has as many units."""
    layers = [name.rpartition(".")[0] for name in case.given]
    for layer in dict.fromkeys([case.where, *layers]):
        found = parts(layer, case.given)
        if {"mean", "variance"} <= set(found) and case.given[found["mean"]].shape == (units,):
            yield found


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
