"""What any network answers and is asked to answer, as classes and logits (NumPy only)."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.floating[Any]]
Unit = Literal["logit", "probability"]
ROUNDED = 5e-3
"""By how much shares of a batch that are rounded may miss their sum, 1."""


def labels_of(targets: NDArray[Any], columns: int) -> Ints | None:
    """The classes that targets name, int64 [N]; None where they name none.

    Args:
        targets: Integers [N] or [N, 1] from 0, in any type; or one row for each sample, [N, C],
            of shares that add up to 1: one-hot, perhaps smoothed.
        columns: Classes, C; 2 where a single unit answers.
    """
    values = np.asarray(targets)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.dtype.kind not in "iufb" or values.size == 0 or not np.isfinite(values).all():
        return None
    if values.ndim == 2 and values.shape[1] == columns:
        shares = (values >= 0).all() and np.allclose(values.sum(axis=1), 1, atol=1e-3)
        return np.asarray(values.argmax(axis=1), np.int64) if shares else None
    whole = values.ndim == 1 and np.array_equal(values, np.round(values))
    if not whole or values.min() < 0 or values.max() >= columns:
        return None
    return values.astype(np.int64)


def logits_of(outputs: Floats, unit: Unit | None = None) -> Floats | None:
    """Logits float [N, C], C at least 2, that say the same; None where outputs are no classes.

    Probabilities, rows that add up to 1, become their logarithms. A single unit becomes two
    classes, 0 and its own.

    Args:
        outputs: Of the network, [N, C], [N, 1] or [N].
        unit: What a single unit gives; None where it is neither.
    """
    values = np.asarray(outputs, np.float32)
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2:
        return None
    if values.shape[1] == 1:
        if unit is None:
            return None
        if unit == "logit":
            return np.concatenate([np.zeros_like(values), values], axis=1)
        values = np.concatenate([1 - values, values], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        probabilities = (values >= 0).all() and np.allclose(values.sum(axis=1), 1, atol=1e-3)
        smallest = np.finfo(np.float32).tiny
        return np.log(np.maximum(values, smallest)) if probabilities else values


def softmaxed_batches(outputs: Floats) -> int | None:
    """Batches over whose images a softmax was taken, instead of over the classes; None if none was.

    Evidence: the images in batches of one size, the last perhaps smaller, each column of each
    batch adds up to 1, and rows do not.

    Args:
        outputs: float [N, C].
    """
    values = np.asarray(outputs, np.float64)
    if len(values) < 2 or not (values.min() >= 0 and values.max() <= 1 + ROUNDED):
        return None  # nor where any is not finite
    so_far = values.cumsum(axis=0)
    batches = max(1, round(float(so_far[-1].mean())))
    off = float(np.abs(values.sum(axis=1) - 1).max())
    if batches > len(values) / 2 or off < 10 * ROUNDED:
        return None
    least = -(-len(values) // batches)
    most = len(values) if batches == 1 else -(-len(values) // (batches - 1)) - 1
    for size in range(least, most + 1):
        ends = np.append(so_far[size - 1 : len(values) - 1 : size], so_far[-1:], axis=0)
        each = np.diff(ends, axis=0, prepend=0.0)
        if np.abs(each - 1).max() < ROUNDED:
            return batches
    return None
