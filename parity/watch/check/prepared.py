"""Causes in how held-out samples were prepared, as their mean tells (NumPy only)."""

import numpy as np

from parity.watch.check.adapting import OTHERWISE
from parity.watch.check.cause import Cause, Match
from parity.watch.check.data import first_learned
from parity.watch.check.program import Array, Program

ENOUGH = 32
"""Samples on either side, from which on their mean tells."""
PLACES = 64
"""Features from which on the mean of samples has a shape of its own."""
ALIKE = 0.7
"""Correlation between mean samples of the same kind, at least: 0.9 between digits of 32 each."""
OTHER_SCALE = 3.0
"""Ratio between the scales of training and test samples that sampling does not make."""
SCALED = 1.5
"""Ratio of scales that neither chance nor augmentation makes."""
AGREE = 1.25
"""Ratio up to which the scales of means and of values are one and the same."""
STANDARD = 0.15
"""How far means and deviations of standardised features lie from 0 and 1, at most."""
FAR = 3.0
"""Mean, or ratio of deviations, that standardised features of a split do not have."""
ADVICE = "Prepare both in one function, with the training samples' mean and deviation"


def inverted(program: Program) -> Match | None:
    """The negatives of what is trained on."""
    for name, own, other in _pairs(program):
        alike = _alike(own, other)
        if alike < -ALIKE:
            return Match(
                f"{name} samples are the negatives of those of training",
                f"where these are bright on average those are dark: the correlation is {alike:.2f}",
                "Leave 1 - x, or the inversion, out of one, or do it in both",
            )
    return None


def scaled_unlike(program: Program) -> Match | None:
    """Validation or test samples on another scale than those of training."""
    for name, own, other in _pairs(program):
        sizes = [float(np.sqrt((values**2).mean())) for values in (own, other)]
        if min(sizes) > 0 and max(sizes) >= OTHER_SCALE * min(sizes):
            return Match(
                f"{name} samples are scaled unlike those of training",
                f"training is {own.min():.3g} to {own.max():.3g}, {name} {other.min():.3g} to "
                f"{other.max():.3g}",
                ADVICE,
            )
    return None


def prepared(program: Program) -> Match | None:
    """The same kind of samples on another scale."""
    for name, own, other in _pairs(program):
        ratio = float(other.std() / (own.std() or 1.0))
        otherwise = ratio > 0 and not 1 / OTHERWISE < ratio < OTHERWISE
        if not (otherwise or _rescaled(own, other) or _raw(own, other)):
            continue
        return Match(
            f"{name} samples are not prepared as those of training",
            f"training has a mean of {own.mean():.3g} and a deviation of {own.std():.3g}, {name} "
            f"of {other.mean():.3g} and {other.std():.3g}",
            ADVICE,
        )
    return None


def _pairs(program: Program) -> list[tuple[str, Array, Array]]:
    """Samples of training and others, float64 [N, F], where there are enough."""
    fed, found = program.fed, []
    if fed is None or fed.dtype.kind not in "iuf" or first_learned(program) == "embedding":
        return []
    for name, other in program.others.items():
        if not len(other) or fed.shape[1:] != other.shape[1:]:
            continue
        own, its = (values.reshape(len(values), -1).astype(np.float64) for values in (fed, other))
        its = np.unique(its, axis=0)  # the same may be asked for again and again
        if min(len(own), len(its)) >= ENOUGH and np.isfinite(own).all() and np.isfinite(its).all():
            found.append((name, own, its))
    return found


def _alike(own: Array, other: Array) -> float:
    """Correlation of the mean samples; 0 where they have no shape."""
    means = own.mean(axis=0), other.mean(axis=0)
    if own.shape[1] < PLACES or min(mean.std() for mean in means) == 0:
        return 0.0
    return float(np.corrcoef(*means)[0, 1])


def _rescaled(own: Array, other: Array) -> bool:
    """Whether the mean sample, and all values with it, are another one times a factor."""
    if _alike(own, other) < ALIKE:
        return False
    means = float(other.mean(axis=0).std() / own.mean(axis=0).std())
    values = float(other.std() / own.std())
    agree = max(means / values, values / means) < AGREE
    return agree and max(values, 1 / values) > SCALED


def _raw(own: Array, other: Array) -> bool:
    """Whether only the training's features are standardised."""
    if own.shape[1] < 3:
        return False
    standard = np.abs(own.mean(axis=0)).max() < STANDARD
    standard &= np.abs(own.std(axis=0) - 1).max() < STANDARD
    deviations = other.std(axis=0)
    far = (np.abs(other.mean(axis=0)) > FAR) | (deviations > FAR) | (deviations < 1 / FAR)
    return bool(standard and far.mean() >= 0.5)


CAUSES = (
    Cause("scaled unlike", scaled_unlike, explains=("prepared",)),
    Cause("inverted", inverted, explains=("scaled unlike", "prepared")),
    Cause("prepared", prepared),
)
