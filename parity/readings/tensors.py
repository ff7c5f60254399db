"""What became of one tensor between being given and being held (NumPy)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.readings.rounding import Table, closes, noise, worst

Tensor = NDArray[Any]
UNRELATED = 5
"""Standard deviations within which the correlation of unrelated tensors lies."""
ENOUGH = 256
"""Elements of which a correlation says anything."""


@dataclass(frozen=True)
class Fault:
    """What became of one tensor.

    Attributes:
        kind: Name of the cause.
        tensor: Its canonical name.
        what: What the side does with it, a verb phrase with figures.
    """

    kind: str
    tensor: str
    what: str


def fault(name: str, given: Table, held: Table) -> Fault | None:
    """What became of a tensor that both tables have; None where it is whole or unexplained."""
    told, has = given[name], held[name]
    shapes = f"{list(has.shape)} instead of {list(told.shape)}"
    if told.ndim == 2 and has.shape == told.shape[::-1] and same(told.T, has):
        return Fault("transposed weight", name, f"holds {name} transposed, {shapes}")
    if told.shape != has.shape:
        return Fault("shape of a weight", name, f"holds {name} {shapes}")
    if same(told, has):
        return None
    for look in (_transposed, _not_set, _elsewhere, _rounded, _one_off, _permuted, _scaled):
        found = look(name, given, has)
        if found is not None:
            return found
    return _unrelated(name, told, has)


def same(told: Tensor, has: Tensor) -> bool:
    """Whether a tensor was copied: equal in the precision in which it is held."""
    return told.shape == has.shape and np.array_equal(told.astype(has.dtype), has)


def _transposed(name: str, given: Table, has: Tensor) -> Fault | None:
    if has.ndim != 2 or not same(given[name].T, has):
        return None
    return Fault("transposed weight", name, f"holds {name} {list(has.shape)} transposed")


def _not_set(name: str, given: Table, has: Tensor) -> Fault | None:
    if np.ptp(has) != 0 or has.size < 2:
        return None
    return Fault("weight not set", name, f"holds {name} all {has.flat[0]:g}")


def _elsewhere(name: str, given: Table, has: Tensor) -> Fault | None:
    for other, told in given.items():
        if other != name and same(told, has):
            return Fault("swapped weights", name, f"holds in {name} what was given for {other}")
    return None


def _bfloat16(x: Tensor) -> Tensor:
    """To the nearest bfloat16, ties to even, as float32."""
    bits = x.astype(np.float32).view(np.uint32).astype(np.uint64)
    even = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return even.astype(np.uint32).view(np.float32)


_PRECISIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "float32": lambda x: x.astype(np.float32),
    "float16": lambda x: x.astype(np.float16),
    "bfloat16": _bfloat16,
}


def _rounded(name: str, given: Table, has: Tensor) -> Fault | None:
    told = given[name]
    for precision, rounded in _PRECISIONS.items():
        with np.errstate(over="ignore"):
            coarse = rounded(told).astype(has.dtype)
        if np.array_equal(coarse, has):
            gap = worst(told, has)
            return Fault(
                "rounded weight", name, f"holds {name} rounded to {precision}, up to {gap:.2g} off"
            )
    return None


def _one_off(name: str, given: Table, has: Tensor) -> Fault | None:
    told = given[name].astype(has.dtype)
    places = np.argwhere(told != has)
    if len(places) != 1 or has.size < 2:
        return None
    place = tuple(places[0])
    index = ", ".join(str(i) for i in place)
    off = float(has[place]) - float(told[place])
    what = f"holds {float(has[place]):.9g} in {name}[{index}], which is {off:+.3g} off"
    return Fault("one weight off", name, what)


def _permuted(name: str, given: Table, has: Tensor) -> Fault | None:
    told = np.ascontiguousarray(given[name].astype(has.dtype))
    for axis, line in enumerate(("rows", "columns")[: has.ndim]):
        order = _order(np.moveaxis(told, axis, 0), np.moveaxis(has, axis, 0))
        if order is None:
            continue
        side = round(len(order) ** 0.5)
        by_column = side * side == len(order) and np.array_equal(
            order, np.arange(len(order)).reshape(side, side).T.ravel()
        )
        moved = int((order != np.arange(len(order))).sum())
        how = (
            f"as if images of {side} x {side} were flattened column by column"
            if by_column
            else f"{moved} of {len(order)} are not in their place"
        )
        what = line if has.ndim == 2 else "elements"
        return Fault("permuted weight", name, f"holds {name} with its {what} permuted: {how}")
    return None


def _order(told: Tensor, has: Tensor) -> NDArray[np.int64] | None:
    """Indices with which lines of `told` are those of `has`; None where they are other lines."""
    places = {np.ascontiguousarray(line).tobytes(): place for place, line in enumerate(told)}
    order = [places.get(np.ascontiguousarray(line).tobytes(), -1) for line in has]
    return np.array(order) if sorted(order) == list(range(len(told))) else None


def _scaled(name: str, given: Table, has: Tensor) -> Fault | None:
    told = given[name].astype(np.float64)
    if has.size < 4:
        return None
    before, allowed = worst(told, has), noise(told.astype(has.dtype), has)
    factor = float((told * has).sum() / (told**2).sum()) if told.any() else 1.0
    if factor != 0 and closes(before, worst(factor * told, has), allowed):
        return Fault("scaled weight", name, f"holds {name} times {factor:.6g}")
    offset = float((has - told).mean())
    if closes(before, worst(told + offset, has), allowed):
        return Fault("moved weight", name, f"holds {name} with {offset:+.6g} added to all of it")
    return None


def _unrelated(name: str, told: Tensor, has: Tensor) -> Fault | None:
    """A random tensor that has nothing to do with the given random one."""
    if told.size < ENOUGH or np.ptp(told) == 0:
        return None
    correlation = float(np.corrcoef(told.ravel(), has.ravel())[0, 1])
    if not abs(correlation) < UNRELATED / told.size**0.5:
        return None
    what = f"holds a {name} that has nothing to do with the given (correlation {correlation:.2f})"
    return Fault("weight not set", name, what)
