"""Attention that a program writes itself: heads, scale, masks, axis (NumPy).

Scaled dot-product attention of several heads as in Vaswani et al. 2017, equation 1.
"""

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np

from parity.arrays import Array, Floats
from parity.readings.rows import softmax

QUERIES = "softmax over the queries"
HIDDEN = ("places padded with 0 hidden", "all places hidden but those padded with 0")
"""What a mask does: torch's key_padding_mask is true where Keras' mask is false."""

ORDERS = {
    "": (False, False),
    " of every n-th unit": (True, True),
    " of every n-th unit, given side by side": (True, False),
}
"""Which units a head has, and where it gives them."""


class Habit(NamedTuple):
    """How attention is computed.

    Attributes:
        heads: How many.
        scale: Factor of the scores.
        axis: Of the softmax.
        causal: Whether no place sees later ones.
        blank: Which places none sees: those that are known to be blank, or all others.
        apart: Whether a head has every n-th unit, and not a block of them.
        back: Whether what it gives lies there, too, and not in a block.
    """

    heads: int
    scale: float
    axis: int = -1
    causal: bool = False
    blank: str = ""
    apart: bool = False
    back: bool = False


def habits(places: int, units: int, *, blanks: bool) -> Iterator[tuple[str, Habit]]:
    """How attention over so many places and units may be computed, the usual first."""
    for heads in (n for n in range(1, units + 1) if units % n == 0):
        size = units // heads
        root = size**-0.5
        scales = {
            "over the root of a head's units": root,
            "not scaled": 1.0,
            "over the root of all units": units**-0.5,
            "over a head's units": 1 / size,
        }
        coarse = float(np.float32(root))
        if coarse != root:  # as Keras on TensorFlow has it, in float64 too
            scales["over the root of a head's units, rounded to float32"] = coarse
        order = tuple(ORDERS.items())[: None if 1 < heads < units else 1]
        mask = (False, True) if places > 1 else (False,)
        hide = ("", *HIDDEN) if blanks else ("",)
        for apart, scale, axis, causal, blank in product(
            order, scales.items(), (-1, -2), mask, hide
        ):
            words = (
                f"{heads} heads{apart[0]}, scores {scale[0]}"
                + f", {QUERIES}" * (axis == -2)
                + ", no place sees later ones" * causal
                + (f", {blank}" if blank else "")
            )
            yield words, Habit(heads, scale[1], axis, causal, blank, *apart[1])


def attention(
    queries: Floats, keys: Floats, values: Floats, habit: Habit, blank: Array | None = None
) -> Floats:
    """Of three outputs [B, T, D]: softmax(scale q k') v for each head, side by side, [B, T, D].

    Each output is [B, T, D], of each place; `blank`, bool [B, T], tells the places that are blank.
    """
    count, places, units = queries.shape
    split = (units // habit.heads, habit.heads) if habit.apart else (habit.heads, -1)

    def heads_of(part: Floats) -> Floats:
        each: Floats = part.reshape(count, places, *split)
        return (each.swapaxes(2, 3) if habit.apart else each).swapaxes(1, 2)

    q, k, v = (heads_of(part) for part in (queries, keys, values))
    scores = habit.scale * q @ k.swapaxes(2, 3)
    if habit.causal:
        scores = np.where(np.tri(places, dtype=bool), scores, -np.inf)
    if habit.blank and blank is not None:
        unseen = blank if habit.blank == HIDDEN[0] else ~blank
        scores = np.where(unseen[:, None, None, :], -np.inf, scores)
    turned = scores if habit.axis == -1 else scores.swapaxes(2, 3)
    with np.errstate(all="ignore"):
        shares = softmax(turned.reshape(-1, places)).reshape(turned.shape)
    shares = shares if habit.axis == -1 else shares.swapaxes(2, 3)
    given = (shares @ v).swapaxes(1, 2)
    return np.asarray((given.swapaxes(2, 3) if habit.back else given).reshape(queries.shape))
