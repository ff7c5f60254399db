"""Some of the samples that a program trains on, taken so that it notices nothing."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, SequentialSampler, Subset, TensorDataset

from parity.torch.layouts import Array, as_array
from parity.torch.state import undrawn
from parity.watch.fingerprint import sample

BATCHES = 3
"""Batches whose order is looked at."""


class Samples(NamedTuple):
    """What a program trains on.

    Attributes:
        x: Some samples, evenly spaced, as the model takes them.
        y: Their targets, [N, ...].
        targets: All targets, [M, ...]; None where they are not known.
        inputs: All samples, [M, ...]; None where they are not one array.
        order: Targets of the first batches, where these are taken in the order of the data.
        batch: Samples of a batch; None where it is not known.
        source: What `more` reads.
    """

    x: Any
    y: Array
    targets: Array | None
    inputs: Array | None
    order: tuple[Array, ...]
    batch: int | None
    source: Any

    def more(self, most: int) -> tuple[Any, Array]:
        """At most `most` samples, evenly spaced, and their targets."""
        if isinstance(self.source, DataLoader):
            return _picked(self.source, sample(len(self.source.dataset), most))  # type: ignore[arg-type]
        x, y = self.source
        chosen = sample(len(y), most)
        return taken(x, chosen), y[chosen]


def samples_of(x: Any, y: Any, most: int, who: str) -> Samples:
    """At most `most` samples, and what is known of all.

    Args:
        x: Tensor or array [N, ...], a tuple of several, or a ``DataLoader``.
        y: Targets; None for a ``DataLoader``.
        most: Samples.
        who: Asks for them.

    Raises:
        TypeError: `x` is neither; what can be read only once belongs to the training.
    """
    if isinstance(x, DataLoader) and y is None and hasattr(x.dataset, "__len__"):
        if (found := _of_loader(x, most)) is not None:
            return found
    elif not isinstance(x, DataLoader) and y is not None:
        targets = as_array(y) if isinstance(y, Tensor) else np.asarray(y)
        chosen = sample(len(targets), most)
        inputs = _array(x)
        return Samples(taken(x, chosen), targets[chosen], targets, inputs, (), None, (x, targets))
    raise TypeError(
        f"{who} was given {type(x).__name__} and {type(y).__name__}; expected samples and "
        "their targets as tensors or arrays, or a DataLoader whose samples are (x, y)"
    )


def _of_loader(loader: DataLoader[Any], most: int) -> Samples | None:
    dataset: Any = loader.dataset
    try:
        x, y = _picked(loader, sample(len(dataset), most))
    except TypeError:
        return None
    tensors = _tensors(dataset)
    targets, inputs = map(as_array, reversed(tensors)) if len(tensors) == 2 else (None, None)
    order: list[Array] = []
    sampler = loader.sampler
    if isinstance(sampler, SequentialSampler) and isinstance(loader.batch_size, int):
        count = min(BATCHES * loader.batch_size, len(dataset), most)
        _, first = _picked(loader, np.arange(count))
        order = [*np.split(first, range(loader.batch_size, count, loader.batch_size))]
    return Samples(x, y, targets, inputs, tuple(order), loader.batch_size, loader)


def _tensors(dataset: Any) -> tuple[Tensor, ...]:
    """Those that a data set consists of, or a part of one; empty where it is another."""
    if isinstance(dataset, Subset):
        chosen = torch.as_tensor(dataset.indices)
        return tuple(tensor[chosen] for tensor in _tensors(dataset.dataset))
    return dataset.tensors if isinstance(dataset, TensorDataset) else ()


def _picked(loader: DataLoader[Any], places: Array) -> tuple[Any, Array]:
    """Samples by their number, as a batch.

    Raises:
        TypeError: they are not (x, y).
    """
    with undrawn():
        batch = loader.collate_fn([loader.dataset[int(place)] for place in places])
    if not isinstance(batch, tuple | list) or len(batch) != 2 or not isinstance(batch[1], Tensor):
        raise TypeError("samples are not (x, y)")
    return batch[0], as_array(batch[1])


def _array(x: Any) -> Array | None:
    """One array without a copy, where that can be had."""
    if isinstance(x, Tensor):
        return x.detach().numpy() if x.device.type == "cpu" and x.dtype != torch.bfloat16 else None
    return None if isinstance(x, tuple | list | dict) else np.asarray(x)


def taken(x: Any, chosen: Array) -> Any:
    """Some of the samples, in the structure that they have."""
    if isinstance(x, tuple | list):
        return tuple(taken(part, chosen) for part in x)
    if isinstance(x, dict):
        return {name: taken(part, chosen) for name, part in x.items()}
    return x[torch.from_numpy(chosen)].clone() if isinstance(x, Tensor) else np.asarray(x)[chosen]


def arrays(x: Any) -> Any:
    """Tensors as arrays, in any structure."""
    if isinstance(x, Tensor):
        return as_array(x)
    if isinstance(x, tuple | list):
        return tuple(map(arrays, x))
    return {name: arrays(part) for name, part in x.items()} if isinstance(x, dict) else x
