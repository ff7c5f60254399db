"""What a layer is fed on one side as a change of what it is on the other, where no way is known."""

import numpy as np

from parity.arrays import Array, Floats, Ints, Names
from parity.readings.cause import UNEXPLAINED, Cause
from parity.readings.pixels import PIXELS
from parity.readings.precisions import PRECISIONS, Precision
from parity.readings.rounding import magnitude, noise, usable, worst
from parity.readings.wiring import ANSWER, Wires

SAME = "though all layers before it give the same"
ORDER, SCALE, PRECISION = "order of values", "scale", "precision"
ADVICE = "reshape, transpose, split and join alike: channels last against first, depth to space"
FEWEST = 4
"""Rows that two columns must have alike to be one."""
MOST_SHOWN = 8
EMPTY = np.zeros(0)
"""What a layer gives that one side has within another."""


def explain(
    sides: tuple[Wires, Wires], owners: list[str], names: Names, times: float = 1.0
) -> list[Cause]:
    """The first layer that is fed something else though every layer before it gives the same.

    `owners` are layers with weights, which are one on both sides. Up to `times` times as much as
    rounding is none, where a side rounds constants.

    Returns:
        One cause; `UNEXPLAINED` where all that is known is the place. Empty where a layer itself
        gives something else before that, or what the network is fed differs.
    """
    a, b = sides
    if worst(a.given[PIXELS], b.given[PIXELS]) > times * noise(b.given[PIXELS]):
        return []
    for layer in [name for name in (*b.given, ANSWER) if name in (*owners, ANSWER)]:
        if layer in a.fed and layer in b.fed:
            x, y = a.fed[layer], b.fed[layer]
            if x.shape == y.shape and worst(x, y) > times * noise(x, y):  # one may pad beforehand
                return [_named(layer, x, y, names)]
        x, y = (side.given.get(layer, EMPTY) for side in sides)
        if x.size and y.size and worst(x, y) > times * noise(y):
            return []
    return []


def _named(layer: str, a: Array, b: Array, names: Names) -> Cause:
    """What B feeds it is what A does in another order, or a multiple, or something else."""
    verb = "gives" if layer == ANSWER else "feeds it"
    begins, one = f"{layer}: {names[1]} {verb}", names[0]
    if a.ndim > 1 and usable(a, b):
        x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
        order = _order_words(x, y, one)
        if order:
            return Cause(ORDER, 0.0, f"{begins} {order}, {SAME}; to align them, {ADVICE}")
        factor = float((x * y).sum() / max((x * x).sum(), np.finfo(np.float64).tiny))
        left = worst(factor * x, y)
        if factor and left <= noise(a, b):
            said = f"{factor:.6g} times what {one} does"
            return Cause(SCALE, left, f"{begins} {said}, {SAME}; to align them, scale alike")
    gap = worst(a, b)
    for side, name, (own, other) in ((0, names[0], (a, b)), (1, names[1], (b, a))):
        for kind, precision in PRECISIONS.items():
            if gap <= precision.epsilon * magnitude(b) and _rounded(own, precision, other):
                said = f"{layer}: {name} {verb} what {names[1 - side]} does, rounded to {kind}"
                advice = "to align them, keep the network's precision in every layer"
                return Cause(PRECISION, 0.0, f"{said}, {SAME}; {advice}")
    how = f"something else, off by up to {gap:.1e}"
    text = f"{begins} {how}, {SAME}: look at what the program does right before it"
    return Cause(UNEXPLAINED, gap, text)


def _rounded(own: Array, precision: Precision, other: Array) -> bool:
    """Whether all of a side's numbers are of a coarser kind, which not all of the other's are."""
    mine, theirs = (worst(precision.round(x), x) for x in (own, other))
    return mine == 0 < theirs


def _order_words(x: Floats, y: Floats, name: str) -> str:
    """Which values are elsewhere; empty where they are others."""
    order = _order(x.reshape(-1, x.shape[-1]), y.reshape(-1, x.shape[-1]))
    if order is not None:
        more = ", ..." * (len(order) > MOST_SHOWN)
        return f"{name}'s channels in the order {', '.join(map(str, order[:MOST_SHOWN]))}{more}"
    if _order(x.reshape(len(x), -1), y.reshape(len(x), -1)) is None:
        return ""
    return f"what {name} does, the values of each sample in another order"


def _order(x: Floats, y: Floats) -> Ints | None:
    """Where each column of `y` stands in `x`, both [N, C]; None where it is none of them.

    Columns are brought into one order by a sum of their rows with weights drawn at random.
    """
    draw = np.random.default_rng(0).normal(size=len(x))
    ranks = (draw @ x).argsort(), (draw @ y).argsort()
    if len(x) < FEWEST or worst(x[:, ranks[0]], y[:, ranks[1]]) > noise(x, y):
        return None
    order = np.empty_like(ranks[0])
    order[ranks[1]] = ranks[0]
    return order
