"""Looking at the seeds again and again, with the chance of an error that a single look has.

Group sequential tests by alpha spending (Lan, DeMets 1983) with the function of Pocock's type:
of alpha, alpha ln(1 + (e - 1) t) has been spent when a share t of all seeds is there. Each look's
nominal level comes from the joint distribution of all looks, by recursive integration (Armitage,
McPherson, Rowe 1969; Jennison, Turnbull 2000, chapter 19), and is applied to the p-values of
Student's t (the significance level approach, ibid. 3.8).

It holds for either error. A difference beyond its margin is claimed, or one of the margin's size
overlooked, only where that one statistic crosses its boundary at some look; equivalence needs all
of them to cross theirs at the same look, and so no further correction (Berger, Hsu 1996).
"""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import special
from scipy.optimize import brentq

from parity.judge.outcome import Outcome
from parity.judge.verdict import Thresholds, Verdict

FIRST, STEP = 4, 2
"""Seeds a side at the first look, and more for each further one."""
POINTS = 801
"""Of the integration: levels are exact to five decimals."""
Floats = NDArray[np.float64]
AnyOutcome = TypeVar("AnyOutcome", bound=Outcome)


def looks(limit: int) -> list[int]:
    """Seeds a side at each look, `limit` at the last.

    Raises:
        ValueError: the limit is below the first look.
    """
    if limit < FIRST:
        raise ValueError(f"a limit of {limit} seeds a side; expected at least {FIRST}")
    return [*range(FIRST, limit, STEP), limit]


@cache
def nominal_levels(seeds: tuple[int, ...], alpha: float) -> list[float]:
    """The level at which to test at each look so that all together keep `alpha`, one-sided.

    `seeds` are those a side at each look, increasing; `alpha` is over all looks.
    """
    times = np.array(seeds) / seeds[-1]
    spent = np.diff(alpha * np.log1p((math.e - 1) * times), prepend=0.0)
    levels: list[float] = []
    grid, density, before = np.zeros(1), np.ones(1), 0.0  # of the score, no boundary crossed yet
    for time, share in zip(times, spent, strict=True):
        step = math.sqrt(time - before)
        bound = float(brentq(partial(_excess, grid, density, step, float(share)), 0.0, 9.0))
        levels.append(float(special.ndtr(-bound / math.sqrt(time))))
        points = np.linspace(-8.0 * math.sqrt(time), bound, POINTS)
        kernel = np.exp(-(((points[:, None] - grid) / step) ** 2) / 2)
        weights = np.full(POINTS, points[1] - points[0])
        weights[[0, -1]] /= 2  # trapezoids
        density = weights * (kernel @ density) / (step * math.sqrt(2 * math.pi))
        grid, before = points, float(time)
    return levels


def _excess(grid: Floats, density: Floats, step: float, share: float, bound: float) -> float:
    """By how much the chance of crossing `bound` in the next step exceeds `share`."""
    return float(density @ special.ndtr((grid - bound) / step)) - share


def until_decided(
    judged: Callable[[int, Thresholds], AnyOutcome], thresholds: Thresholds, limit: int
) -> AnyOutcome:
    """Go on, a few seeds at a time, until there is a verdict or the limit is reached.

    `judged` gives the outcome at so many seeds a side by these thresholds, whose alpha is kept over
    all looks together.

    Raises:
        ValueError: the limit is below the first look.
    """
    seeds = looks(limit)
    for count, level in zip(seeds, nominal_levels(tuple(seeds), thresholds.alpha), strict=True):
        outcome = judged(count, replace(thresholds, alpha=level))
        if outcome.verdict is not Verdict.INCONCLUSIVE:
            break
    return outcome
