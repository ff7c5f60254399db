"""Figures that causes are judged by, of plain arrays (numpy only)."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SURE = 3.5
"""Standard errors beyond which a difference is no chance: 1 in 4,000."""
WRONG = 0.01
"""Share of the labels that a trial takes to be wrong: the surest network is not the likeliest."""


def log_softmax(logits: Floats) -> Floats:
    """Natural logarithms of the probabilities, float [N, C]."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    result: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result


def sharpened(logits: Floats, factor: float) -> Floats:
    """Probabilities [N, C] at the temperature ``1 / factor``."""
    shares: Floats = np.exp(log_softmax(logits * factor))
    return shares


def factor_for(
    logits: Floats, figure: Callable[[Floats], float], wanted: float, highest: float
) -> float:
    """What logits [N, C] are multiplied by, for a figure of the probabilities to be `wanted`.

    The figure grows with the factor, whose logarithm is bisected between -5 and `highest`.
    """
    low, high = -5.0, highest
    for _ in range(30):
        middle = (low + high) / 2
        above = figure(sharpened(logits, np.exp(middle))) > wanted
        low, high = (low, middle) if above else (middle, high)
    return float(np.exp(high))


def above_majority(shares: Floats, part: float) -> float:
    """Accuracy that lies this part of the way from the majority class to all right.

    Where there is one class only, from what guessing would give.
    """
    majority = float(shares.max()) if (shares > 0).sum() > 1 else 1 / len(shares)
    return majority + part * (1 - majority)


def standard_error(share: float, *counts: int) -> float:
    """Of the difference between shares that are `share` in truth, seen in so many images each."""
    # One more of each kind (Laplace): a share of 0 or 1 among few images is not certain.
    return float(np.sqrt(sum(max(share * (1 - share), 1 / n) / n for n in counts if n)))


def depend(predicted: NDArray[np.int64], labels: NDArray[np.int64]) -> bool:
    """Whether answers tell of labels, or of another's answers, by Pearson's chi-squared test.

    Swapped or shifted classes do, however few are answered alike.
    """
    (rows, row), (columns, column) = (
        np.unique(v, return_inverse=True) for v in (labels, predicted)
    )
    table = np.zeros((len(rows), len(columns)))
    np.add.at(table, (row, column), 1)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / len(labels)
    freedom = (len(rows) - 1) * (len(columns) - 1)
    excess = float(((table - expected) ** 2 / expected).sum()) - freedom
    return bool(excess > SURE * np.sqrt(2 * freedom))


def in_rows(rows: NDArray[np.int64]) -> str:
    """The first of the rows, or the ends of the one block that they are, in words."""
    if len(rows) > 5 and np.ptp(rows) + 1 == len(rows):
        return f"rows {rows[0]} to {rows[-1]}"
    return f"rows {', '.join([*map(str, rows[:5]), *['...'] * (len(rows) > 5)])}"


def right_and_loss(logs: Floats, labels: NDArray[np.int64]) -> tuple[float, float]:
    """The share that is right, and the cross-entropy in nats, infinite where it is not finite.

    Logarithms of probabilities are [N, C]. One label in a hundred is taken to be wrong: a network
    is not trained to be surer than that, but one that is fed 255 times its pixels is, and pays
    only where it errs.
    """
    of_label = logs[np.arange(len(logs)), labels]
    loss = -float(((1 - WRONG) * of_label + WRONG * logs.mean(axis=1)).mean())
    right = float((logs.argmax(axis=1) == labels).mean())
    return right, loss if np.isfinite(loss) else np.inf
