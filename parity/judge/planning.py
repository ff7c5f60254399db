"""How many seeds would decide what is still open?"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import special

from parity.judge.equivalence import Estimate

MOST = 1_000
"""Seeds a side beyond which nobody would go."""
PRIOR_DF = 4.0
"""Weight of a group's common variance against each own one, in degrees of freedom."""
DOUBT_DF = 2.0
"""Degrees of freedom by which a variance is better known than the seeds say: seeds that were looked
at because they decide nothing vary more than others. Found by simulation; without it, three seeds
ask for more than twice too many."""
PRIOR_DIFFERENCE, PRIOR_DIFFERENCES = 0.35, 1.0
"""Deviation of true differences before any is measured, in units of the margin, and how many
measured ones that counts for. A single difference says little of how large differences are: taken
for all that is known, a small one would be 0 for certain, and a large one true to the full. Found
by simulation, over true differences of 0 to 0.7 of the margin."""
QUANTILES = (np.arange(12) + 0.5) / 12
"""Of what the variance may be."""
POWER = 0.8
Floats = NDArray[np.float64]


Group = tuple[list[Estimate], float]
"""Differences of one kind, such as the recall of each class, and their common margin."""


def seeds_needed(groups: Sequence[Group], seeds: int, alpha: float) -> int | None:
    """Seeds a side that decide everything, either way, with a probability of `POWER`.

    Groups are all that must lie within a margin, each `Estimate` from one value a seed.

    Predictive power (Spiegelhalter, Freedman, Blackburn 1986): what the seeds so far have measured
    stays in the mean, and what further ones will add is drawn around the differences' empirical
    Bayes estimates (Efron, Morris 1975), since of many noisy differences the largest is large by
    chance, with a prior for how large they are, since of a few that cannot be told. Variances are
    moderated likewise (Smyth 2004), and since those of a few seeds are hardly known, the chance is
    the mean over what they may be (assurance: O'Hagan, Stevens, Campbell 2005), by the scaled
    inverse chi-squared posterior.

    Returns:
        At least one more than there are; None where more than `MOST` would be needed, or where
        nothing is known of the spread between seeds.
    """
    known = [(estimates, margin) for estimates, margin in groups if estimates]
    if not known or any(np.isinf(e.spread) for estimates, _ in known for e in estimates):
        return None
    totals = np.arange(seeds + 1, MOST + 1, dtype=float)[:, None]
    within, not_beyond = np.ones(len(totals)), np.ones(len(totals))
    for estimates, margin in known:
        inside, beyond = _chances(estimates, margin, seeds, totals, alpha)
        within *= inside.prod(axis=1)
        not_beyond *= (1 - beyond).prod(axis=1)
    enough = np.flatnonzero(within + (1 - not_beyond) >= POWER)
    return int(totals[enough[0], 0]) if len(enough) else None


def in_words(needed: int | None) -> str:
    """What is said of `seeds_needed`."""
    if needed is None:
        return f"more than {MOST:,} seeds a side would be needed: the margins are too tight"
    return f"about {needed} seeds a side would decide, in {POWER:.0%} of such cases"


def _chances(
    estimates: list[Estimate], margin: float, seeds: int, totals: Floats, alpha: float
) -> tuple[Floats, Floats]:
    """That each difference is shown to lie within the margin, or beyond it: float [totals, E]."""
    differences = np.array([e.difference for e in estimates])
    df = np.array([e.df for e in estimates])
    own = np.array([e.spread for e in estimates]) ** 2
    weight = PRIOR_DF * (len(own) > 1)
    variance = (weight * own.mean() + df * own) / (weight + df) + 1e-18
    error = variance / seeds
    measured = max(0.0, float((differences**2 - error).mean()))
    before = PRIOR_DIFFERENCES * (PRIOR_DIFFERENCE * margin) ** 2
    true = (before + len(own) * measured) / (PRIOR_DIFFERENCES + len(own))  # their variance
    critical = special.stdtrit(df * (totals - 1) / max(seeds - 1, 1), 1 - alpha)
    doubtful = weight + df + DOUBT_DF
    within, beyond = np.zeros((2, len(totals), len(estimates)))
    for quantile in QUANTILES:
        possible = variance * doubtful / special.chdtri(doubtful, 1 - quantile)
        chances = _chances_at(possible, differences, true, margin, seeds, totals, critical)
        within += chances[0] / len(QUANTILES)
        beyond += chances[1] / len(QUANTILES)
    return within, beyond


def _chances_at(
    variance: Floats,
    differences: Floats,
    true: float,
    margin: float,
    seeds: int,
    totals: Floats,
    critical: Floats,
) -> tuple[Floats, Floats]:
    """The same, for known variances float [E]; `true` is that of the true differences."""
    error = variance / seeds
    kept = true / (true + error)
    share = (totals - seeds) / totals
    mean = (1 - share) * differences + share * kept * differences
    deviation = share * np.sqrt(kept * error + variance / (totals - seeds))
    half = critical * np.sqrt(variance / totals)
    inner, outer = margin - half, margin + half
    inside = special.ndtr((inner - mean) / deviation) - special.ndtr((-inner - mean) / deviation)
    beyond = special.ndtr((mean - outer) / deviation) + special.ndtr((-outer - mean) / deviation)
    return inside.clip(0, 1), beyond.clip(0, 1)
