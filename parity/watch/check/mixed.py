"""Whether the samples of a batch are mixed, asked of any model by its answers (NumPy only)."""

from collections.abc import Callable

import numpy as np

from parity.arrays import Array, Ints

LEAST = 8
"""Samples from which on it is asked."""
DIFFER, ROUNDED = 0.05, 0.01
"""Of the answers' deviation, and of their size, from which on a difference is no rounding."""


def mixed(outputs: Array, part: Callable[[Ints], Array], again: Callable[[], Array]) -> bool:
    """Whether an answer depends on the other samples of its batch.

    Args:
        outputs: The answers to N samples in one batch, float [N, ...].
        part: Gives the answers to some of them in a batch of their own, by index.
        again: Gives all of `outputs` once more: what is drawn at random is another then, too.
    """
    count = len(outputs)
    if count < LEAST:
        return False
    chosen = np.arange(count - max(count // 8, 4), count)[::-1].copy()
    return _differ(outputs[chosen], part(chosen)) and not _differ(outputs, again())


def _differ(one: Array, other: Array) -> bool:
    """Whether two answers differ by more than rounding does."""
    if one.shape != other.shape or not (np.isfinite(one).all() and np.isfinite(other).all()):
        return False
    with np.errstate(over="ignore", invalid="ignore"):  # answers may be anything
        rounding = DIFFER * one.std() + ROUNDED * np.abs(one).max() + 1e-6
        return bool(np.abs(one - other).max() > rounding)  # what comes first has nothing before it
