"""Which layer feeds which, told from what one side's layers are fed and give."""

from collections.abc import Collection

from parity.arrays import Array, Table


def sources(given: Table, fed: Table, owners: Collection[str]) -> dict[str, str]:
    """The layer with weights from which each layer gets its input, through layers that have none.

    A layer that is fed a sum, or what no layer gives, has none.

    Args:
        given: What each layer gives, in the order of work.
        fed: What each is fed, by the same names.
        owners: Layers with weights.
    """
    found: dict[str, str] = {}
    gives: dict[tuple[object, ...], str] = {}
    for name, values in given.items():
        before = gives.get(_key(fed[name])) if name in fed else None
        if before is not None:
            origin = before if before in owners else found.get(before)
            found |= {} if origin is None else {name: origin}
        gives[_key(values)] = name
    return found


def _key(values: Array) -> tuple[object, ...]:
    return values.shape, values.tobytes()
