"""Weights of a file whose model nobody has given: by name, or by order and shape; not proven."""

from itertools import pairwise
from pathlib import Path

import numpy as np

from parity.arrays import Table
from parity.match.layer import Layer, layers_of, layers_of_both
from parity.match.move import as_it_is
from parity.match.pairs import Pair, Tie, by_shape, in_order
from parity.match.raw import Raw, put_back, read, stem
from parity.transfer.transfer import (
    NoTransferError,
    Side,
    Transfer,
    numbers,
    samples,
    unfit,
    without_weights,
)


def fill(tensors: Table, framework: str, source: str, b: Side, target: Path) -> Transfer:
    """Write B with the tensors of a file that belong to a model that nobody has given.

    Args:
        tensors: As the file calls them.
        framework: Whose layouts they have.
        source: The file.
        b: Whose layers they are put into.
        target: The file to write.

    Raises:
        NoTransferError: a layer has no partner, or it is not clear which.
    """
    own = read(tensors, framework)
    numbers(own.weights, own.called, source)
    if b.framework == framework and b.remote.ask("by_name", file=source, path=str(target)):
        return _by_name(own, source)
    theirs = _of_model(b)
    found, given = _matched(own, theirs, source, b.name)
    _one_after_another(b, theirs, [pair.b for pair in found], source)
    b.remote.ask("write", given, path=str(target))
    return Transfer(found, 0.0, 0, (own.called, b.called()), (_note(source, found),))


def refill(own: Raw | Side, source: str, tensors: Table, b: Side, target: Path) -> Transfer:
    """Write a file of weights of torch anew, with those of A.

    Args:
        own: A, or what its file holds.
        source: What A is called.
        tensors: Of the file, as it calls them.
        b: Holds the file.
        target: The file to write.

    Raises:
        NoTransferError: as `fill`, or the file keeps weights in two tensors.
    """
    a = _of_model(own) if isinstance(own, Side) else own
    numbers(a.weights, a.called, source)
    theirs = read(tensors, "torch")
    found, given = _matched(a, theirs, source, b.name)
    if isinstance(own, Side):
        _one_after_another(own, a, [pair.a for pair in found], b.name)
    try:
        filled = put_back(tensors, given)
    except ValueError as error:
        raise NoTransferError(
            f"{b.name} {error}: give the model that they belong to, as MODULE:FUNCTION"
        ) from None
    b.remote.ask("rewrite", filled, path=str(target))
    return Transfer(found, 0.0, 0, (a.called, theirs.called), (_note(b.name, found),))


def _of_model(side: Side) -> Raw:
    """The weights of a model, in the order in which its layers work."""
    batch = samples(side, side)
    ways = side.ways(batch)
    weights = side.remote.ask("take", way=ways[0])
    return Raw(weights, side.called(), alphabetical=False)


def _by_name(own: Raw, source: str) -> Transfer:
    """A file that has B's own names goes into B as B's framework reads it."""
    whole = [
        Pair(layer, layer, tuple(Tie(t, t, as_it_is(own.weights[t].shape)) for t in tensors))
        for layer in layers_of(own.weights)
        if (tensors := list(layer.parts.values()))
    ]
    note = f"{source} holds weights only, under B's own names; they were taken by these"
    return Transfer(whole, 0.0, 0, (own.called, own.called), (note,))


def _matched(own: Raw, theirs: Raw, a: str, b: str) -> tuple[list[Pair], Table]:
    """The pairs of layers, and B's tensors."""
    called = own.called, theirs.called
    layers = layers_of_both(own.weights, theirs.weights)
    sorted_file = own.alphabetical or theirs.alphabetical
    found = in_order(*layers, own.weights)
    if found is None and sorted_file:
        found = by_shape(*layers, own.weights)
    if found is None:
        raise unfit(a, b, layers, own.weights, called)
    for side, file, name in ((0, own, a), (1, theirs, b)):
        if file.alphabetical:
            _told_apart([(pair.a, pair.b)[side] for pair in found], file.called, name)
    empty = [layer.described(called[1]) for layer in without_weights(found, theirs.weights)]
    if empty:
        raise NoTransferError(f"no layer of A belongs to {', '.join(empty)} of B")
    given: Table = {}
    for pair in found:
        given |= pair.given(own.weights)
    return found, given


def _told_apart(layers: list[Layer], called: dict[str, str], file: str) -> None:
    """Refuse layers of equal shapes whose order only the alphabet tells."""
    rows: dict[tuple[object, ...], str] = {}
    for layer in layers:
        name = called[layer.name.partition("/")[0]]
        first = rows.setdefault((layer.kind, *layer.shapes.items()), name)
        if stem(first) != stem(name):
            raise NoTransferError(
                f"{file} lists its layers by the alphabet, and {first} and {name} are of equal "
                "shapes: which is which cannot be told; give the model that they belong to, as "
                f"MODULE:FUNCTION@{file}"
            )


def _one_after_another(side: Side, known: Raw, layers: list[Layer], file: str) -> None:
    """Refuse layers of equal shapes in branches: a file does not tell which branch goes first."""
    rows: dict[tuple[object, ...], list[Layer]] = {}
    for layer in layers:
        rows.setdefault((layer.kind, *layer.shapes.items()), []).append(layer)
    before = side.remote.ask("answer", {})
    for first, second in (pair for row in rows.values() for pair in pairwise(row)):
        other = {name: 1.5 * known.weights[name] + 0.1 for name in first.parts.values()}
        after = side.remote.ask("answer", other)
        if first.ends and second.ends and np.array_equal(before[second.ends], after[second.ends]):
            names = " and ".join(
                known.called[layer.name.partition("/")[0]] for layer in (first, second)
            )
            raise NoTransferError(
                f"{names} of {side.name} are of equal shapes and in branches: which is which "
                f"in {file} cannot be told; give the model that it is of, as MODULE:FUNCTION@{file}"
            )


def _note(file: str, found: list[Pair]) -> str:
    """That nothing is proven, and what was taken for granted."""
    shapes = [tuple(pair.a.shapes.items()) for pair in found]
    twins = [
        pair.a.name for pair, shape in zip(found, shapes, strict=True) if shapes.count(shape) > 1
    ]
    order = (
        f"; {', '.join(twins)} are of equal shapes, and told apart by their order" if twins else ""
    )
    return (
        f"{file} holds weights only, which answer nothing: that both answer alike is not proven"
        f"{order}; give the model that they belong to, as MODULE:FUNCTION@{file}, for a proof"
    )
