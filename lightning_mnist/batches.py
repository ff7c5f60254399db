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

    Over several ranks every batch of ``batch_size * world_size`` samples is dealt out in turn, so
    that each sample goes to exactly one rank.

    Args:
        images: uint8 [N, 28, 28], shared between loaders.
        labels: int64 [N].
        sample_ids: int64 [M], the samples of this loader: indices into the former two.
        batch_size: Samples a batch and rank; the last batch holds what is left.
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

    @property
    def smallest_batch(self) -> int:
        """Samples in the smallest batch that any rank is dealt: in the last one."""
        count, dealt = len(self.sampler.sample_ids), self.batch_size * self.world_size
        return (count % dealt or dealt) // self.world_size

    def __iter__(self) -> Iterator[Batch]:
        order, dealt = self.sampler.draw(), self.batch_size * self.world_size
        for start in range(0, len(order), dealt):
            ids = order[start + self.rank : start + dealt : self.world_size]
            yield Batch(self.images.index_select(0, ids), self.labels.index_select(0, ids), ids)


class Block(NamedTuple):
    """Consecutive mini-batches of an epoch, one after the other: what one training step is given.

    Attributes:
        images: uint8 [N, 28, 28], a buffer that the next block overwrites.
        labels: int64 [N], another.
        sample_ids: int64 [N].
        first: Index in the epoch of the first mini-batch.
        steps: How many mini-batches there are.
        batch_size: Samples in each but the last of an epoch, which holds what is left.
    """

    images: Tensor
    labels: Tensor
    sample_ids: Tensor
    first: int
    steps: int
    batch_size: int

    def batches(self) -> Iterator[tuple[int, Batch]]:
        """Each mini-batch after its index in the epoch."""
        for number in range(self.steps):
            part = slice(number * self.batch_size, (number + 1) * self.batch_size)
            batch = Batch(self.images[part], self.labels[part], self.sample_ids[part])
            yield self.first + number, batch


class BlockLoader(BatchLoader):
    """Yields the same mini-batches in the same order, `steps` of them at a time.

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
        every = super().__len__()
        return every if self.limit is None else min(every, self.limit)

    def __len__(self) -> int:
        return -(-self.mini_batches // self.steps)

    def __iter__(self) -> Iterator[Block]:  # type: ignore[override]
        order, dealt = self.sampler.draw(), self.batch_size * self.world_size
        order = order[: self.mini_batches * dealt]
        room = min(self.steps * self.batch_size, len(order))
        images = self.images.new_empty(room, *self.images.shape[1:])
        labels = self.labels.new_empty(room)
        for first in range(0, self.mini_batches, self.steps):
            steps = min(self.steps, self.mini_batches - first)
            ids = order[first * dealt + self.rank : (first + steps) * dealt : self.world_size]
            yield Block(
                torch.index_select(self.images, 0, ids, out=images[: len(ids)]),
                torch.index_select(self.labels, 0, ids, out=labels[: len(ids)]),
                ids,
                first,
                steps,
                self.batch_size,
            )
