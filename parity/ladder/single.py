"""Single steps: each layer of A is fed what that of B is fed, so that no mistake hides another."""

import re
from collections.abc import Collection
from itertools import pairwise, takewhile
from typing import NamedTuple

from parity.arrays import Array, Names, Table
from parity.ladder.outputs import both_ways
from parity.readings import layers as of_layers
from parity.readings import recurrent
from parity.readings.case import Case
from parity.readings.cause import UNEXPLAINED, Cause
from parity.readings.rounding import magnitude, worst
from parity.readings.wiring import ANSWER, MERGES, Wires
from parity.sides.lockstep import LOGITS, PIXELS

ATTENTION = ("multi_head_attention", "attention", "additive_attention", "group_query_attention")
"""How layers begin that are given queries, keys and values."""


class Segment(NamedTuple):
    """A layer with weights that both sides have, and what works behind it before the next one.

    Attributes:
        a: Names of A's layers, in order; the first is that with weights.
        b: Names of B's layers.
        enters: Where A's and B's layer with weights is fed: what pads for it, or itself.
    """

    a: list[str]
    b: list[str]
    enters: Names

    @property
    def alike(self) -> bool:
        """Whether both sides have the same kinds of layers in it, in the same order."""
        return [_family(name) for name in self.a] == [_family(name) for name in self.b]

    @property
    def fed(self) -> list[Names]:
        """Layers of A that can be fed what a layer of B is fed, with that layer."""
        inner = zip(self.a[1:], self.b[1:], strict=True) if self.alike else ()
        return [self.enters, *inner]


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

    found = []
    for owner, following in pairwise([*shared, None]):
        chains, enters = [], []
        for own, order in zip(keys, orders, strict=True):
            start = own.index(owner or "")
            end = len(own) if following is None else own.index(following)
            while end < len(own) and end > start + 1 and _pads(own[end - 1]):
                end -= 1
            chains.append([order[name] for name in own[start:end]])
            while start and _pads(own[start - 1]):
                start -= 1
            enters.append(order[own[start]])
        segment = Segment(chains[0], chains[1], (enters[0], enters[1]))
        if not segment.alike:  # only one side has a layer that merges: the other does it unseen
            segment = segment._replace(a=unmerged(segment.a), b=unmerged(segment.b))
        found.append(segment)
    return found


def unmerged(chain: list[str]) -> list[str]:
    """The layers before the first one that has several inputs."""
    return [*takewhile(lambda name: not name.startswith(MERGES), chain)]


def wires(
    passes: tuple[Table, Table], fed: tuple[Table, Table], weights: Table
) -> tuple[Wires, Wires]:
    """Both sides at work.

    Args:
        passes: What the layers of A and of B give.
        fed: What they are fed, by the same names.
        weights: Of the network, by canonical names.
    """
    owners = list(dict.fromkeys(name.partition(".")[0] for name in weights))
    both = both_ways(weights)
    sides = []
    for table, own in zip(passes, fed, strict=True):
        order = {name: owner for owner, name in _by_owner(table, owners).items()}
        layers = {PIXELS: table[PIXELS]} | {o: table[n] for n, o in order.items()}
        inputs = {order.get(name, name): values for name, values in own.items()}
        forward = {name: x for name, x in inputs.items() if name not in both}
        held = [recurrent.within(weights, name, x) for name, x in forward.items()]
        within = {words: values for table in held for words, values in table.items()}
        sides.append(Wires(layers, inputs | {ANSWER: table[LOGITS]}, both, within))
    return sides[0], sides[1]


def _by_owner(table: Table, owners: list[str]) -> dict[str, str]:
    """The names of a pass by whose they are: ``logits`` may be the last layer with weights."""
    names = [name for name in table if name != PIXELS]
    last = owners[-1] if owners and owners[-1] not in names else LOGITS
    return {last if name == LOGITS else name: name for name in names}


def to_feed(cut: list[Segment], fed: Table) -> Table:
    """What A's layers are to be fed, by their names, of what B's are fed."""
    pairs = [pair for segment in cut for pair in segment.fed]
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
    unjudged: Collection[str] = (),
) -> dict[str, list[Cause]]:
    """The causes of each layer of A that gives something else for the same input.

    A layer that gives the same has none, which is an answer too.

    Args:
        cut: Both sides' layers.
        weights: Of the network, by canonical names.
        sides: What A's layers gave that were fed as B's are, and what B's gave.
        fed: What B's layers are fed.
        share: Of a layer's largest output, that rounding may make.
        names: Of A and B.
        training: Whether the passes are in training.
        unjudged: Layers of B of which not all is known that they are fed.
    """
    found: dict[str, list[Cause]] = {}
    for segment in cut:
        inputs = dict(segment.fed)
        steps = [
            (a, b, fed.get(inputs.get(a, ""))) for a, b in zip(segment.a, segment.b, strict=False)
        ]
        steps[0] = (segment.a[0], segment.b[0], fed.get(segment.enters[1]))
        if not segment.alike:
            x = steps[0][2] if len(segment.b) == 1 else sides[1].get(segment.b[0])
            steps = [steps[0], (segment.a[-1], segment.b[-1], x)]
        for a, b, x in steps:
            if a not in sides[0] or x is None or found.get(b) or b in unjudged:
                continue
            pair = sides[0][a], sides[1][b]
            if worst(*pair) <= share * magnitude(pair[1]):
                found[b] = []
                continue
            given = {**weights, of_layers.INPUT: x}
            causes = of_layers.explain(Case(names, given, {b: pair[0]}, {b: pair[1]}, b, training))
            owner = (a, b) == (segment.a[0], segment.b[0]) and pair[0].shape == pair[1].shape
            if causes or segment.alike or owner:
                found[b] = causes or [_unexplained(b, pair, names)]
            if not segment.alike:
                break
    return found


def several_inputs(fed: tuple[Table, Table], share: float) -> set[str]:
    """Layers that are fed several tensors, of which the first alone is known.

    Layers that merge always; attention where the first is not the same on both sides already.
    """
    merging = {name for name in fed[1] if name.startswith(MERGES)}
    attending = (name for name in fed[1] if name.startswith(ATTENTION))
    return merging | {
        name
        for name in attending
        if name not in fed[0] or worst(fed[0][name], fed[1][name]) > share * magnitude(fed[1][name])
    }


def _unexplained(layer: str, pair: tuple[Array, Array], names: Names) -> Cause:
    a, b = pair
    gap = worst(a, b)
    how = f"by up to {gap:.1e}" if a.shape == b.shape else f"{a.shape[1:]} and {b.shape[1:]} a row"
    text = (
        f"{layer}: {names[0]} and {names[1]} give something else for the same input, {how}; "
        "look at its settings"
    )
    return Cause(UNEXPLAINED, gap, text)


def _family(name: str) -> str:
    """The kind of a layer; all that pools is one, whatever it makes of its windows."""
    kind = re.sub(r"_\d+(@\d+)?( of .*)?$", "", name)
    return "pool" if "pool" in kind else kind


def _pads(name: str) -> bool:
    return name.startswith("zero_padding")
