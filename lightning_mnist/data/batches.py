"""Mini-batches out of whole tensors in memory."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

EVALUATION_BATCH = 2048
"""Images a batch where nothing is learned: large enough to be quick, small enough to fit."""


class Batch(NamedTuple):
    """A mini-batch: images uint8 [B, 28, 28], labels int64 [B], sample_ids int64 [B]."""

    images: Tensor
    labels: Tensor
    sample_ids: Tensor


def answers_of(network: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """What a network answers to images [N, ...], a batch at a time: float32 [N, C]."""
    with torch.inference_mode():
        return torch.cat([network(part) for part in torch.split(images, EVALUATION_BATCH)]).float()


class SampleOrder:
    """The order of the samples in an epoch: a pure function of (seed, epoch), or the file's own.

    Lightning tells the epoch through `set_epoch`, also after a resume.
    """

    def __init__(self, sample_ids: Tensor, shuffle_seed: int | None) -> None:
        self.sample_ids = sample_ids
        self.shuffle_seed = shuffle_seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, counted from 0, whose order comes next."""
        self.epoch = epoch

    def draw(self) -> Tensor:
        """Sample ids int64 [N] in the order of the chosen epoch."""
        if self.shuffle_seed is None:
            return self.sample_ids
        rng = np.random.default_rng([self.shuffle_seed, self.epoch])
        permutation = torch.from_numpy(rng.permutation(len(self.sample_ids)))
        return self.sample_ids[permutation.to(self.sample_ids.device)]


class BatchLoader:
    """Yields batches by indexing whole tensors: no copy sample by sample, no worker, no drop.

    Several ranks are dealt whole batches in turn, so that each sample goes to exactly one of them,
    and in the batch that a single device would have it in. All ranks are dealt as many; at the end
    a batch may be empty.

    Args:
        images: uint8 [N, 28, 28], shared between loaders.
        labels: int64 [N].
        sample_ids: int64 [M], the samples of this loader: indices into the former two.
        batch_size: Samples a batch; the last batch holds what is left.
        shuffle_seed: Shuffles anew each epoch; None keeps the order.
        rank: This process.
        world_size: Number of processes.
    """

    batch_sampler = None  # Lightning asks for one wherever it finds a sampler

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        sample_ids: Tensor,
        batch_size: int,
        *,
        shuffle_seed: int | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.images = images
        self.labels = labels
        self.sampler = SampleOrder(sample_ids, shuffle_seed)  # where Lightning looks for it
        self.batch_size = batch_size
        self.rank = rank
        self.world_size = world_size

    def __len__(self) -> int:
        return -(-len(self.sampler.sample_ids) // (self.batch_size * self.world_size))

    def __iter__(self) -> Iterator[Batch]:
        order, size = self.sampler.draw(), self.batch_size
        for number in range(self.rank, len(self) * self.world_size, self.world_size):
            ids = order[number * size : (number + 1) * size]
            yield Batch(self.images.index_select(0, ids), self.labels.index_select(0, ids), ids)
