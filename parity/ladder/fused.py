"""Dense layers that one side has as one: queries, keys and values from one kernel, say."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from parity.arrays import Table
from parity.ladder.climber import Climber
from parity.match.layer import Layer, layers_of

TENSORS = ("weights", "set_weights", "gradients")
"""Calls whose answers are tensors by name."""
Parts = Mapping[str, tuple[str, ...]]
"""A layer, and the layers that it is cut into along its units."""


class Cut(Climber):
    """A side of which some dense layers are several that are fed the same.

    Args:
        side: Which has each as one.
        parts: What they are cut into.
    """

    def __init__(self, side: Climber, parts: Parts) -> None:
        self.name = side.name
        self.side = side
        self.parts = parts
        self.wholes = {names[0]: whole for whole, names in parts.items()}
        self.later = {name for names in parts.values() for name in names[1:]}
        self.call = ""

    def send(self, call: str, table: Table | None = None, **arguments: Any) -> None:
        """Ask for something, in the side's terms."""
        self.call = call
        if call == "set_weights" and table is not None:
            table = self._joined(table)
        if call == "forced" and table is not None:
            named = {name: self.wholes.get(name, name) for name in table if name not in self.later}
            table = {whole: table[name] for name, whole in named.items()}
        self.side.send(call, table, **arguments)

    def receive(self) -> Table:
        """The answer, in the other side's terms."""
        given = self.side.receive()
        if self.call not in (*TENSORS, "forward", "forced", "fed"):
            return given
        found: Table = {}
        for name, values in given.items():
            layer, dot, part = name.partition(".")
            names = self.parts.get(layer, ())
            if not names:
                found[name] = values
                continue
            cut = [values] * len(names)
            if self.call != "fed":
                cut = np.split(values, len(names), axis=-1)
            found |= {f"{n}{dot}{part}": own for n, own in zip(names, cut, strict=True)}
        return found

    def _joined(self, table: Table) -> Table:
        found: Table = {}
        for name, values in table.items():
            layer, _, part = name.partition(".")
            if layer in self.wholes:
                whole = self.wholes[layer]
                every = [table[f"{own}.{part}"] for own in self.parts[whole]]
                found[f"{whole}.{part}"] = np.concatenate(every, axis=-1)
            elif layer not in self.later:
                found[name] = values
        return found


def apart(sides: list[Climber], own: Sequence[Table]) -> list[Climber]:
    """The sides, with the dense layers of one cut as the other has them.

    Args:
        sides: A, B, and any echo of B.
        own: Weights of A and of B.
    """
    layers = [layers_of(table) for table in own]
    for number in (0, 1):
        parts = _parts(layers[number], layers[1 - number])
        if parts:
            return [
                Cut(side, parts) if min(place, 1) == number else side
                for place, side in enumerate(sides)
            ]
    return sides


def _parts(few: list[Layer], many: list[Layer]) -> Parts:
    """Layers of `few` that are several of `many`, which come in the same order; empty elsewhere."""
    found: dict[str, tuple[str, ...]] = {}
    place = 0
    for layer in few:
        count = _count(layer, many[place:])
        if count == 1 and (place >= len(many) or _size(layer) != _size(many[place])):
            return {}
        if count > 1:
            found[layer.name] = tuple(f"{layer.name}_{n}" for n in range(1, count + 1))
        place += count
    return found if place == len(many) else {}


def _size(layer: Layer) -> int:
    """Numbers in it."""
    return sum(map(prod, layer.shapes.values()))


def _count(layer: Layer, many: list[Layer]) -> int:
    """How many of the next dense layers make this one, all of one shape; 1 for any other."""
    whole, part = (each.shapes.get("kernel", ()) for each in (layer, many[0] if many else layer))
    if layer.kind != "dense" or len(whole) != 2 or len(part) != 2 or whole[1] % part[1]:
        return 1
    count = whole[1] // part[1]
    same = [other.shapes == many[0].shapes and other.kind == "dense" for other in many[:count]]
    alike = whole[0] == part[0] and set(layer.parts) == set(many[0].parts) if many else False
    return count if alike and len(same) == count and all(same) else 1
