"""Digits for Lightning: held once in memory as uint8, on the training device, and indexed."""

from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from numpy.typing import NDArray
from torch import Tensor

from lightning_mnist.data import sources
from lightning_mnist.data.batches import EVALUATION_BATCH, BatchLoader
from lightning_mnist.data.blocks import BlockLoader
from lightning_mnist.errors import InputError


class DigitsDataModule(LightningDataModule):
    """Training, validation and test digits.

    Args:
        source: auto (MNIST where it is or can be had, else the embedded digits), mnist, digits,
            or a file or folder of images and labels.
        root: Folder of the MNIST files; the environment variable LIGHTNING_MNIST_DATA by default,
            else "data".
        batch_size: Training images a step, over all devices together.
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
        self.digits: sources.RawDigits | None = None
        """What `setup` splits; it reads them where nobody has given them."""
        self.description: dict[str, Any] = {}
        """For the run record, after `setup`: name, sha256, number of images in each part."""
        self.steps_per_execution = 1
        """Mini-batches in a block of the training loader; the model says when training starts."""

    def prepare_data(self) -> None:
        """Download what is missing; on one process only."""
        if not self.description:  # also called before the test that follows a fit
            sources.prepare(self.source, self.root)

    def setup(self, stage: str) -> None:
        """Read the digits, split off the validation part, put the tensors on the device."""
        if self.description:
            return
        digits = self.digits or sources.load(self.source, self.root)
        labels = digits.train_labels
        val_size = round(len(labels) / 12) if self.val_size is None else self.val_size
        train_ids, val_ids = stratified_split(labels, val_size, self.seed)
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        self._train_tensors = _on_device(digits.train_images, labels, device)
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

    def train_dataloader(self) -> BlockLoader:
        """Shuffled anew each epoch, but not where ``--trainer.overfit_batches`` repeats a few."""
        rank, world_size = self._place()
        limit = self.trainer.limit_train_batches if self.trainer else None
        repeats = self.trainer is not None and self.trainer.overfit_batches > 0  # type: ignore[attr-defined]
        return BlockLoader(
            *self._train_tensors,
            self.train_ids,
            self.batch_size,
            steps=self.steps_per_execution,
            limit=limit if isinstance(limit, int) else None,
            shuffle_seed=None if repeats else self.seed,
            rank=rank,
            world_size=world_size,
        )

    def val_dataloader(self) -> BatchLoader:
        """In the order of the file."""
        return self._evaluation_loader(self._train_tensors, self.val_ids)

    def learned_dataloader(self) -> BatchLoader:
        """Some of the images to learn, about as many as validate, to be read as those are."""
        every = max(1, len(self.train_ids) // max(1, len(self.val_ids)))
        return self._evaluation_loader(self._train_tensors, self.train_ids[::every])

    def test_dataloader(self) -> BatchLoader:
        """In the order of the file."""
        return self._evaluation_loader(self._test_tensors, self.test_ids)

    def _evaluation_loader(self, tensors: tuple[Tensor, Tensor], ids: Tensor) -> BatchLoader:
        rank, world_size = self._place()
        return BatchLoader(*tensors, ids, EVALUATION_BATCH, rank=rank, world_size=world_size)

    def _place(self) -> tuple[int, int]:
        """This process, and how many there are."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)


def stratified_split(
    labels: NDArray[np.int64], val_size: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Systematic sampling: of the images in random order, then by class, every (N / val_size)-th.

    `labels` are int64 [N].

    So each class has its share of the validation part, rounded up or down. Source: Cochran,
    Sampling Techniques (1977), 8.1. scikit-learn's ``train_test_split`` would do, but takes
    a second to import.

    Returns:
        Indices of the training and of the validation part, int64, each in ascending order.

    Raises:
        InputError: a class with a single image, or fewer images in a part than there are classes.
    """
    total = len(labels)
    classes, counts = np.unique(labels, return_counts=True)
    if counts.min() < 2 or not len(classes) <= val_size <= total - len(classes):
        raise InputError(
            f"--data.val_size: cannot keep {val_size:,} of {total:,} training images for "
            f"validation, as many of each class as its share; expected {len(classes)} to "
            f"{total - len(classes):,}, and at least 2 images of each class (the fewest here, of "
            f"class {classes[counts.argmin()]}: {counts.min():,})"
        )
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(total)
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    for_validation = np.zeros(total, dtype=bool)
    places = (np.arange(val_size) * total + rng.integers(total)) // val_size
    for_validation[by_class[places]] = True
    return np.flatnonzero(~for_validation), np.flatnonzero(for_validation)


def _on_device(
    images: NDArray[np.uint8], labels: NDArray[np.int64], device: torch.device
) -> tuple[Tensor, Tensor]:
    """The arrays as tensors; on the CPU they share memory, so the images exist once."""
    return torch.from_numpy(images).to(device), torch.from_numpy(labels).to(device)
