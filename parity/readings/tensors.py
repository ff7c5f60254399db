"""What became of one tensor between being given and being held (NumPy)."""

from collections.abc import Iterator

import numpy as np

from parity.arrays import Array, Ints, Table
from parity.readings.precisions import PRECISIONS
from parity.readings.readings import Reading, read
from parity.readings.rounding import closes, noise, worst

UNRELATED = 5
"""Standard deviations within which the correlation of unrelated tensors lies."""
ENOUGH = 256
"""Elements of which a correlation says anything."""


def fate(name: str, given: Table, held: Table) -> Reading | None:
    """What became of a tensor that both tables have; None where it is whole or unexplained."""
    told, has = given[name], held[name]
    if same(told, has):
        return None
    shapes = f"{list(has.shape)} instead of {list(told.shape)}"
    if name.startswith("multi_head") and told.size == has.size and told.shape != has.shape:
        heads = [each.shape[0 if "output" in name else -2] for each in (has, told)]
        said = f"gives {name.partition('.')[0]} {heads[0]} heads instead of {heads[1]}"
        return Reading({"heads of attention": said}, has)
    if told.ndim == 2 and has.shape == told.shape[::-1] and same(told.T, has):
        return Reading({"transposed weight": f"holds {name} transposed, {shapes}"}, has)
    if name.startswith("gru") and {told.ndim, has.ndim} == {1, 2} and told.size != has.size:
        count = "two biases, for inputs and state" if has.ndim == 2 else "one bias"
        return Reading({"reset after": f"holds {count}, {name} {shapes}"}, has)
    if name.startswith("embedding") and told.shape[1:] == has.shape[1:] and len(told) != len(has):
        more = len(has) - len(told)
        rows = f"{abs(more)} row{'s' * (abs(more) > 1)} {'more' if more > 0 else 'fewer'}"
        return Reading({"rows of an embedding": f"holds {rows} in {name}, {shapes}"}, has)
    if told.shape != has.shape:
        return Reading({"shape of a weight": f"holds {name} {shapes}"}, has)
    return read(has, _fates(name, given, has), noise(told.astype(has.dtype), has))


def same(told: Array, has: Array) -> bool:
    """Whether a tensor was copied: equal in the precision in which it is held."""
    return told.shape == has.shape and np.array_equal(told.astype(has.dtype), has)


def _fates(name: str, given: Table, has: Array) -> Iterator[Reading]:
    told = given[name].astype(has.dtype)
    if np.ptp(has) == 0 and has.size > 1:
        yield Reading({"weight not set": f"holds {name} all {has.flat[0]:g}"}, has)
    for other, tensor in given.items():
        if other != name and same(tensor, has):
            what = f"holds in {name} what was given for {other}"
            yield Reading({"swapped weights": what}, has)
    for precision, kind in PRECISIONS.items():
        with np.errstate(over="ignore"):
            coarse = kind.round(given[name]).astype(has.dtype)
        if np.array_equal(coarse, has):
            what = f"holds {name} rounded to {precision}, up to {worst(given[name], has):.2g} off"
            yield Reading({"rounded weight": what}, coarse)
    yield from _one_off(name, told, has)
    yield from _permuted(name, told, has)
    yield from _scaled(name, told, has)
    yield from _unrelated(name, told, has)


def _one_off(name: str, told: Array, has: Array) -> Iterator[Reading]:
    places = np.argwhere(told != has)
    if len(places) != 1 or has.size < 2:
        return
    place = tuple(places[0])
    index = ", ".join(str(i) for i in place)
    off = float(has[place]) - float(told[place])
    what = f"holds {float(has[place]):.9g} in {name}[{index}], which is {off:+.3g} off"
    yield Reading({"one weight off": what}, has)


def _permuted(name: str, told: Array, has: Array) -> Iterator[Reading]:
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
        what = f"holds {name} with its {line if has.ndim == 2 else 'elements'} permuted: {how}"
        yield Reading({"permuted weight": what}, np.take(told, order, axis))


def _order(told: Array, has: Array) -> Ints | None:
    """Indices with which lines of `told` are those of `has`; None where they are other lines."""
    places = {np.ascontiguousarray(line).tobytes(): place for place, line in enumerate(told)}
    order = [places.get(np.ascontiguousarray(line).tobytes(), -1) for line in has]
    return np.array(order) if sorted(order) == list(range(len(told))) else None


def _scaled(name: str, told: Array, has: Array) -> Iterator[Reading]:
    exact = told.astype(np.float64)
    if has.size < 4 or not exact.any():
        return
    factor = float((exact * has).sum() / (exact**2).sum())
    offset = float((has - exact).mean())
    for kind, what, values in (
        ("scaled weight", f"holds {name} times {factor:.6g}", factor * exact),
        ("moved weight", f"holds {name} with {offset:+.6g} added to all of it", exact + offset),
    ):
        if values.any() and closes(worst(told, has), worst(values, has), noise(told, has)):
            yield Reading({kind: what}, values)


def _unrelated(name: str, told: Array, has: Array) -> Iterator[Reading]:
    """A random tensor that has nothing to do with the given random one."""
    if told.size < ENOUGH or np.ptp(told) == 0 or np.ptp(has) == 0:
        return
    correlation = float(np.corrcoef(told.ravel(), has.ravel())[0, 1])
    if abs(correlation) < UNRELATED / told.size**0.5:
        what = f"a {name} that has nothing to do with the given (correlation {correlation:.2f})"
        yield Reading({"weight not set": f"holds {what}"}, has)
