"""From which layer on two models with the same weights answer otherwise, and why."""

from parity.arrays import Table
from parity.match.pairs import Pair
from parity.readings import layers as of_layers
from parity.readings.case import Case
from parity.readings.rounding import magnitude, worst

SHAPING = ("flatten", "reshape", "permute")
"""Kinds that move values and leave them as they are."""
NEAR = 1e-4
"""Relative to the largest output of a layer."""


def parting(pairs: list[Pair], weights: Table, a: Table, b: Table) -> str:
    """The first layer whose outputs differ, in words.

    Args:
        pairs: Layers of A and of B.
        weights: Of A.
        a: What each layer of A gave, in order.
        b: What those of B gave.
    """
    names = {pair.a.ends: pair.b.ends for pair in pairs}
    names |= {name: name for name in a if name in b and not name.startswith(SHAPING)} | names
    before = ""
    for name, other in ((name, names[name]) for name in a if name in names):
        if other not in b:
            continue
        if a[name].shape != b[other].shape and a[name].size == b[other].size:
            b = b | {other: b[other].reshape(a[name].shape)}
        apart = worst(a[name], b[other])
        if apart > NEAR * magnitude(a[name]):
            said = (
                f"{name} gives up to {apart:.1e} else"
                if apart < float("inf")
                else (f"{name} gives {list(a[name].shape)} and {list(b[other].shape)}")
            )
            given = weights | ({of_layers.INPUT: a[before]} if before else {})
            case = Case(("A", "B"), given, {name: a[name]}, {name: b[other]}, name)
            causes = of_layers.explain(case) if before else []
            return "; ".join([said, *(cause.text for cause in causes)])
        before = name
    return "no layer with weights differs, but what is computed behind them does"
