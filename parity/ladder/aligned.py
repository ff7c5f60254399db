"""A side whose layers are called and laid out otherwise, seen with the names of the other side."""

from typing import Any

from parity.arrays import Table
from parity.ladder.climber import Climber
from parity.match.pairs import Pair
from parity.sides.lockstep import LOGITS, PIXELS

TENSORS = ("weights", "set_weights", "gradients")
"""Calls whose answers are tensors by name."""


class Aligned(Climber):
    """Side A with the names and layouts of side B.

    Args:
        side: Side A.
        pairs: Its layers and those of B; each tensor of either is in one of them.
        order: B's layers by name, as they work. Where A's work in another order, the numbers of
            those between them, which have no weights, do not say which is which.
    """

    def __init__(self, side: Climber, pairs: list[Pair], order: list[str]) -> None:
        self.name = side.name
        self.side = side
        self.ties = [tie for pair in pairs for tie in pair.ties]
        self.ends = {pair.a.ends: pair.b.ends for pair in pairs if pair.a.ends and pair.b.ends}
        self.begins = {_whole(p.b.name): _whole(p.a.name) for p in pairs if _begins(p)}
        self.within = {pair.a.ends for pair in pairs if not pair.b.ends} - {""}
        """Layers of A that are the beginning of one of B: what they give, B does not show."""
        self.fed = {own: name for name, own in self.begins.items()}
        self.reordered = [pair.b.name for pair in pairs] != order
        self.call = ""

    def send(self, call: str, table: Table | None = None, **arguments: Any) -> None:
        """Ask for something, in A's terms."""
        self.call = call
        if call == "set_weights" and table is not None:
            table = {tie.source: tie.move.back(table[tie.target]) for tie in self.ties}
        if call == "forced" and table is not None:
            own = {name: name.removesuffix(f" of {self.name}") for name in table}
            taken = set(self.ends.values()) - set(self.begins)  # within one layer of A
            table = {self.begins.get(n, own[n]): v for n, v in table.items() if n not in taken}
        self.side.send(call, table, **arguments)

    def receive(self) -> Table:
        """The answer, in B's terms."""
        given = self.side.receive()
        if self.call in TENSORS:
            return self.tensors(given)
        if self.call == "fed":
            return self._renamed(given, self.fed)
        return self._renamed(given, self.ends) if self.call in ("forward", "forced") else given

    def tensors(self, own: Table) -> Table:
        """A's tensors, in B's terms."""
        known = {tie.source for tie in self.ties}
        moved = {tie.target: tie.move(own[tie.source]) for tie in self.ties if tie.source in own}
        return {name: values for name, values in own.items() if name not in known} | moved

    def _renamed(self, given: Table, names: dict[str, str]) -> Table:
        """Layers of a pair by B's name; what has that name by chance says whose it is."""
        taken = set(names.values())
        shared = (PIXELS, LOGITS)

        def called(name: str) -> str:
            chance = name in taken or (self.reordered and name not in shared)
            return names.get(name, f"{name} of {self.name}" if chance else name)

        return {called(name): v for name, v in given.items() if name not in self.within}


def _whole(layer: str) -> str:
    return layer.partition("/")[0]


def _begins(pair: Pair) -> bool:
    """Whether both are fed what the layers are fed of which they may be parts."""
    return not any("/" in name and not name.endswith("/1") for name in (pair.a.name, pair.b.name))
