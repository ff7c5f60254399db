"""How the numbers of one tensor lie in another: split, transposed, joined; and back."""

from dataclasses import dataclass
from math import prod

import numpy as np

from parity.arrays import Array

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Move:
    """``values.reshape(split).transpose(axes).reshape(shape)``.

    Attributes:
        source: Shape of what is moved.
        split: Into which it is cut first.
        axes: In which order; as of `numpy.transpose`.
        shape: Of the result.
        words: What is said of it; empty where the tensor stays as it is.
    """

    source: Shape
    split: Shape
    axes: Shape
    shape: Shape
    words: str

    def __call__(self, values: Array) -> Array:
        """The numbers in their new places, a copy."""
        moved = values.reshape(self.split).transpose(self.axes).reshape(self.shape)
        return np.array(moved, order="C")

    def back(self, values: Array) -> Array:
        """The reverse."""
        cut = tuple(self.split[axis] for axis in self.axes)
        moved = values.reshape(cut).transpose(np.argsort(self.axes)).reshape(self.source)
        return np.array(moved, order="C")


def as_it_is(shape: Shape) -> Move:
    """No move at all."""
    return Move(shape, shape, tuple(range(len(shape))), shape, "")


def _one_end_alike(source: Shape, target: Shape) -> bool:
    """Whether only neighbouring axes are joined or split, as units into heads."""
    split = source[:1] == target[:1] or 1 in (len(source), len(target))
    return source[-1:] == target[-1:] or (split and len(source) != len(target))


def moves(source: Shape, target: Shape, places: Shape = ()) -> list[Move]:
    """The moves that may bring a tensor of one shape into another, the likeliest first.

    Args:
        source: Of the tensor.
        target: Of where it belongs.
        places: Height, width and channels of which the first axis may have been made: the channels
            may come first on one side and last on the other.
    """
    found: list[Move] = []
    if source == target:
        found.append(as_it_is(source))
    elif [n for n in source if n > 1] == [n for n in target if n > 1] or (
        prod(source) == prod(target) and _one_end_alike(source, target)
    ):
        words = f"{list(source)} as {list(target)}"
        found.append(Move(source, source, tuple(range(len(source))), target, words))
    if len(source) == 2 and target == source[::-1]:
        found.append(Move(source, source, (1, 0), target, "transposed"))
    if source == target and len(places) > 1 and prod(places) == source[0]:
        *around, channels = places
        rest = source[1:]
        behind = tuple(range(len(places), len(places) + len(rest)))
        first = (channels, *around, *rest)
        to_last = (*range(1, len(places)), 0, *behind)
        to_first = (len(around), *range(len(around)), *behind)
        last = (*places, *rest)
        found.append(Move(source, last, to_first, target, "channels last to channels first"))
        found.append(Move(source, first, to_last, target, "channels first to channels last"))
    return found + _unfolded(source, target)


def _unfolded(source: Shape, target: Shape) -> list[Move]:
    """A convolution's kernel, and one for patches with channels first, as torch's unfold cuts."""
    kernel, flat = sorted((source, target), key=len, reverse=True)
    if len(flat) != 2 or len(kernel) < 3 or (prod(kernel[:-1]), kernel[-1]) != flat:
        return []
    *around, channels, outputs = kernel
    last = len(around)
    if source == kernel:
        axes = (last, *range(last), last + 1)
        return [Move(source, source, axes, target, "channels first in a patch")]
    axes = (*range(1, last + 1), 0, last + 1)
    return [Move(source, (channels, *around, outputs), axes, target, "channels first in a patch")]
