"""Tensors that one side has in one and the other in several.

Queries, keys and values of a dense layer and of a layer of attention; the two biases of a GRU.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from parity.arrays import Array, Table
from parity.ladder import fused
from parity.ladder.climber import Climber, NotRecordedError
from parity.match.layer import ATTENTION, PARTS, layers_of_both

TAKEN = ("weights", "set_weights", "gradients", "take")
GIVEN = ("set_weights", "answer", "write")
"""Calls that answer with tensors by name, and those that are given some."""
NORMS = ("layer_norm", "rms_norm", "batch_norm", "group_norm", "instance_norm")
"""Kinds whose settings are read, under their own names."""
BIASES = ("bias", "recurrent_bias")
"""Of a GRU that resets after the product: for inputs and for the state."""
Wholes = Mapping[str, tuple[str, ...]]
"""A tensor with the names of its thirds, side by side along the last axis, or its two rows."""


class Recut(Climber):
    """A side whose tensors are cut in three, or joined, as the other side has them.

    Args:
        side: Which has them otherwise.
        wholes: What is cut or joined.
        thirds: Of that side or of the other, by the names of `wholes`: their shapes count.
        join: Whether the side has thirds and shows the wholes.
    """

    def __init__(self, side: Climber, wholes: Wholes, thirds: Table, *, join: bool) -> None:
        self.name = side.name
        self.side = side
        self.wholes = wholes
        self.shapes = {name: thirds[name].shape for names in wholes.values() for name in names}
        self.join = join
        self.call = ""

    def send(self, call: str, table: Table | None = None, **arguments: Any) -> None:
        """Ask for something, in the side's terms."""
        self.call = call
        if call in GIVEN and table is not None:
            table = self._cut(table) if self.join else self._joined(table)
        self.side.send(call, table, **arguments)

    def receive(self) -> Table:
        """The answer, in the other side's terms."""
        given = self.side.receive()
        if self.call not in TAKEN:
            return given
        return self._joined(given) if self.join else self._cut(given)

    def _cut(self, table: Table) -> Table:
        found: Table = {}
        for name, values in table.items():
            names = self.wholes.get(name, ())
            axis = 0 if len(names) == len(BIASES) else -1
            parts = np.split(values, len(names), axis=axis) if names else []
            found |= {n: t.reshape(self.shapes[n]) for n, t in zip(names, parts, strict=True)}
            found |= {} if names else {name: values}
        return found

    def _joined(self, table: Table) -> Table:
        first = {names[0]: (whole, names) for whole, names in self.wholes.items()}
        rest = {name for names in self.wholes.values() for name in names[1:]}
        found: Table = {}
        for name, values in table.items():
            if name in first:
                whole, names = first[name]
                if len(names) == len(BIASES):
                    found[whole] = np.stack([table[n] for n in names])
                    continue
                rows = (-1,) if whole.endswith("bias") else (len(values), -1)
                found[whole] = np.concatenate([table[n].reshape(rows) for n in names], axis=-1)
            elif name not in rest:
                found[name] = values
        return found


def by_hand(sides: list[Climber], own: Sequence[Table], images: Array) -> bool:
    """Whether B alone writes its attention or norms by hand, and may take the place of A.

    What a layer is fed that the other side computes by hand is known only where it is B's.

    Args:
        sides: A and B; an echo of B, which has its names, leaves them in their places.
        own: Their weights.
        images: A batch.
    """
    has = [[any(n.startswith(kind) for n in table) for table in own] for kind in (ATTENTION, NORMS)]
    if [True, False] not in has or [False, True] in has:
        return False
    try:
        return all(side.ask("fed", {"images": images}, training=False) for side in sides)
    except NotRecordedError:
        return False


def alike(sides: list[Climber], own: Sequence[Table]) -> list[Climber]:
    """The sides, cut alike.

    Args:
        sides: A, B, and any echo of B.
        own: Weights of A and of B.
    """
    held = _two_biases(sides, own)
    if not any(name.startswith(ATTENTION) for table in own for name in table):
        return fused.apart(held, own)
    return [attention(held[0], own[0], own[1]), *held[1:]]


def _two_biases(sides: list[Climber], own: Sequence[Table]) -> list[Climber]:
    """Two tensors for the two biases of GRUs of which the other side has one.

    Keras' GRU(reset_after=False) has none for the state.
    """
    grus = [[n for n in table if re.fullmatch(r"gru_\d+\.bias", n)] for table in own]
    if len(grus[0]) != len(grus[1]):
        return sides
    held = list(sides)
    for side, other in ((0, 1), (1, 0)):
        wholes: dict[str, tuple[str, ...]] = {}
        rows: Table = {}
        for name, theirs in zip(grus[side], grus[other], strict=True):
            mine = own[side][name]
            if mine.ndim == len(BIASES) == len(mine) and own[other][theirs].shape == mine[0].shape:
                layer = name.partition(".")[0]
                wholes[name] = tuple(f"{layer}.{part}" for part in BIASES)
                rows |= dict(zip(wholes[name], mine, strict=True))
        for number, climber in enumerate(sides):
            if wholes and min(number, 1) == side:
                held[number] = Recut(climber, wholes, rows, join=False)
    return held


def attention(a: Climber, own: Table, other: Table) -> Climber:
    """A, as B has its queries, keys and values: in one layer or in several.

    Only where every layer of attention of the one side has its dense layer of the other.

    Args:
        a: Side A.
        own: Its weights.
        other: B's.
    """
    has = [[n for n in side if n.startswith(ATTENTION)] for side in (own, other)]
    one, two = layers_of_both(own, other)
    if bool(has[0]) == bool(has[1]) or len(one) == len(two):
        return a
    join = bool(has[0])
    attends, dense = (own, other) if join else (other, own)
    layers = list(dict.fromkeys(name.partition(".")[0] for name in (has[0] or has[1])))
    wholes: dict[str, tuple[str, ...]] = {}
    free = [name for name in dense if name.endswith(".kernel")]
    for layer in layers:
        names = [f"{layer}.{part}.kernel" for part in PARTS[:3]]
        kernels = [attends[name] for name in names if name in attends]
        widths = {(len(k), 3 * k[0].size) for k in kernels}
        fits = [name for name in free if {dense[name].shape} == widths]
        if not fits or len(kernels) < len(names):
            return a
        free.remove(fits[0])
        begin = fits[0].removesuffix(".kernel")
        for part in ("kernel", "bias"):
            if (f"{begin}.{part}" in dense) != (f"{layer}.query.{part}" in attends):
                return a
            if f"{begin}.{part}" in dense:
                thirds = tuple(f"{layer}.{one}.{part}" for one in PARTS[:3])
                cut = tuple(f"{begin}/{n}.{part}" for n in (1, 2, 3))
                wholes |= {f"{layer}/1.{part}": thirds} if join else {f"{begin}.{part}": cut}
    return Recut(a, wholes, own if join else _thirds(own, wholes), join=join)


def _thirds(own: Table, wholes: Wholes) -> Table:
    return {
        name: third
        for whole, names in wholes.items()
        for name, third in zip(names, np.split(own[whole], 3, axis=-1), strict=True)
    }
