"""Whether two models' answers are one, and how far apart they are."""

from collections.abc import Callable

import numpy as np
from scipy.special import expit, log_softmax, softmax

from parity.arrays import Array
from parity.readings.rounding import magnitude, worst

TOLERANCE = 1e-5
"""Relative to the largest answer, or to 1 where that is smaller."""
DISTRIBUTION = 1e-4
"""How far rows of probabilities may be from summing to 1."""


def gap(a: Array, b: Array) -> tuple[float, str]:
    """The largest difference, relative to the largest answer, and what was done to compare them.

    Where one side answers with probabilities, or their logarithms, and the other with logits, the
    latter are brought through the function that they lack.
    """
    if a.shape != b.shape and a.size == b.size:
        moved = np.moveaxis(b, 1, -1) if b.ndim > 2 else b
        b = moved if moved.shape == a.shape else b.reshape(a.shape)
    plain = _relative(a, b)
    if a.shape != b.shape or plain <= TOLERANCE:
        return plain, ""
    views: list[tuple[str, Callable[[Array], Array], Callable[[Array], bool]]] = [
        ("softmax", lambda x: np.asarray(softmax(x, axis=-1)), _distribution),
        ("log-softmax", lambda x: np.asarray(log_softmax(x, axis=-1)), _logarithms),
        ("sigmoid", lambda x: np.asarray(expit(x)), _shares),
    ]
    for word, function, is_one in views:
        for has, lacks, known, pair in (
            ("A", "B", is_one(a), (a, function(b))),
            ("B", "A", is_one(b), (function(a), b)),
        ):
            found = _relative(*pair) if known else np.inf
            if found <= TOLERANCE:
                return found, f"{has} ends in a {word} that {lacks} leaves to its loss"
    return plain, ""


def alike(a: Array, b: Array) -> bool:
    """Whether they are one, to `TOLERANCE`."""
    return gap(a, b)[0] <= TOLERANCE


def _relative(a: Array, b: Array) -> float:
    # The smaller of both sides' largest: an answer that was blown up excuses nothing.
    return worst(a, b) / max(1.0, min(magnitude(a), magnitude(b)))


def _distribution(rows: Array) -> bool:
    total = rows.sum(axis=-1)
    whole = rows.ndim > 1 and rows.shape[-1] > 1
    return bool(whole and (rows >= 0).all() and (np.abs(total - 1) <= DISTRIBUTION).all())


def _logarithms(rows: Array) -> bool:
    return bool((rows <= 0).all()) and _distribution(np.exp(rows))


def _shares(values: Array) -> bool:
    return bool((values >= 0).all() and (values <= 1).all())
