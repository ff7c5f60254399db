"""Whether answers are as sure as they are right: said beside a verdict, never part of it."""

import numpy as np
from numpy.typing import NDArray

from parity.judge.answers import Ints, Side
from parity.watch.diagnosis.figures import factor_for

Floats = NDArray[np.float64]
UNLIKE = 0.05
"""Between the mean confidences of two sides, which seeds of one side hardly come to."""
OFF = 0.1
"""Between the mean confidence and the accuracy of one model, beyond chance. Measured on MNIST and
others: up to 0.06, but for networks that have learned few images by heart."""
ENOUGH = 100
"""Images."""
SAME = 0.999
"""Correlation of the scores of two models, from which on one has the other's, scaled."""


def unlike_confidence(a: Side, b: Side) -> list[str]:
    """How sure each side is, in words, where they differ in it; whichever classes they answer."""
    shares = [run.probabilities for side in (a, b) for run in side.runs]
    known = [each for each in shares if each is not None]
    if len(known) < len(shares):
        return []
    means = [float(np.nanmean(each.max(axis=1))) for each in known]
    first, second = means[: len(a.runs)], means[len(a.runs) :]
    if max(min(first) - max(second), min(second) - max(first)) < UNLIKE:
        return []
    said = (
        f"confidence: {a.name} is sure of its answers by {np.mean(first):.1%} on average, {b.name} "
        f"by {np.mean(second):.1%}"
    )
    if len(known) == 2 and (factor := _factor(*known)) is not None:
        said += f"; its scores are those of {a.name}, times {factor:.3g} (temperature)"
    return [said]


def _factor(a: Floats, b: Floats) -> float | None:
    """What the scores of one model are multiplied by to give those of another, if they are."""
    sure = (np.minimum(a, b) > 1e-9).all(axis=1) if a.shape == b.shape else np.zeros(0)
    if sure.sum() < ENOUGH:
        return None
    x, y = (np.log(each[sure]) for each in (a, b))
    x, y = (each - each.mean(axis=1, keepdims=True) for each in (x, y))
    both, lengths = float((x * y).sum()), [float((each**2).sum()) for each in (x, y)]
    return both / lengths[0] if both > SAME * np.sqrt(lengths[0] * lengths[1]) else None


def sure_and_right(logarithms: Floats, labels: Ints) -> list[str]:
    """How far confidence is from accuracy, in words; nothing where it is near, or images are few.

    The factor has the greatest log-likelihood, which is concave (Guo et al., On Calibration of
    Modern Neural Networks, 2017): where its slope is 0 is bisected.

    Args:
        logarithms: Of the probabilities, finite float [N, C].
        labels: int64 [N].
    """
    right = float((logarithms.argmax(axis=1) == labels).mean())
    sure = float(np.exp(logarithms.max(axis=1)).mean())
    chance = 3.5 / (2 * np.sqrt(len(labels)))  # standard errors, at most
    if len(labels) < ENOUGH or abs(sure - right) < OFF + chance:
        return []
    wanted = float(logarithms[np.arange(len(labels)), labels].mean())

    def expected(shares: Floats) -> float:
        return float((shares * logarithms).sum(axis=1).mean())

    factor = factor_for(logarithms, expected, wanted, 5.0)
    return [
        f"{'too sure' if sure > right else 'unsure'} of itself: a mean confidence of {sure:.0%}, "
        f"where {right:.1%} are right; scores times {factor:.2g} would fit the labels best"
    ]
