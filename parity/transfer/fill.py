"""Weights of a file whose model nobody has given: matched by order and shape, and not proven."""

from pathlib import Path

from parity.arrays import Table
from parity.match.layer import layers_of_both
from parity.match.pairs import in_order
from parity.match.raw import canonical
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
    batch = samples(b, b)
    if not b.ways(batch):
        raise NoTransferError(f"{b.name} takes no batch of shape {list(batch.shape)}; give --input")
    theirs = b.remote.ask("take", way=b.ways(batch)[0])
    layers = layers_of_both(own, theirs)
    found = in_order(*layers, own)
    if found is None:
        raise unfit(source, b.name, layers, own)
    found = complete(found, theirs)
    given: Table = {}
    for pair in found:
        given |= pair.given(own)
    b.remote.ask("write", given, path=str(target))
    shapes = [tuple(pair.a.shapes.items()) for pair in found]
    twins = [
        pair.a.name for pair, shape in zip(found, shapes, strict=True) if shapes.count(shape) > 1
    ]
    order = (
        f"; {', '.join(twins)} are of equal shapes, and told apart by their order" if twins else ""
    )
    note = (
        f"{source} holds weights only, which answer nothing: that both answer alike is not proven"
        f"{order}; give the model that they belong to, as MODULE:FUNCTION@{source}, for a proof"
    )
    return Transfer(found, 0.0, 0, ({}, b.called()), (note,))
