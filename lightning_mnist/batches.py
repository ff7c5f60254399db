"""Mini-batches out of whole tensors in memory: single ones to evaluate, blocks of them to train."""

from collections.abc import Iterator
from typing import Any, NamedTuple

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


class Block(NamedTuple):
    """Consecutive mini-batches of an epoch, one after the other: what one training step is given.

    Attributes:
        images: uint8 [N, 28, 28], a buffer that the next block overwrites.
        labels: int64 [N], another.
        sample_ids: int64 [N].
        first: Index in the epoch of the first mini-batch.
        steps: How many mini-batches there are.
        batch_size: Samples in each but the last of an epoch, which holds what is left; all ranks'.
        samples: In all mini-batches of the block, all ranks'.
        rank: Whose samples these are.
        world_size: Ranks that share each mini-batch.
    """

    images: Tensor
    labels: Tensor
    sample_ids: Tensor
    first: int
    steps: int
    batch_size: int
    samples: int
    rank: int = 0
    world_size: int = 1

    def batches(self) -> Iterator[tuple[int, Batch, float]]:
        """This rank's part of each mini-batch, after its index in the epoch and before its weight.

        The mean over ranks of weight times gradient is the gradient of the whole mini-batch. The
        weight is 1 where all ranks have as many samples, and 0 where this one has none.
        """
        left = [self.samples - number * self.batch_size for number in range(self.steps)]
        together = [min(self.batch_size, samples) for samples in left]
        own = [_dealt(samples, self.rank, self.world_size) for samples in together]
        parts = zip(*(torch.split(tensor, own) for tensor in self[:3]), strict=True)
        for number, (images, labels, sample_ids) in enumerate(parts):
            batch = Batch(images, labels, sample_ids)
            yield self.first + number, batch, own[number] * self.world_size / together[number]


class BlockLoader(BatchLoader):
    """Yields the mini-batches to train with, `steps` of them at a time.

    Several ranks share each mini-batch, so that they take the steps of a single device.

    Args:
        args: As of `BatchLoader`.
        steps: Mini-batches in a block; the last of an epoch holds what is left.
        limit: Mini-batches in an epoch at most; all by default.
        kwargs: As of `BatchLoader`.
    """

    def __init__(self, *args: Any, steps: int = 1, limit: int | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.steps = steps
        self.limit = limit

    @property
    def mini_batches(self) -> int:
        """In an epoch."""
        every = -(-len(self.sampler.sample_ids) // self.batch_size)
        return every if self.limit is None else min(every, self.limit)

    @property
    def smallest_part(self) -> int:
        """Samples in the smallest part of a mini-batch that any rank is dealt."""
        count, size = len(self.sampler.sample_ids), self.batch_size
        return min(count, size, count % size or size) // self.world_size

    def __len__(self) -> int:
        return -(-self.mini_batches // self.steps)

    def __iter__(self) -> Iterator[Block]:  # type: ignore[override]
        order, size = self.sampler.draw()[: self.mini_batches * self.batch_size], self.batch_size
        place = torch.arange(len(order), device=order.device) % size
        own = order[place % self.world_size == self.rank]
        part = _dealt(size, self.rank, self.world_size)
        room = min(self.steps * part, len(own))
        images = self.images.new_empty(room, *self.images.shape[1:])
        labels = self.labels.new_empty(room)
        for first in range(0, self.mini_batches, self.steps):
            steps = min(self.steps, self.mini_batches - first)
            ids = own[first * part : (first + steps) * part]
            yield Block(
                torch.index_select(self.images, 0, ids, out=images[: len(ids)]),
                torch.index_select(self.labels, 0, ids, out=labels[: len(ids)]),
                ids,
                first,
                steps,
                size,
                min(steps * size, len(order) - first * size),
                self.rank,
                self.world_size,
            )


def _dealt(count: int, rank: int, world_size: int) -> int:
    """How many of so many samples a rank gets when they are dealt out one by one."""
    return len(range(rank, count, world_size))
