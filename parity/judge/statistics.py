"""Pure functions on arrays: what two classifiers have in common, and how sure one can be of it.

Predictions and labels are int64 [N], classes 0 to C - 1. Each function names its source.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

EXACT_MCNEMAR_BELOW = 25
"""Discordant pairs below which McNemar's test is exact (Fagerland, Lydersen, Laake 2013)."""


def confusion(rows: Ints, columns: Ints, classes: int) -> Ints:
    """Counts int64 [C, C]: how often class i in `rows` met class j in `columns`."""
    flat = np.bincount(rows * classes + columns, minlength=classes * classes)
    return flat.reshape(classes, classes)


def wilson_interval(
    successes: ArrayLike, trials: ArrayLike, confidence: float = 0.95
) -> tuple[Floats, Floats]:
    """Score interval of a proportion (Wilson 1927); [0, 1] where there were no trials."""
    k, n = np.asarray(successes, float), np.asarray(trials, float)
    z = special.ndtri(0.5 + confidence / 2)
    safe = np.maximum(n, 1)
    share = k / safe
    centre = (share + z**2 / (2 * safe)) / (1 + z**2 / safe)
    half = z / (1 + z**2 / safe) * np.sqrt(share * (1 - share) / safe + z**2 / (4 * safe**2))
    low, high = np.where(n > 0, centre - half, 0.0), np.where(n > 0, centre + half, 1.0)
    return np.clip(low, 0, 1), np.clip(high, 0, 1)


def recall(table: Ints) -> Floats:
    """Diagonal over row sums of a confusion [labels, predicted]; NaN for a class without labels."""
    return _ratio(np.diag(table), table.sum(axis=1))


def precision(table: Ints) -> Floats:
    """Diagonal over column sums of a confusion [labels, predicted]; NaN if never predicted."""
    return _ratio(np.diag(table), table.sum(axis=0))


def _ratio(part: Ints, whole: Ints) -> Floats:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


@dataclass(frozen=True)
class Test:
    """A test's statistic, its degrees of freedom (0 where it is exact) and its p-value."""

    statistic: float
    df: int
    p: float


def mcnemar(right_a: NDArray[np.bool_], right_b: NDArray[np.bool_]) -> Test:
    """Are A and B right equally often on the same images (McNemar 1947)?

    Exact binomial below `EXACT_MCNEMAR_BELOW` discordant images, chi-squared without a continuity
    correction from there on. The statistic is that of the chi-squared form.
    """
    from scipy.stats import binomtest  # slow to import

    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    discordant = only_a + only_b
    statistic = (only_a - only_b) ** 2 / discordant if discordant else 0.0
    if discordant < EXACT_MCNEMAR_BELOW:
        p = binomtest(only_a, discordant).pvalue if discordant else 1.0
        return Test(statistic, 0, float(p))
    return Test(statistic, 1, float(special.chdtrc(1, statistic)))


def bowker(table: Ints) -> Test:
    """Is the confusion between the two sides symmetric (Bowker 1948)?

    Pairs of classes that were never confused count for no degree of freedom.
    """
    upper = np.triu_indices(len(table), 1)
    there, back = table[upper].astype(float), table.T[upper].astype(float)
    seen = there + back > 0
    statistic = float(((there - back)[seen] ** 2 / (there + back)[seen]).sum())
    df = int(seen.sum())
    return Test(statistic, df, float(special.chdtrc(df, statistic)) if df else 1.0)


def stuart_maxwell(table: Ints) -> Test:
    """Do both sides predict each class equally often (Stuart 1955, Maxwell 1970)?

    Classes on which the sides never differ are left out: they would make the covariance singular.
    """
    off = table.sum(axis=0) + table.sum(axis=1) - 2 * np.diag(table) > 0
    square = table[np.ix_(off, off)].astype(float)
    if len(square) < 2:
        return Test(0.0, 0, 1.0)
    differences = square.sum(axis=1) - square.sum(axis=0)
    covariance = -(square + square.T)
    np.fill_diagonal(covariance, square.sum(axis=1) + square.sum(axis=0) - 2 * np.diag(square))
    inverse = np.linalg.pinv(covariance, hermitian=True)
    df = int(np.linalg.matrix_rank(covariance, hermitian=True))
    statistic = float(differences @ inverse @ differences)
    return Test(statistic, df, float(special.chdtrc(df, statistic)))


def total_variation(p: ArrayLike, q: ArrayLike) -> float:
    """Half the sum of absolute differences of two distributions: 0 for equal, 1 for disjoint."""
    return float(np.abs(np.asarray(p, float) - np.asarray(q, float)).sum() / 2)


def jensen_shannon(p: ArrayLike, q: ArrayLike) -> float:
    """Jensen-Shannon distance in base 2 (Endres, Schindelin 2003): 0 for equal, 1 for disjoint."""
    from scipy.spatial.distance import jensenshannon  # slow to import

    return float(jensenshannon(np.asarray(p, float), np.asarray(q, float), base=2))


def negative_log_likelihood(probabilities: Floats, labels: Ints) -> float:
    """Mean of -log of the true class's probability, in nats, none taken below 1e-15."""
    chosen = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.clip(chosen, 1e-15, None)).mean())


def expected_calibration_error(probabilities: Floats, labels: Ints, bins: int = 15) -> float:
    """Mean gap between confidence and accuracy over equal bins (Guo et al. 2017)."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    # Bins are open on the left and closed on the right, as in the paper.
    index = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(index, weights=right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))
