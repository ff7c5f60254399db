"""From which layer on two models with the same weights answer otherwise, and why."""

from collections.abc import Mapping

from parity.arrays import Array, Table
from parity.match.pairs import Pair
from parity.readings import layers as of_layers
from parity.readings.case import Case
from parity.readings.rounding import magnitude, worst

SHAPING = ("flatten", "reshape", "permute")
"""Kinds that move values and leave them as they are."""
IDLE = (*SHAPING, "dropout", "spatial_dropout")
"""Kinds that leave values as they are where nothing is trained."""
NEAR = 1e-4
"""Relative to the largest output of a layer."""


def parting(
    pairs: list[Pair],
    weights: Table,
    x: Array,
    a: Table,
    b: Table,
    called: tuple[Mapping[str, str], Mapping[str, str]],
) -> str:
    """The first layer whose outputs differ, in words.

    Args:
        pairs: Layers of A and of B.
        weights: Of A.
        x: What both were fed, channels last.
        a: What each layer of A gave, in order.
        b: What those of B gave.
        called: What the programs of A and B call their layers.
    """
    names = {pair.a.ends: pair.b.ends for pair in pairs}
    names |= {name: name for name in a if name in b and not name.startswith(SHAPING)} | names
    before, fed = "", x
    for name, other in ((name, names[name]) for name in a if name in names):
        if other not in b:
            continue
        theirs = _like(b[other], a[name])
        apart = worst(a[name], theirs)
        if apart > NEAR * magnitude(a[name]):
            said = (
                f"gives up to {apart:.1e} else"
                if apart < float("inf")
                else f"gives {list(a[name].shape)} and {list(b[other].shape)}"
            )
            case = Case(
                ("A", "B"), weights | {of_layers.INPUT: fed}, {name: a[name]}, {name: theirs}, name
            )
            causes = [cause.text for cause in of_layers.explain(case)]
            ends = [known.get(key) or key for known, key in zip(called, (name, other), strict=True)]
            where = name if ends == [name, name] else f"{name} ({ends[0]} of A, {ends[1]} of B)"
            between = (
                _between(list(a), before, name),
                _between(list(b), names.get(before, ""), other),
            )
            if not causes and between[0] != between[1]:
                has = [", ".join(those) or "nothing" for those in between]
                causes = [f"before it A has {has[0]} and B {has[1]}"]
            return "; ".join([f"{where} {said}", *causes])
        before, fed = name, a[name]
    return "no layer with weights differs, but what is computed behind them does"


def _like(values: Array, wanted: Array) -> Array:
    """Of a recurrent layer that gives all its steps the last one, where the other gives that."""
    if values.ndim == wanted.ndim + 1 and values[:, -1].shape == wanted.shape:
        return values[:, -1]
    fits = values.shape != wanted.shape and values.size == wanted.size
    return values.reshape(wanted.shape) if fits else values


def _between(order: list[str], before: str, name: str) -> list[str]:
    """The layers between two that change values."""
    begin = order.index(before) + 1 if before in order else 0
    return [layer for layer in order[begin : order.index(name)] if not layer.startswith(IDLE)]
