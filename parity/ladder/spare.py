"""What one side alone has and does nothing with: a bias that the other lacks, a norm's scale."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from parity.arrays import Array, Table
from parity.ladder import rungs
from parity.ladder.climber import Climber, NotRecordedError
from parity.ladder.difference import difference
from parity.ladder.matching import Match
from parity.ladder.rung import Rung
from parity.ladder.rungs import Start
from parity.match.layer import Layer, layers_of_both
from parity.match.pairs import NEUTRAL, by_shape, in_order
from parity.readings.cause import Cause

TENSORS = ("weights", "set_weights", "gradients")
"""Calls whose answers are tensors by name."""
Spare = tuple[Table, Table]
"""What A and what B alone has, by B's names."""
NEAR = 1e-6
"""First values that are nearer are one."""
SET = re.compile(r"\w*norm|activation")
"""Layers whose tensors begin with one number, however few they are;"""
FEWEST = 2
"""of others so many that are one have been set."""


class Without(Climber):
    """A side as if it had not some of its tensors: they stay at what does nothing.

    Args:
        side: Which has them.
        spare: Those tensors, at what does nothing.
    """

    def __init__(self, side: Climber, spare: Table) -> None:
        self.name = side.name
        self.side = side
        self.spare = spare
        self.call = ""
        self.taken: Table = {}

    def send(self, call: str, table: Table | None = None, **arguments: Any) -> None:
        """Ask for something; steps are taken one by one, since each moves what is to stay."""
        self.call = call
        if call == "steps" and table is not None:
            self._step(table["ids"], **arguments)
            return
        if call == "set_weights" and table is not None:
            table = table | self.spare
        self.side.send(call, table, **arguments)

    def receive(self) -> Table:
        """The answer, without those tensors."""
        if self.call == "steps":
            return self.taken
        given = self.side.receive()
        hidden = self.spare if self.call in TENSORS else {}
        return {name: values for name, values in given.items() if name not in hidden}

    def _step(self, ids: Array, batch_size: int) -> None:
        losses = []
        for start in range(0, len(ids), batch_size):
            batch = {"ids": ids[start : start + batch_size]}
            losses.append(self.side.ask("steps", batch, batch_size=batch_size)["losses"])
            self.side.ask("set_weights", self.side.ask("weights") | self.spare)
        self.taken = {"losses": np.concatenate(losses)}


def without(sides: list[Climber], own: Sequence[Table]) -> tuple[list[Climber], list[Table], Spare]:
    """The sides without what one of them alone has, their weights without it, and what that is.

    Only where every layer of A has then one of B: by order, kind and shape.

    Args:
        sides: A, B, and any echoes of B.
        own: Weights of A and of B.
    """
    same: tuple[list[Climber], list[Table], Spare] = sides, list(own), ({}, {})
    layers = layers_of_both(own[0], own[1])
    still = {name: _nothing(name, values) for name, values in own[0].items()}
    exact = by_shape(*layers, own[0])
    if exact is not None and all(pair.exact() for pair in exact):
        return same
    idle = [_idle(one, {other.kind for other in two}) for one, two in (layers, layers[::-1])]
    busy = [[x for x in one if x not in rest] for one, rest in zip(layers, idle, strict=True)]
    found = in_order(busy[0], busy[1], still) or by_shape(busy[0], busy[1], still)
    if found is None:
        return same
    of_a = [(p.b.name, t.source) for p in found for t in p.ties if not t.target]
    of_a += [(layer.name, name) for layer in idle[0] for name in layer.parts.values()]
    of_b = [t.target for p in found for t in p.ties if not t.source]
    of_b += [name for layer in idle[1] for name in layer.parts.values()]
    spares = [
        {name: _nothing(name, own[side][name]) for name in names}
        for side, names in enumerate(([name for _, name in of_a], of_b))
    ]
    held: list[Climber] = [Without(side, spares[n > 0]) for n, side in enumerate(sides)]
    left = [
        {name: w for name, w in table.items() if name not in spare}
        for table, spare in zip(own, spares, strict=True)
    ]
    try:
        for side, table in zip(held, left, strict=False):
            side.ask("set_weights", table)
    except NotRecordedError:
        return same
    called = {
        f"{layer.partition('/')[0]}.{name.rpartition('.')[2]}": spares[0][name]
        for layer, name in of_a
    }
    return held, left, (called, spares[1])


def initial_weights(
    start: Start, held: Sequence[Table], spare: Spare, match: Match, own: Sequence[Table]
) -> Rung:
    """The rung of the initial weights: broken by what one side alone has, or begins at."""
    both = [side | more for side, more in zip(held, spare, strict=False)]
    said = "the climb goes on with what only one side has kept where it does nothing"
    notes = [note for note in (match.tried, said if any(spare) else "") if note]
    rung = replace(rungs.initial_weights(start, *both), note="; ".join(notes))
    first = match.named(own[0]), own[1]
    for name in [n for n in first[1] if n in first[0]]:
        a, b = (np.unique(side[name]) for side in first)
        drawn = max(side[name].size for side in first) < FEWEST and not SET.match(name)
        if not drawn and len(a) == len(b) == 1 and abs(a[0] - b[0]) > NEAR:
            found = difference(name, a, b, 0.0)
            said = f"{start.names[0]} begins with {a[0]:g}, {start.names[1]} with {b[0]:g}"
            advice = "begin alike; the climb goes on with the same weights on both sides"
            cause = Cause("first value", found.absolute, f"{name}: {said}; to align them, {advice}")
            rung = replace(rung, tensors=(*rung.tensors, found), causes=(*rung.causes, cause))
    return rung.because(list(rung.causes))


def _idle(layers: list[Layer], kinds: set[str]) -> list[Layer]:
    """Norms that have a scale and an offset, where all of the other side have none."""
    parts = {"scale", "offset"}
    return [x for x in layers if set(x.parts) <= parts and x.kind not in kinds]


def _nothing(name: str, values: Array) -> Array:
    """The tensor at what does nothing, where such a number is known for its part."""
    number = NEUTRAL.get(name.rpartition(".")[2])
    return values if number is None else np.full_like(values, number)
