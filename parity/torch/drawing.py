"""How a loader draws samples and reads them: by weights, and alike each time."""

from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler, default_collate

from parity.torch.layouts import as_array
from parity.torch.samples import Samples, parted
from parity.torch.state import undrawn
from parity.torch.trace import first_tensor
from parity.watch.fingerprint import sample

TWICE, SORTED = 8, 16
"""Samples that are read twice, and that are made a batch."""


def drawing_of(samples: Samples) -> dict[str, Any]:
    """What a `parity.watch.check.parts.Course` says of a loader; nothing where there is none."""
    loader = samples.source
    if not isinstance(loader, DataLoader):
        return {}
    known: dict[str, Any] = {}
    with suppress(Exception):  # a data set is anyone's code
        known["varying"] = _varying(loader.dataset)
        known["torn"] = _torn(loader, samples.module)
    if isinstance(loader.sampler, WeightedRandomSampler):
        weights = as_array(loader.sampler.weights).astype(np.float64)
        count = len(loader.dataset)  # type: ignore[arg-type]
        if len(weights) < count:
            known["reach"] = int((weights > 0).sum()), count
        y = samples.targets
        if y is not None and y.ndim == 1 and y.dtype.kind in "iu" and len(weights) == len(y):
            drawn = np.bincount(y - min(int(y.min()), 0), weights)
            known["drawn"] = tuple((drawn / drawn.sum()).tolist())
    return known


def _varying(dataset: Any) -> tuple[int, int]:
    """Of how many samples that were read twice alike the targets were others."""
    if isinstance(dataset, TensorDataset):
        return 0, 0
    alike = others = 0
    for place in map(int, sample(len(dataset), TWICE)):
        with undrawn():
            (x, y), (again, other) = dataset[place], dataset[place]
        if _same(x, again):
            alike += 1
            others += not _same(y, other)
    return others, alike


def _torn(loader: DataLoader[Any], module: nn.Module | None) -> int:
    """How many samples a collate function gives the targets of others, as where it sorts them."""
    if loader.collate_fn is default_collate:
        return 0
    with undrawn():
        rows = [loader.dataset[int(n)] for n in sample(len(loader.dataset), SORTED)]  # type: ignore[arg-type]
        alone = [parted(loader.collate_fn([row]), module) for row in rows]
        x, y = parted(loader.collate_fn(rows), module)
    single = [(first_tensor(given), wanted) for given, wanted in alone]
    batch, torn = first_tensor(x), 0
    assert batch is not None
    for own, target in zip(batch, y, strict=True):
        its = [w[0] for x, w in single if x is not None and torch.equal(own[: len(x[0])], x[0])]
        torn += bool(its) and not any(torch.equal(target, wanted) for wanted in its)
    return torn


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.shape == other.shape and torch.equal(one, other)
    return bool(np.array_equal(np.asarray(one), np.asarray(other)))
