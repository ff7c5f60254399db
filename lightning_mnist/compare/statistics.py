"""Which of several recipes differ: paired t-tests over seeds, Holm's correction."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

LEVEL = 0.05
"""Chance that any difference at all is called real where there is none."""


@dataclass(frozen=True)
class Difference:
    """Two recipes over the seeds that both have, `first` that of the higher mean.

    `mean` is first minus second, of accuracies in 0..1, and `low` to `high` its 95 % interval, on
    its own; `p` is corrected for all tests that are made, and `real` where it is below `LEVEL`.
    """

    first: str
    second: str
    mean: float
    low: float
    high: float
    p: float
    real: bool


def differences(accuracies: Mapping[str, Sequence[float]], images: int) -> list[Difference]:
    """Test every pair of recipes.

    The runs of one seed have the same validation images, and so are compared with one another: a
    paired t-test (Student 1908), which asks nothing of how the two recipes' deviations compare. Of
    k recipes k(k-1)/2 pairs are tested; Holm (1979) keeps the chance of any false alarm at `LEVEL`
    whatever the tests have to do with each other.

    Args:
        accuracies: Of each recipe, in the order of the seeds, in 0..1.
        images: That each is measured on. An accuracy is a whole number of these, so a deviation is
            taken as no smaller than that of rounding to one, 1/sqrt(12) image for either side.

    Returns:
        All pairs, the smallest p first; none where there are fewer than two seeds.
    """
    tested = []
    for one, other in combinations(accuracies, 2):
        by_seed = np.subtract(accuracies[one], accuracies[other])
        if len(by_seed) < 2:
            return []
        first, second = (one, other) if by_seed.mean() >= 0 else (other, one)
        tested.append((first, second, *_paired(by_seed if first == one else -by_seed, images)))
    tested.sort(key=lambda pair: pair[-1])
    corrected = holm([pair[-1] for pair in tested])
    return [
        Difference(*pair[:-1], p=p, real=p < LEVEL)
        for pair, p in zip(tested, corrected, strict=True)
    ]


def holm(ps: Sequence[float]) -> list[float]:
    """P-values in ascending order, corrected by Holm's step-down method (1979)."""
    corrected: list[float] = []
    for place, p in enumerate(ps):
        corrected.append(max([min(1.0, p * (len(ps) - place)), *corrected[-1:]]))
    return corrected


def _paired(by_seed: np.ndarray, images: int) -> tuple[float, float, float, float]:
    """Mean, both ends of its 95 % interval, and p of differences [S] by seed."""
    count, mean = len(by_seed), float(by_seed.mean())
    rounding = math.sqrt(2 / 12) / images
    error = max(float(by_seed.std(ddof=1)), rounding) / math.sqrt(count)
    p = 2 * float(stats.t.sf(abs(mean) / error, count - 1))
    half = float(stats.t.ppf(0.975, count - 1)) * error
    return mean, mean - half, mean + half, p
