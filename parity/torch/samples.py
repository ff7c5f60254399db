"""Some of the samples that a program trains on, taken so that it notices nothing."""

from inspect import Parameter, signature
from math import prod
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, SequentialSampler, Subset, TensorDataset

from parity.torch.layouts import Array, as_array
from parity.torch.state import undrawn
from parity.watch.fingerprint import sample

BATCHES = 3
"""Batches whose order is looked at."""
ALIKE = 1.5
"""Ratio of sizes up to which a batch was made of the samples by another shape or type only."""
TARGETS = ("y", "label", "labels", "target", "targets")
"""What batches that are dictionaries call them."""


class Samples(NamedTuple):
    """What a program trains on.

    Attributes:
        x: Some samples, evenly spaced, as the model takes them.
        y: Their targets, [N, ...].
        targets: All targets, [M, ...]; None where they are not known.
        inputs: All samples, [M, ...]; None where they are not one array.
        order: Targets of the first batches, where these are taken in the order of the data.
        batch: Samples of a batch; None where it is not known.
        source: What `more` reads: a loader, or x and y.
        fair: Whether the samples are not the first ones of an order.
        module: That takes the samples of the loader.
        alone: Whether the targets of the source are left aside, as an autoencoder does.
        like: Samples as the program gives them to the module, where it shapes or converts them.
    """

    x: Any
    y: Array
    targets: Array | None
    inputs: Array | None
    order: tuple[Array, ...]
    batch: int | None
    source: Any
    fair: bool = True
    module: nn.Module | None = None
    alone: bool = False
    like: Tensor | None = None

    def given_as(self, x: Any) -> "Samples | None":
        """The same, of the shape and type of a batch `x` of them; None where it is no such."""
        own = self.x
        if not isinstance(x, Tensor) or not isinstance(own, Tensor) or not x.ndim or not own.ndim:
            return None
        one, other = (tuple(n for n in each.shape[1:] if n > 1) for each in (own, x))
        flat = min(len(one), len(other)) <= 1 and prod(one) == prod(other)
        sizes = sorted(float(each.detach().float().square().mean().sqrt()) for each in (own, x))
        if not (one == other or flat) or sizes[1] > ALIKE * sizes[0]:
            return None
        held = self.inputs
        inputs = None if held is None else held.reshape(len(held), *x.shape[1:])
        return self._replace(x=_as(own, x), inputs=inputs, like=x[:0].detach())

    def as_targets(self) -> "Samples":
        """The same, as their own targets."""
        return self._replace(y=as_array(self.x), targets=self.inputs, order=(), alone=True)

    @property
    def unlabelled(self) -> bool:
        """Whether the samples are their own targets."""
        x = self.x
        same = isinstance(x, Tensor) and x.shape == self.y.shape
        return same and bool((as_array(x) == self.y).all())

    def more(self, most: int) -> tuple[Any, Array]:
        """At most `most` samples, evenly spaced, and their targets."""
        if isinstance(self.source, DataLoader):
            places = sample(len(self.source.dataset), most)  # type: ignore[arg-type]
            x, y = _picked(self.source, places, self.module)
        else:
            chosen = sample(len(self.source[1]), most)
            x, y = taken(self.source[0], chosen), self.source[1][chosen]
        x = x if self.like is None else _as(torch.as_tensor(x), self.like)
        return x, as_array(x) if self.alone else y


def _as(x: Tensor, like: Tensor) -> Tensor:
    return x.reshape(len(x), *like.shape[1:]).to(like.dtype)


def samples_of(x: Any, y: Any, most: int, who: str, module: nn.Module | None = None) -> Samples:
    """At most `most` samples, and what is known of all.

    Args:
        x: Tensor or array [N, ...], a tuple of several, or a ``DataLoader``.
        y: Targets; None for a ``DataLoader``, and for samples that are their own.
        most: Samples.
        who: Asks for them.
        module: That takes the samples of a loader.

    Raises:
        TypeError: `x` is neither; what can be read only once belongs to the training.
    """
    if isinstance(x, DataLoader) and y is None and hasattr(x.dataset, "__len__"):
        if (found := _of_loader(x, most, module)) is not None:
            return found
    elif not isinstance(x, DataLoader) and (y is not None or isinstance(x, Tensor | np.ndarray)):
        y = x if y is None else y
        targets = as_array(y) if isinstance(y, Tensor) else np.asarray(y)
        chosen = sample(len(targets), most)
        inputs = _array(x)
        return Samples(taken(x, chosen), targets[chosen], targets, inputs, (), None, (x, targets))
    raise TypeError(
        f"{who} was given {type(x).__name__} and {type(y).__name__}; expected samples and "
        "their targets as tensors or arrays, or a DataLoader whose samples are (x, y)"
    )


