"""Digits for Lightning: held once in memory as uint8, on the training device, and indexed."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from numpy.typing import NDArray
from torch import Tensor

from lightning_mnist import sources
from lightning_mnist.errors import InputError

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


class DigitsDataModule(LightningDataModule):
    """Training, validation and test digits.

    Args:
        source: auto (MNIST where it is or can be had, else the embedded digits), mnist, digits,
            or the path of an .npz file in the format of Keras' mnist.npz.
        root: Folder of the MNIST files; the environment variable LIGHTNING_MNIST_DATA by default,
            else "data".
        batch_size: Training images a step, on each device.
        val_size: Training images kept for validation, as many of each class as its share; by
            default a twelfth, which is 5,000 of MNIST's 60,000.
        seed: Of the validation split and of the order of the training images.

    Raises:
        InputError: an unknown source, or a batch size or validation size out of range.
    """

    def __init__(
        self,
        source: str = "auto",
        root: str | None = None,
        batch_size: int = 128,
        val_size: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        sources.check_source(source)
        if batch_size < 1:
            raise InputError(f"--data.batch_size is {batch_size}; expected at least 1")
        self.save_hyperparameters()
        self.source = source
        self.root = sources.root_folder(root)
        self.batch_size = batch_size
        self.val_size = val_size
        self.seed = seed
        self.description: dict[str, Any] = {}
        """For the run record, after `setup`: name, sha256, number of images in each part."""

    def prepare_data(self) -> None:
        """Download what is missing; on one process only."""
        if not self.description:  # also called before the test that follows a fit
            sources.prepare(self.source, self.root)

    def setup(self, stage: str) -> None:
        """Read the digits, split off the validation part, put the tensors on the device."""
        if self.description:
            return
        digits = sources.load(self.source, self.root)
        train_ids, val_ids = self._split(digits.train_labels)
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        self._train_tensors = _on_device(digits.train_images, digits.train_labels, device)
        self._test_tensors = _on_device(digits.test_images, digits.test_labels, device)
        self.train_ids = torch.from_numpy(train_ids).to(device)
        self.val_ids = torch.from_numpy(val_ids).to(device)
        self.test_ids = torch.arange(len(digits.test_labels), device=device)
        self.description = {
            "name": digits.name,
            "sha256": digits.sha256,
            "train": len(train_ids),
            "val": len(val_ids),
            "test": len(digits.test_labels),
        }

    @property
    def train_images(self) -> Tensor:
        """The training images without the validation part, uint8 [N, 28, 28]."""
        return self._train_tensors[0][self.train_ids]

    @property
    def test_images(self) -> Tensor:
        """The test images in the order of the file, uint8 [N, 28, 28]."""
        return self._test_tensors[0]

    @property
    def test_labels(self) -> Tensor:
        """Their labels, int64 [N]."""
        return self._test_tensors[1]

    def train_dataloader(self) -> BatchLoader:
        """Shuffled anew each epoch."""
        return self._loader(self._train_tensors, self.train_ids, shuffle_seed=self.seed)

    def val_dataloader(self) -> BatchLoader:
        """In the order of the file."""
        return self._loader(self._train_tensors, self.val_ids)

    def test_dataloader(self) -> BatchLoader:
        """In the order of the file."""
        return self._loader(self._test_tensors, self.test_ids)

    def _loader(
        self, tensors: tuple[Tensor, Tensor], ids: Tensor, shuffle_seed: int | None = None
    ) -> BatchLoader:
        return BatchLoader(
            *tensors,
            ids,
            EVALUATION_BATCH if shuffle_seed is None else self.batch_size,
            shuffle_seed=shuffle_seed,
            rank=self.trainer.global_rank if self.trainer else 0,
            world_size=self.trainer.world_size if self.trainer else 1,
        )

    def _split(self, labels: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Indices of the training and of the validation part, each in ascending order."""
        from sklearn.model_selection import train_test_split  # slow to import

        val_size = round(len(labels) / 12) if self.val_size is None else self.val_size
        try:
            train_ids, val_ids = train_test_split(
                np.arange(len(labels)), test_size=val_size, stratify=labels, random_state=self.seed
            )
        except ValueError as error:
            raise InputError(
                f"--data.val_size: cannot keep {val_size:,} of {len(labels):,} training images for "
                f"validation, as many of each class as its share ({error})"
            ) from error
        return np.sort(train_ids), np.sort(val_ids)


def _on_device(
    images: NDArray[np.uint8], labels: NDArray[np.int64], device: torch.device
) -> tuple[Tensor, Tensor]:
    """The arrays as tensors; on the CPU they share memory, so the images exist once."""
    return torch.from_numpy(images).to(device), torch.from_numpy(labels).to(device)
