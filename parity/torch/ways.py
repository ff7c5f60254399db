"""The way back from a loss, as torch has kept it for its gradients."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor

WAYS = 64
"""Steps that are looked at."""


def ways_back(root: Tensor) -> Iterator[str]:
    """What torch calls the functions that have made a tensor, as ``Softmax``: the last one first.

    Args:
        root: Of a graph; nothing is known of others.
    """
    ways: list[Any] = [root.grad_fn]
    for _ in range(WAYS):
        if not ways:
            return
        way = ways.pop(0)
        if way is not None:
            yield type(way).__name__.partition("Backward")[0]
            ways += [before for before, _ in way.next_functions]
