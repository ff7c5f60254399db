"""Figures that causes are judged by, of plain arrays (numpy only)."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def log_softmax(logits: Floats) -> Floats:
    """Natural logarithms of the probabilities, float [N, C]."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    result: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result


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


def in_rows(rows: NDArray[np.int64]) -> str:
    """The first of the rows, or the ends of the one block that they are, in words."""
    if len(rows) > 5 and np.ptp(rows) + 1 == len(rows):
        return f"rows {rows[0]} to {rows[-1]}"
    return f"rows {', '.join([*map(str, rows[:5]), *['...'] * (len(rows) > 5)])}"
