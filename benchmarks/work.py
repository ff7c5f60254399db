"""What is trained: the same images, network, batches and steps for every competitor."""

import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.errors import InputError

AUGMENTATION = {"rotation": 10.0, "shear": 5.0, "scale": 0.1, "shift": 2.0, "elastic": 1.0}
"""Affine and elastic, as both sides' `AugmentationConfig` has them: degrees, degrees, relative
size, pixels, pixels."""
SMOOTHNESS = 4.0
"""Pixels: the standard deviation of the elastic field, the default of both sides."""
LOUDNESS = (3 * 4 * math.pi) ** 0.5 * SMOOTHNESS
"""What smoothed noise is multiplied with for unit variance, where others smooth uniform noise."""


@dataclass(frozen=True)
class Work:
    """A training, as every competitor is told it.

    Attributes:
        data: The ``.npz`` that all of them read.
        images: Training images in an epoch, the first ones of the file or as many of them.
        val_images: Kept for validation by those that validate.
        hidden: Width of each hidden layer.
        batch_size: Images a step, all ranks together.
        learning_rate: Of Adam, in the first epoch.
        decay: Factor by which it is multiplied after each epoch; only where accuracy is measured.
        epochs: In a round; a part of an epoch where a competitor is slow.
        augmented: Whether training images are distorted, each anew.
        accelerator: "cpu" or "gpu".
        precision: As of ``--trainer.precision``, or "tf32" for products of rounded operands.
        devices: Ranks that share each batch; those that know but one are not given more.
        seed: Of weights and order.
        steps_per_execution: Of ours; None for its own choice.
    """

    data: str
    images: int
    val_images: int
    hidden: tuple[int, ...] = (128,)
    batch_size: int = 128
    learning_rate: float = 1e-3
    decay: float = 1.0
    epochs: float = 1.0
    augmented: bool = False
    accelerator: str = "cpu"
    precision: str = "32-true"
    devices: int = 1
    seed: int = 0
    steps_per_execution: int | None = None

    @property
    def device_batch(self) -> int:
        """Images a step on each device."""
        return self.batch_size // self.devices

    @property
    def steps(self) -> int:
        """Optimiser steps in an epoch; the last one may take fewer images."""
        return -(-self.images // (self.device_batch * self.devices))

    def to_json(self) -> dict[str, Any]:
        """For a worker."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Work":
        """From what `to_json` made."""
        return cls(**(values | {"hidden": tuple(values["hidden"])}))

    def on(self, network: "Network") -> "Work":
        """The same for another network."""
        return replace(self, hidden=network.hidden, batch_size=network.batch_size)


@dataclass(frozen=True)
class Network:
    """A multilayer perceptron and the batches that it learns from."""

    hidden: tuple[int, ...]
    batch_size: int

    @property
    def name(self) -> str:
        """As people write it: 784-128-10."""
        return "-".join(map(str, (784, *self.hidden, 10)))


NETWORKS = {
    "small": Network((128,), 128),
    "medium": Network((512, 512), 128),
    "large": Network((1024, 1024, 1024), 500),
}


def work_on(data: Path, accelerator: str) -> Work:
    """The training images of `data` but for a twelfth, which is what `fit` keeps for validation.

    Raises:
        InputError: too few images.
    """
    with np.load(data, allow_pickle=False) as arrays:
        total = len(arrays["y_train"])
    val_images = round(total / 12)
    if val_images < 10:
        raise InputError(
            f"{data}: {total:,} training images; expected at least 120, a twelfth of which holds "
            "ten for validation: give --data.source a larger file"
        )
    return Work(str(data), total - val_images, val_images, accelerator=accelerator)
