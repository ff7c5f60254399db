"""Equivalence, not absence of difference: is what differs between two sides within a margin?

Each function takes one value a seed (Welch) or one value an image (paired) and names its source.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Estimate:
    """A mean difference, B - A, with its standard error.

    Attributes:
        difference: In the unit of the values.
        error: Standard error; infinite where there are too few values to tell.
        df: Degrees of freedom of Student's t.
        spread: Root of the sum of both sides' variances: `error` at one seed a side.
    """

    difference: float
    error: float
    df: float
    spread: float

    def interval(self, alpha: float) -> tuple[float, float]:
        """Confidence interval of 1 - 2 alpha: within the margin just where TOST succeeds."""
        if math.isinf(self.error):
            return -math.inf, math.inf
        half = float(special.stdtrit(self.df, 1 - alpha)) * self.error
        return self.difference - half, self.difference + half

    def p_within(self, margin: float) -> float:
        """P of the two one-sided tests (Schuirmann 1987): small means within the margin."""
        return self._tail(abs(self.difference) - margin)

    def p_beyond(self, margin: float) -> float:
        """P of "at most the margin": small means that the difference exceeds it."""
        return self._tail(margin - abs(self.difference))

    def _tail(self, excess: float) -> float:
        if math.isinf(self.error):
            return 1.0
        if self.error == 0:
            return float(excess >= 0)
        return float(special.stdtr(self.df, excess / self.error))

    def decidable(self, seeds: int, alpha: float, power: float = 0.9) -> float:
        """The smallest margin that so many seeds a side decide, were there no difference."""
        z = float(special.ndtri(1 - alpha) + special.ndtri((1 + power) / 2))
        return self.spread * z / math.sqrt(seeds)


def welch(a: ArrayLike, b: ArrayLike) -> Estimate:
    """From one value a seed and side, variances not assumed equal (Welch 1947)."""
    x, y = np.asarray(a, float), np.asarray(b, float)
    difference = float(y.mean() - x.mean())
    if min(len(x), len(y)) < 2:
        return Estimate(difference, math.inf, 1, math.inf)
    variances = float(x.var(ddof=1)), float(y.var(ddof=1))
    vx, vy = variances[0] / len(x), variances[1] / len(y)
    spread = math.sqrt(sum(variances))
    if vx + vy == 0:
        return Estimate(difference, 0.0, len(x) + len(y) - 2, 0.0)
    df = (vx + vy) ** 2 / (vx**2 / (len(x) - 1) + vy**2 / (len(y) - 1))
    return Estimate(difference, math.sqrt(vx + vy), df, spread)


def paired(gained: int, lost: int, total: int) -> Estimate:
    """From the same images answered twice: of two models, not of two ways to train.

    `gained` images count for B alone, `lost` ones for A alone.

    Where no image differs the error is that of a single one that had differed.
    """
    difference = (gained - lost) / total
    if total < 2:
        return Estimate(difference, math.inf, 1, math.inf)
    variance = (gained + lost - total * difference**2) / (total - 1)
    error = math.sqrt(max(variance, 0.0) / total)
    return Estimate(difference, error or 1 / total, total - 1, math.inf)


def holm(p: ArrayLike) -> Floats:
    """p-values adjusted so that the chance of any false alarm stays below alpha (Holm 1979)."""
    values = np.asarray(p, float)
    order = np.argsort(values)
    scaled = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return adjusted


@dataclass(frozen=True)
class Disagreement:
    """Disagreement between the sides against that between seeds of one side.

    Attributes:
        between: Mean share of images over all pairs of an A and a B run.
        within: The same over pairs of runs of one side, both sides averaged; NaN with one run.
        p: Of a permutation test: small means that the sides differ by more than seeds do.
    """

    between: float
    within: float
    p: float


def seed_disagreement(a: list[Ints], b: list[Ints], draws: int = 1999) -> Disagreement:
    """Do the sides differ by more than their seeds (permutation test on distances, Good 2005)?

    Predictions are int64 [N] of each run.

    Runs are dealt anew to the two sides, at random from a fixed seed; the statistic is the mean
    disagreement between the sides less that within.
    """
    runs = [*a, *b]
    distances = np.zeros((len(runs), len(runs)))
    for i, first in enumerate(runs):
        for j in range(i):
            distances[i, j] = distances[j, i] = (first != runs[j]).mean()
    is_b = np.arange(len(runs)) >= len(a)
    (between,), (within,) = _between_within(distances, is_b[None])
    if min(len(a), len(b)) < 2:
        return Disagreement(float(between), float(within), 1.0)
    rng = np.random.default_rng(0)
    dealt = _between_within(distances, np.stack([rng.permutation(is_b) for _ in range(draws)]))
    at_least = 1 + int((dealt[0] - dealt[1] >= between - within - 1e-12).sum())
    return Disagreement(float(between), float(within), at_least / (1 + draws))


def _between_within(distances: Floats, is_b: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Mean distances of runs dealt to two sides in D ways, bool [D, R]; NaN within single runs."""
    b = is_b.astype(float)
    sides = 1 - b, b
    sizes = [side.sum(axis=1) for side in sides]
    between = ((sides[0] @ distances) * b).sum(axis=1) / (sizes[0] * sizes[1])
    within = [
        ((side @ distances) * side).sum(axis=1) / (size * (size - 1))
        for side, size in zip(sides, sizes, strict=True)
        if size[0] > 1
    ]
    return between, np.mean(within, axis=0) if within else np.full(len(b), np.nan)
