"""Blocks of mini-batches: what each call of Lightning's training loop is given to learn."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lightning_mnist.data.batches import Batch, BatchLoader
from lightning_mnist.errors import InputError


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
        self.learned = 0
        """Mini-batches that the coming epoch passes over, in blocks of fewer steps or none."""

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
        learned, self.learned = self.learned, 0
        for start in range(0, self.mini_batches, self.steps):
            end = min(start + self.steps, self.mini_batches)
            first = min(max(start, learned), end)
            steps = end - first
            ids = own[first * part : (first + steps) * part]
            yield Block(
                torch.index_select(self.images, 0, ids, out=images[: len(ids)]),
                torch.index_select(self.labels, 0, ids, out=labels[: len(ids)]),
                ids,
                first,
                steps,
                size,
                min(steps * size, max(0, len(order) - first * size)),
                self.rank,
                self.world_size,
            )


def check_sizes(loader: BlockLoader, batch_size: int, batch_norm: bool) -> None:
    """Refuse batches that cannot be shared, or that batch norm cannot normalise.

    Raises:
        InputError: batch norm would meet a batch of one image, or devices would have none.
    """
    images, ranks = len(loader.sampler.sample_ids), loader.world_size
    if min(batch_size, images) < ranks:
        raise InputError(
            f"--data.batch_size {batch_size}, {images:,} training images: too few for {ranks} "
            f"devices to share; expected at least {ranks} of both"
        )
    if batch_norm and loader.smallest_part < 2:
        small = "one image" if ranks == 1 else f"fewer than two images for each of {ranks} devices"
        raise InputError(
            f"the last of an epoch's batches would hold {small}, which batch norm cannot "
            f"normalise; with {images:,} training images choose another --data.batch_size than "
            f"{batch_size}, or --model.batch_norm false"
        )


def _dealt(count: int, rank: int, world_size: int) -> int:
    """How many of so many samples a rank gets when they are dealt out one by one."""
    return len(range(rank, count, world_size))
