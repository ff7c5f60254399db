"""This side of the divergence ladder: what a ``fit`` command line builds, one step at a time."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lightning_mnist.command_line.cli import DigitsCLI
from lightning_mnist.command_line.command import BuiltCLI, open_cli
from lightning_mnist.data import sources
from lightning_mnist.instruments.settings import effective_settings, loss_of_logits
from parity.torch import Table, lockstep


def build(flags: list[str], precision: str) -> "LockStep":
    """What ``python -m lightning_mnist`` with these flags trains, in "float64" or "float32"."""
    return LockStep(open_cli(BuiltCLI, flags), precision)


class LockStep(lockstep.LockStep):
    """A `DigitClassifier` and its optimiser; preprocessing is no layer."""

    def __init__(self, cli: DigitsCLI, dtype: torch.dtype | str) -> None:
        self.cli = cli
        self.model = cli.model
        configured: Any = self.model.configure_optimizers()
        (optimizer,), _ = configured
        self.model.constrain(optimizer)
        super().__init__(self.model, optimizer, partial(loss_of_logits, self.model), dtype)
        self.network = self.model.network
        self.see(self.model.example_input_array)

    def read(self, path: Path) -> Table:
        """The raw arrays, by Keras' names; preprocessing measures what it needs on them."""
        digits = sources.load(str(path), self.cli.datamodule.root)
        self.model.preprocessing.fit(torch.from_numpy(digits.train_images))
        return {
            "x_train": digits.train_images,
            "y_train": digits.train_labels,
            "x_test": digits.test_images,
            "y_test": digits.test_labels,
        }

    def inputs(self, images: Any) -> Tensor:
        """The pixels that the network is fed, [B, 784]."""
        pixels: Tensor = self.model.preprocessing(torch.from_numpy(np.array(images)))
        return pixels

    def settings(self) -> dict[str, Any]:
        """What has been built, for `parity audit`."""
        return effective_settings(self.cli, self.optimizer, self.layers)
