"""Why two sides do not hold the same weights after both were given the same."""

from collections.abc import Iterator

from parity.readings.cause import Cause
from parity.readings.readings import Names
from parity.readings.rounding import Table, usable, worst
from parity.readings.tensors import Fault, fault

ADVICE = {
    "missing weight": "map every canonical name to a tensor of the network",
    "extra weight": "leave out what the other side does not have: bias=False, affine=False",
    "shape of a weight": "build both networks of the same widths",
    "transposed weight": (
        "transpose it in set_weights and weights: torch's Linear keeps [out, in], Keras' Dense "
        "[in, out]"
    ),
    "swapped weights": "set tensors by name and not by their place in a list",
    "weight not set": "look for a name that set_weights leaves out, or sets too early",
    "one weight off": "look for what writes to it after it was set",
    "rounded weight": "keep it in the recorded precision: .double() in torch, set_floatx in Keras",
    "permuted weight": (
        "flatten the images in the same order, row by row, and number the units alike"
    ),
    "scaled weight": "set it as it is given",
    "moved weight": "set it as it is given",
}


def explain(given: Table, a: Table, b: Table, names: Names) -> list[Cause]:
    """Name what either side has made of the weights that it was given.

    Args:
        given: What both were told to take, by canonical names.
        a: What side A says that it holds.
        b: What side B says that it holds.
        names: Of A and B.

    Returns:
        A cause for each kind of fault of each side, the one that leaves least between the sides
        first; empty where no tensor's difference can be named.
    """
    tables = (a, b)
    causes = []
    for side, table in enumerate(tables):
        if not usable(*table.values()):
            continue
        by_kind: dict[str, list[Fault]] = {}
        for found in _faults(given, table, tables[1 - side]):
            by_kind.setdefault(found.kind, []).append(found)
        for kind, faults in by_kind.items():
            causes.append(_cause(kind, faults, given, tables, side, names))
    return sorted(causes, key=lambda cause: cause.gap)


def _faults(given: Table, held: Table, other: Table) -> Iterator[Fault]:
    """What is wrong with a side, where the other side does not hold the same."""
    for name in given.keys() - held.keys():
        if name in other:
            yield Fault("missing weight", name, f"has no {name} {list(given[name].shape)}")
    for name in held.keys() - given.keys():
        if name not in other:
            yield Fault("extra weight", name, f"also has {name} {list(held[name].shape)}")
    for name in given.keys() & held.keys():
        if name in other and worst(held[name], other[name]) == 0:
            continue
        found = fault(name, given, held)
        if found is not None:
            yield found


def _cause(
    kind: str,
    faults: list[Fault],
    given: Table,
    tables: tuple[Table, Table],
    side: int,
    names: Names,
) -> Cause:
    """One for all tensors of a side that have the same fault, in the order of the network."""
    order = {name: place for place, name in enumerate([*given, *tables[side]])}
    faults = sorted(faults, key=lambda found: order[found.tensor])
    mended = {found.tensor for found in faults}
    held, other = tables[side], tables[1 - side]
    gap = max(
        (
            worst(
                given[name].astype(other[name].dtype) if name in mended else held[name], other[name]
            )
            for name in given
            if name in other and (name in mended or name in held)
        ),
        default=0.0,
    )
    what = ", ".join(found.what for found in faults)
    return Cause(kind, gap, f"weights: {names[side]} {what}; to align them, {ADVICE[kind]}")
