"""Attention that a program writes itself: heads, scale, mask, axis (NumPy).

Scaled dot-product attention of several heads as in Vaswani et al. 2017, equation 1.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np

from parity.arrays import Floats
from parity.readings.rows import softmax

Habit = tuple[int, float, int, bool]
"""Heads, factor of the scores, axis of the softmax, whether no place sees later ones."""


def habits(places: int, units: int) -> Iterator[tuple[str, Habit]]:
    """How attention over so many places and units may be computed, the usual first."""
    for heads in (n for n in range(1, units + 1) if units % n == 0):
        size = units // heads
        scales = {
            "over the root of a head's units": size**-0.5,
            "not scaled": 1.0,
            "over the root of all units": units**-0.5,
            "over a head's units": 1 / size,
        }
        for scale, axis, causal in product(scales.items(), (-1, -2), (False, True)):
            over = "" if axis == -1 else ", softmax over the queries"
            mask = ", no place sees later ones" if causal else ""
            if causal <= (places > 1):
                words = f"{heads} heads, scores {scale[0]}{over}{mask}"
                yield words, (heads, scale[1], axis, causal)


def attention(queries: Floats, keys: Floats, values: Floats, habit: Habit) -> Floats:
    """Of three outputs [B, T, D]: softmax(scale q k') v for each head, side by side, [B, T, D]."""
    heads, scale, axis, causal = habit
    count, places, units = queries.shape
    q, k, v = (
        part.reshape(count, places, heads, units // heads).swapaxes(1, 2)
        for part in (queries, keys, values)
    )
    scores = scale * q @ k.swapaxes(2, 3)
    if causal:
        scores = np.where(np.tri(places, dtype=bool), scores, -np.inf)
    turned = scores if axis == -1 else scores.swapaxes(2, 3)
    with np.errstate(all="ignore"):
        shares = softmax(turned.reshape(-1, places)).reshape(turned.shape)
    shares = shares if axis == -1 else shares.swapaxes(2, 3)
    return np.asarray((shares @ v).swapaxes(1, 2).reshape(count, places, units))
