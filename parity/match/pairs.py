"""Which layers may be the same, and where that alone decides it: by order, kind and shape."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np

from parity.arrays import Table
from parity.match.layer import Layer
from parity.match.move import Move, Shape, as_it_is, moves

_NOTHING_ADDED = dict.fromkeys(("bias", "recurrent_bias", "offset", "mean"), 0.0)
Fed = Mapping[str, str]
NEUTRAL = {**_NOTHING_ADDED, "scale": 1.0, "variance": 1.0}
"""What a part does nothing with."""
MOST_PARTS = 4
"""Of layers whose parts have names of their own: every order of so many is tried."""


@dataclass(frozen=True)
class Tie:
    """A tensor of B and what it gets.

    Attributes:
        source: The tensor of A; empty where A has none and B gets a number that does nothing.
        target: The tensor of B; empty where A's does nothing and is left out.
        move: From A's layout to B's.
        fill: The number, where there is no source or no target.
    """

    source: str
    target: str
    move: Move
    fill: float = 0.0


@dataclass(frozen=True)
class Pair:
    """Two layers that may be one."""

    a: Layer
    b: Layer
    ties: tuple[Tie, ...]

    def given(self, weights: Table) -> Table:
        """B's tensors of the weights of A."""
        return {
            tie.target: tie.move(weights[tie.source])
            if tie.source
            else np.full(tie.move.shape, tie.fill)
            for tie in self.ties
            if tie.target
        }

    def exact(self) -> bool:
        """Whether either has what the other has."""
        return all(tie.source and tie.target for tie in self.ties)


def pairs(a: Layer, b: Layer, weights: Table, places: Sequence[Shape] = ()) -> list[Pair]:
    """How two layers may be one, the likeliest first; empty where they cannot be.

    Args:
        a: Of A.
        b: Of B.
        weights: Of A: a part that B lacks may be left out where it does nothing.
        places: Shapes of outputs before A's layer, of which its inputs may be flattened.
    """
    if set(a.parts) == set(b.parts):
        return list(_tied(a, b, list(a.parts), list(b.parts), places))
    if len(a.parts) == len(b.parts) and (a.kind not in _KNOWN or b.kind not in _KNOWN):
        return list(_tied(a, b, list(a.parts), list(b.parts), places))
    shared = [part for part in a.parts if part in b.parts]
    odd = {part for part in (*a.parts, *b.parts) if part not in shared}
    if not shared or not odd <= set(NEUTRAL) or a.kind != b.kind:
        return []
    extra: list[Tie] = []
    for part in odd:
        value = NEUTRAL[part]
        if part in a.parts:
            if (weights[a.parts[part]] != value).any():
                return []
            extra.append(Tie(a.parts[part], "", as_it_is(a.shapes[part]), value))
        else:
            extra.append(Tie("", b.parts[part], as_it_is(b.shapes[part]), value))
    return [Pair(a, b, (*pair.ties, *extra)) for pair in _tied(a, b, shared, shared, places)]


_KNOWN = (
    "dense", "conv", "conv_transpose", "depthwise_conv", "separable_conv", "batch_norm",
    "layer_norm", "group_norm", "embedding", "lstm", "gru", "rnn",
)  # fmt: skip
"""Kinds whose parts have the same names on every side."""


def _tied(
    a: Layer, b: Layer, parts_a: list[str], parts_b: list[str], places: Sequence[Shape]
) -> Iterator[Pair]:
    """Pairs of layers with as many parts: by their names, else in their order."""
    named = sorted(parts_a) == sorted(parts_b)
    orders = permutations(parts_b) if len(parts_b) <= MOST_PARTS else [tuple(parts_b)]
    for other in [parts_a] if named else orders:
        ways = [
            [
                Tie(a.parts[part_a], b.parts[part_b], move)
                for move in _moves(a, b, part_a, part_b, places)
            ]
            for part_a, part_b in zip(parts_a, other, strict=True)
        ]
        for ties in product(*ways):
            if len({tie.move.words for tie in ties if "channels" in tie.move.words}) < 2:
                yield Pair(a, b, ties)


def _moves(a: Layer, b: Layer, part_a: str, part_b: str, places: Sequence[Shape]) -> list[Move]:
    """The moves for a part; layers of one known kind have one layout."""
    settled = a.kind == b.kind and a.kind in _KNOWN
    looked_up = (a.kind == "embedding") != (b.kind == "embedding")
    found = [
        move
        for here in (places or [()])
        for move in moves(a.shapes[part_a], b.shapes[part_b], here)
        if not settled or move.words != "transposed"
    ]
    # Beside a table that is looked up a dense kernel is transposed, or multiplies one-hot rows.
    found.sort(key=lambda move: looked_up and move.words != "transposed")
    return list(dict.fromkeys(found))


def in_order(a: list[Layer], b: list[Layer], weights: Table) -> list[Pair] | None:
    """The one way to pair the layers, where order, kind and shape leave one; None elsewhere.

    Where every layer fits the one that stands in its place, that is it; else every layer must have
    one partner only.
    """
    if len(a) != len(b):
        return None
    straight = [pairs(first, second, weights) for first, second in zip(a, b, strict=True)]
    if all(straight):
        return [found[0] for found in straight]
    fitting = {
        first.name: [(n, found[0]) for n, o in enumerate(b) if (found := pairs(first, o, weights))]
        for first in a
    }
    taken = Counter(n for found in fitting.values() for n, _ in found)
    if all(len(found) == 1 for found in fitting.values()) and set(taken.values()) == {1}:
        return [found[0][1] for found in fitting.values()]
    return None


def by_shape(
    a: list[Layer], b: list[Layer], weights: Table, fed_by: tuple[Fed, Fed] = ({}, {})
) -> list[Pair] | None:
    """Layers paired by kind and shape, those of one shape in their order; None where one is left.

    Layers that have the same parts go before those of which one lacks a part, and then those that
    are fed by layers that are a pair already. Nothing says that the rest of one shape come in one
    order: what follows from it has to be tried.

    Args:
        a: Of A, in the order of work.
        b: Of B.
        weights: Of A.
        fed_by: The layer with weights that feeds each one, of A and of B, where it is known.
    """
    found: list[Pair] = []
    partner: dict[str | None, str] = {}
    left = {layer.name: layer for layer in b}

    def unlikely(pair: Pair) -> tuple[bool, bool]:
        sources = (fed.get(layer.ends) for fed, layer in zip(fed_by, (pair.a, pair.b), strict=True))
        return not pair.exact(), partner.get(next(sources)) != next(sources)

    for layer in a:
        ways = [pair for other in left.values() for pair in pairs(layer, other, weights)[:1]]
        if not ways:
            return None
        likely = min(ways, key=unlikely)
        del left[likely.b.name]
        partner[layer.ends] = likely.b.ends
        found.append(likely)
    return None if left else found


def without_partner(a: list[Layer], b: list[Layer], weights: Table) -> tuple[list[Layer], ...]:
    """Layers of A and of B that fit no layer of the other."""
    lonely_a = [layer for layer in a if not any(pairs(layer, other, weights) for other in b)]
    lonely_b = [layer for layer in b if not any(pairs(other, layer, weights) for other in a)]
    return lonely_a, lonely_b
