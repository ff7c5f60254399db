"""One axis that was made of channels and places, in either order."""

from torch import Tensor


def channels_last(values: Tensor, parts: tuple[int, ...], axis: int = 1) -> Tensor:
    """One axis of channels, then places, as one of places, then channels."""
    shape = values.shape
    split = values.reshape(*shape[:axis], *parts, *shape[axis + 1 :])
    return split.movedim(axis, axis + len(parts) - 1).reshape(shape)


def channels_first(values: Tensor, parts: tuple[int, ...], axis: int = 1) -> Tensor:
    """The reverse of `channels_last`."""
    shape = values.shape
    split = values.reshape(*shape[:axis], *parts[1:], parts[0], *shape[axis + 1 :])
    return split.movedim(axis + len(parts) - 1, axis).reshape(shape)


def same_but_for_places(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Whether two shapes [B, channels, places] differ in the number of places at most."""
    return len(a) == len(b) and a[:2] == b[:2] and (len(a) > 2 or a == b)
