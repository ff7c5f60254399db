"""Weights of a file whose model nobody has given: matched by order and shape, and not proven."""

from pathlib import Path

from parity.arrays import Table
from parity.match.layer import layers_of_both
from parity.match.pairs import Pair, in_order
from parity.match.raw import canonical, put_back
from parity.transfer.transfer import NoTransferError, Side, Transfer, complete, samples, unfit


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
    own = canonical(tensors, framework)
    found, given = _matched(own, _weights(b), source, b.name)
    b.remote.ask("write", given, path=str(target))
    return Transfer(found, 0.0, 0, ({}, b.called()), (_note(source, found),))


def refill(own: Table | Side, source: str, tensors: Table, b: Side, target: Path) -> Transfer:
    """Write a file of weights of torch anew, with those of A.

    Args:
        own: A, or its weights by canonical name.
        source: What A is called.
        tensors: Of the file, as it calls them.
        b: Holds the file.
        target: The file to write.

    Raises:
        NoTransferError: as `fill`, or the file keeps weights in two tensors.
    """
    weights = _weights(own) if isinstance(own, Side) else own
    called = own.called() if isinstance(own, Side) else {}
    found, given = _matched(weights, canonical(tensors, "torch"), source, b.name)
    try:
        filled = put_back(tensors, given)
    except ValueError as error:
        raise NoTransferError(
            f"{b.name} {error}: give the model that they belong to, as MODULE:FUNCTION"
        ) from None
    b.remote.ask("rewrite", filled, path=str(target))
    return Transfer(found, 0.0, 0, (called, {}), (_note(b.name, found),))


def _weights(side: Side) -> Table:
    """Of a model, by canonical name."""
    batch = samples(side, side)
    ways = side.ways(batch)
    if not ways:
        raise NoTransferError(
            f"{side.name} takes no batch of shape {list(batch.shape)}; give --input"
        )
    return side.remote.ask("take", way=ways[0])


def _matched(own: Table, theirs: Table, a: str, b: str) -> tuple[list[Pair], Table]:
    """The pairs of layers, and B's tensors."""
    layers = layers_of_both(own, theirs)
    found = in_order(*layers, own)
    if found is None:
        raise unfit(a, b, layers, own)
    found = complete(found, theirs)
    given: Table = {}
    for pair in found:
        given |= pair.given(own)
    return found, given


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
