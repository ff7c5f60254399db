"""Whether answers are as sure as they are right: said beside a verdict, never part of it."""

import numpy as np
from numpy.typing import NDArray

from parity.judge.answers import Ints, Run, Side

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
    means = [[_mean(run) for run in side.runs] for side in (a, b)]
    known = [value for values in means for value in values if value is not None]
    if len(known) < len(a.runs) + len(b.runs):
        return []
    first, second = known[: len(a.runs)], known[len(a.runs) :]
    if max(min(first) - max(second), min(second) - max(first)) < UNLIKE:
        return []
    said = (
        f"confidence: {a.name} is sure of its answers by {np.mean(first):.1%} on average, {b.name} "
        f"by {np.mean(second):.1%}"
    )
    if len(known) == 2 and (factor := _factor(a.runs[0], b.runs[0])) is not None:
        said += f"; the scores of {b.name} are those of {a.name}, times {factor:.3g} (temperature)"
    return [said]


def _mean(run: Run) -> float | None:
    if run.probabilities is None:
        return None
    return float(np.nanmean(run.probabilities.max(axis=1)))


def _factor(a: Run, b: Run) -> float | None:
    """What the scores of one model are multiplied by to give those of another, if they are."""
    known = [run.probabilities for run in (a, b) if run.probabilities is not None]
    if len(known) < 2 or known[0].shape != known[1].shape:
        return None
    sure = np.isfinite(known[0] + known[1]).all(axis=1) & (np.minimum(*known).min(axis=1) > 1e-9)
    if sure.sum() < ENOUGH:
        return None
    x, y = (np.log(each[sure]) for each in known)
    x, y = (each - each.mean(axis=1, keepdims=True) for each in (x, y))
    correlation = float((x * y).sum() / np.sqrt((x**2).sum() * (y**2).sum()))
    return float((x * y).sum() / (x**2).sum()) if correlation > SAME else None


def sure_and_right(logarithms: Floats, labels: Ints) -> list[str]:
    """How far confidence is from accuracy, in words; nothing where it is near, or images are few.

    Args:
        logarithms: Of the probabilities, finite float [N, C].
        labels: int64 [N].
    """
    right = float((logarithms.argmax(axis=1) == labels).mean())
    sure = float(np.exp(logarithms.max(axis=1)).mean())
    chance = 3.5 / (2 * np.sqrt(len(labels)))  # standard errors, at most
    if len(labels) < ENOUGH or abs(sure - right) < OFF + chance:
        return []
    factor = _best_factor(logarithms, labels)
    scaled = logarithms * factor
    fitted = (np.exp(scaled.max(axis=1)) / np.exp(scaled).sum(axis=1)).mean()
    advice = f"; scores times {factor:.2g} would be as sure as they are right"
    return [
        f"{'too sure' if sure > right else 'unsure'} of itself: a mean confidence of {sure:.0%}, "
        f"where {right:.1%} are right" + advice * bool(abs(fitted - right) < OFF / 3)
    ]


def _best_factor(logarithms: Floats, labels: Ints) -> float:
    """What to multiply logits by so that the log-likelihood of the labels is greatest.

    That is concave (Guo et al., On Calibration of Modern Neural Networks, 2017): its slope is
    bisected.
    """
    below = logarithms - logarithms.max(axis=1, keepdims=True)
    wanted = below[np.arange(len(labels)), labels].mean()
    low, high = -5.0, 5.0  # of the logarithm of the factor
    for _ in range(30):
        middle = (low + high) / 2
        shares = np.exp(below * np.exp(middle))
        expected = ((shares * below).sum(axis=1) / shares.sum(axis=1)).mean()
        low, high = (low, middle) if expected > wanted else (middle, high)
    return float(np.exp(high))