def _of_loader(loader: DataLoader[Any], most: int, module: nn.Module | None) -> Samples | None:
    dataset: Any = loader.dataset
    try:
        x, y = _picked(loader, sample(len(dataset), most), module)
    except TypeError:
        return None
    given, wanted = parted(_tensors(dataset), module)
    targets = as_array(wanted) if wanted is not None else None
    inputs = as_array(given) if isinstance(given, Tensor) else None
    order: list[Array] = []
    sampler = loader.sampler
    if isinstance(sampler, SequentialSampler) and isinstance(loader.batch_size, int):
        count = min(BATCHES * loader.batch_size, len(dataset), most)
        _, first = _picked(loader, np.arange(count), module)
        order = [*np.split(first, range(loader.batch_size, count, loader.batch_size))]
    return Samples(x, y, targets, inputs, tuple(order), loader.batch_size, loader, module=module)


def _tensors(dataset: Any) -> tuple[Tensor, ...]:
    """Those that a data set consists of, or a part of one; empty where it is another."""
    if isinstance(dataset, Subset):
        chosen = torch.as_tensor(dataset.indices)
        return tuple(tensor[chosen] for tensor in _tensors(dataset.dataset))
    return dataset.tensors if isinstance(dataset, TensorDataset) else ()


def _picked(loader: DataLoader[Any], places: Array, module: nn.Module | None) -> tuple[Any, Array]:
    """Samples by their number, as a batch.

    Raises:
        TypeError: they are neither (x, y) nor x alone.
    """
    with undrawn():
        batch = loader.collate_fn([loader.dataset[int(place)] for place in places])
    x, y = parted(batch, module)
    y = x if y is None else y
    if not isinstance(y, Tensor):
        raise TypeError("samples are neither (x, y) nor x")
    return x, as_array(y)


def parted(batch: Any, module: nn.Module | None) -> tuple[Any, Any]:
    """What a module takes of a batch, and the targets; None for what it does not say.

    Of (words, lengths, y) the module takes as many as it has arguments for. Of several others, as
    indices, weights or paths, the targets are those that name the fewest classes. Of a dictionary
    it takes all but what is called as targets are, of a single one the value.
    """
    if isinstance(batch, dict):
        name = next((name for name in TARGETS if name in batch), "")
        x = {n: part for n, part in batch.items() if n != name and isinstance(part, Tensor)}
        return x if len(x) > 1 else next(iter(x.values()), None), batch.get(name)
    if not isinstance(batch, tuple | list) or len(batch) < 2:
        return batch[0] if isinstance(batch, list) and batch else batch, None
    if len(batch) == 2:
        return batch[0], batch[1]
    given = signature(module.forward).parameters.values() if module is not None else ()
    wanted = sum(each.default is Parameter.empty for each in given)
    parts = [part for part in batch if isinstance(part, Tensor) and part.ndim]
    count = min(len(given), len(parts) - 1)
    own = all(one is other for one, other in zip(parts[: count + 1], batch, strict=False))
    if not 0 < wanted <= count or not own or len({*map(len, parts)}) > 1:
        return batch, None
    others = parts[count:]
    names = {n: np.unique(as_array(y)).size for n, y in enumerate(others) if y.ndim == 1}
    named = [n for n, size in names.items() if 1 < size < len(others[n])]
    named = [n for n in named if not others[n].is_floating_point()]
    place = 0 if len(others) == 1 else min(named, key=names.__getitem__, default=None)
    y = None if place is None else others[place]
    return (tuple(parts[:count]) if count > 1 else parts[0]), y


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
