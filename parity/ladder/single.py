"""Single steps: each layer of A is fed what that of B is fed, so that no mistake hides another."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from parity.arrays import Names, Table
from parity.readings import layers as of_layers
from parity.readings.case import Case
from parity.readings.cause import UNEXPLAINED, Cause
from parity.readings.rounding import magnitude, worst
from parity.sides.lockstep import LOGITS, PIXELS


class Segment(NamedTuple):
    """A layer with weights that both sides have, and what works behind it before the next one.

    Attributes:
        a: Names of A's layers, in order; the first is that with weights.
        b: Names of B's layers.
    """

    a: list[str]
    b: list[str]

    @property
    def alike(self) -> bool:
        """Whether both sides have the same kinds of layers in it, in the same order."""
        return [_kind(name) for name in self.a] == [_kind(name) for name in self.b]


def segments(a: Table, b: Table, weights: Table) -> list[Segment]:
    """Two forward passes, cut at the layers with weights that both sides have in one order."""
    owners = list(dict.fromkeys(name.partition(".")[0] for name in weights))
    orders = [_by_owner(table, owners) for table in (a, b)]
    keys = [list(order) for order in orders]
    shared: list[str] = []
    for key in keys[1]:
        owned = key.partition("@")[0] in (*owners, LOGITS) and key in keys[0]
        if owned and (not shared or keys[0].index(key) > keys[0].index(shared[-1])):
            shared.append(key)

    def chains(order: dict[str, str]) -> Iterator[list[str]]:
        own = list(order)
        for key, following in pairwise([*shared, None]):
            end = len(own) if following is None else own.index(following)
            yield [order[name] for name in own[own.index(key or "") : end]]

    return [Segment(*found) for found in zip(chains(orders[0]), chains(orders[1]), strict=True)]


def _by_owner(table: Table, owners: list[str]) -> dict[str, str]:
    """The names of a pass by whose they are: ``logits`` may be the last layer with weights."""
    names = [name for name in table if name != PIXELS]
    last = owners[-1] if owners and owners[-1] not in names else LOGITS
    return {last if name == LOGITS else name: name for name in names}


def to_feed(cut: list[Segment], fed: Table) -> Table:
    """What A's layers are to be fed, by their names, of what B's are fed."""
    pairs = [
        (name, other)
        for segment in cut
        for name, other in zip(segment.a, segment.b, strict=False)
        if segment.alike or name == segment.a[0]
    ]
    return {name: fed[other] for name, other in pairs if other in fed}


def mistakes(
    cut: list[Segment],
    weights: Table,
    sides: tuple[Table, Table],
    fed: Table,
    share: float,
    names: Names,
    *,
    training: bool,
) -> dict[str, list[Cause]]:
    """Each layer of A that gives something else for the same input, with the causes.

    Args:
        cut: Both sides' layers.
        weights: Of the network, by canonical names.
        sides: What A's layers gave that were fed as B's are, and what B's gave.
        fed: What B's layers are fed.
        share: Of a layer's largest output, that rounding may make.
        names: Of A and B.
        training: Whether the passes are in training.
    """
    found: dict[str, list[Cause]] = {}
    for segment in cut:
        steps = list(zip(segment.a, segment.b, strict=True)) if segment.alike else [
            (segment.a[0], segment.b[0]), (segment.a[-1], segment.b[-1]),
        ]  # fmt: skip
        for a, b in steps:
            if a not in sides[0] or b not in fed or found.get(b):
                continue
            start = segment.b[0] if not segment.alike and b != segment.b[0] else ""
            x = sides[1][start] if start else fed[b]
            pair = sides[0][a], sides[1][b]
            gap = worst(*pair)
            if gap <= share * magnitude(pair[1]):
                continue
            given = {**weights, of_layers.INPUT: x}
            case = Case(names, given, {b: pair[0]}, {b: pair[1]}, b, training)
            found[b] = of_layers.explain(case) or [_unexplained(b, gap, names)]
            if not segment.alike:
                break
    return found


def _unexplained(layer: str, gap: float, names: Names) -> Cause:
    text = (
        f"{layer}: {names[0]} and {names[1]} give something else for the same input, by up to "
        f"{gap:.1e}; look at its settings"
    )
    return Cause(UNEXPLAINED, gap, text)


def _kind(name: str) -> str:
    return re.sub(r"_\d+(@\d+)?( of .*)?$", "", name)
