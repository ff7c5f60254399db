"""This side of the divergence ladder: what a ``fit`` command line builds, one step at a time."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lightning_mnist import sources
from lightning_mnist.cli import DigitsCLI
from lightning_mnist.command import BuiltCLI, open_cli
from lightning_mnist.instruments.settings import effective_settings

Array = NDArray[Any]
Table = dict[str, Array]

KINDS: dict[type[nn.Module], str] = {
    nn.Linear: "dense",
    nn.BatchNorm1d: "batch_norm",
    nn.Dropout: "dropout",
}
"""What layers are called; any other kind is an activation."""
TENSORS: dict[str, dict[str, str]] = {
    "dense": {"kernel": "weight", "bias": "bias"},
    "batch_norm": {
        "scale": "weight",
        "offset": "bias",
        "mean": "running_mean",
        "variance": "running_var",
    },
}
"""Of each kind of layer, torch's names by the canonical ones."""


def build(flags: list[str], precision: str) -> "LockStep":
    """What ``python -m lightning_mnist`` with these flags trains, in "float64" or "float32"."""
    return LockStep(open_cli(BuiltCLI, flags), getattr(torch, precision))


class LockStep:
    """A `DigitClassifier` and its optimiser; arrays by canonical names, kernels [in, out]."""

    def __init__(self, cli: DigitsCLI, dtype: torch.dtype) -> None:
        self.cli = cli
        self.model = cli.model.to(dtype)
        configured: Any = self.model.configure_optimizers()
        (self.optimizer,), _ = configured
        self.layers = named_layers(self.model.network)

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

    def weights(self) -> Table:
        """Copies of all parameters and moving statistics."""
        return {name: _to_array(name, tensor) for name, tensor in self._tensors().items()}

    @torch.no_grad()
    def set_weights(self, weights: Mapping[str, Array]) -> None:
        """Take all of `weights`."""
        for name, tensor in self._tensors().items():
            given = _to_tensor(weights[name])
            tensor.copy_(given.T if name.endswith(".kernel") else given)

    @torch.no_grad()
    def forward(self, images: Array, training: bool) -> Table:
        """What each layer gives, float [B, ...]; the last is called ``logits``."""
        values = self.model.preprocessing(_to_tensor(images))
        table = {"pixels": values.numpy()}
        moving = self._moving_statistics()
        self.model.train(training)
        for name, layer in self.layers.items():
            values = layer(values)
            table[name] = np.array(values)  # a copy: the next layer may work in place
        self._restore(moving)
        table["logits"] = table.pop(name)
        return table

    def gradients(self, images: Array, labels: Array) -> tuple[float, Table]:
        """Loss and gradients in training mode; moving statistics stay as they were."""
        moving = self._moving_statistics()
        loss = self._backward(images, labels)
        self._restore(moving)
        return loss, {
            name: _to_array(name, tensor.grad)
            for name, tensor in self._tensors().items()
            if tensor.grad is not None
        }

    def step(self, images: Array, labels: Array) -> float:
        """One optimiser step."""
        loss = self._backward(images, labels)
        self.optimizer.step()
        return loss

    def settings(self) -> dict[str, Any]:
        """What has been built, for `parity audit`."""
        return effective_settings(self.cli, self.optimizer, self.layers)

    def _backward(self, images: Array, labels: Array) -> float:
        self.model.train()
        self.optimizer.zero_grad()
        pixels = self.model.preprocessing(_to_tensor(images))
        loss, _ = self.model.loss(pixels, _to_tensor(labels).long())
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.item()

    def _tensors(self) -> dict[str, Tensor]:
        """Parameters and moving statistics as torch has them, by canonical names."""
        return {
            f"{name}.{ours}": getattr(layer, theirs)
            for name, layer in self.layers.items()
            for ours, theirs in TENSORS.get(name.rpartition("_")[0], {}).items()
        }

    def _moving_statistics(self) -> dict[str, Tensor]:
        return {name: buffer.clone() for name, buffer in self.model.network.named_buffers()}

    def _restore(self, buffers: dict[str, Tensor]) -> None:
        for name, buffer in self.model.network.named_buffers():
            buffer.copy_(buffers[name])


def named_layers(network: nn.Sequential) -> dict[str, nn.Module]:
    """The layers in order, called ``dense_1``, ``batch_norm_1``, ``activation_1``, ..."""
    count: Counter[str] = Counter()
    layers = {}
    for layer in network:
        kind = next((name for cls, name in KINDS.items() if isinstance(layer, cls)), "activation")
        count[kind] += 1
        layers[f"{kind}_{count[kind]}"] = layer
    return layers


def _to_tensor(array: Array) -> Tensor:
    return torch.from_numpy(np.array(array))  # a copy: the array may be read-only


def _to_array(name: str, tensor: Tensor) -> Array:
    values = tensor.detach().clone()
    return (values.T if name.endswith(".kernel") else values).numpy()
