"""The network of a page: batch norm folded in, weights rounded to as many levels as fit."""

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lightning_mnist.calibration import Calibration
from lightning_mnist.errors import InputError
from lightning_mnist.trained import Trained

ACTIVATIONS: dict[type[nn.Module], str] = {
    nn.ReLU: "relu",
    nn.GELU: "gelu",
    nn.SiLU: "silu",
    nn.ELU: "elu",
    nn.Tanh: "tanh",
    nn.Sigmoid: "sigmoid",
}
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Dense:
    """A layer: weights float32 [out, in] and biases float32 [out]."""

    weights: Floats
    biases: Floats

    def rounded(self, steps: int) -> tuple[NDArray[np.int8], Floats]:
        """Whole steps int8 [out, in] and the size of a step in each row, float32 [out].

        A row's largest weight is `steps` steps, so that it has 2 * steps + 1 levels.
        """
        size = np.abs(self.weights).max(axis=1) / steps
        size = np.where(size > 0, size, 1).astype(np.float32)
        return np.round(self.weights / size[:, None]).astype(np.int8), size


def folded(network: nn.Module) -> tuple[list[Dense], str]:
    """The linear layers with batch norm in them, and the activation between them.

    Raises:
        InputError: a layer of another kind.
    """
    layers: list[tuple[Tensor, Tensor]] = []
    activation = "relu"
    for module in network.children():
        if isinstance(module, nn.Linear):
            layers.append((module.weight.detach().double(), module.bias.detach().double()))
        elif isinstance(module, nn.BatchNorm1d):
            layers[-1] = _normalised(*layers[-1], module)
        elif type(module) in ACTIVATIONS:
            activation = ACTIVATIONS[type(module)]
        elif not isinstance(module, nn.Dropout):
            raise InputError(f"--to page: cannot show a layer of kind {type(module).__name__}")
    return [Dense(w.float().numpy(), b.float().numpy()) for w, b in layers], activation


def _normalised(weights: Tensor, biases: Tensor, norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    factor = norm.weight.detach().double() / (norm.running_var.double() + norm.eps).sqrt()
    shifted = (biases - norm.running_mean.double()) * factor + norm.bias.detach().double()
    return weights * factor[:, None], shifted


@dataclass(frozen=True)
class PageNetwork:
    """What a page holds of a model.

    Attributes:
        head: For the page's JSON: sizes, activation, preprocessing, calibration.
        body: Of each layer the biases, then rounded weights and the size of their steps, or the
            weights as they are; little-endian.
        layers: As the page computes with them.
    """

    head: dict[str, Any]
    body: bytes
    layers: list[Dense]

    @classmethod
    def of(cls, trained: Trained, steps: int | None) -> "PageNetwork":
        """Round to `steps` steps on either side of 0; None keeps float32."""
        exact, activation = folded(trained.model.network)
        body, layers = b"", []
        for layer in exact:
            body += layer.biases.astype("<f4").tobytes()
            if steps is None:
                body += layer.weights.astype("<f4").tobytes()
                layers.append(layer)
                continue
            whole, size = layer.rounded(steps)
            body += size.astype("<f4").tobytes() + whole.tobytes()
            layers.append(Dense(whole * size[:, None], layer.biases))
        preprocessing: Any = trained.model.preprocessing
        calibration = trained.calibration or Calibration()
        head = {
            "sizes": [exact[0].weights.shape[1], *(len(layer.biases) for layer in exact)],
            "activation": activation,
            "steps": steps,
            "invert": preprocessing.invert,
            "standardize": preprocessing.standardize,
            "mean": preprocessing.mean.item(),
            "std": preprocessing.std.item(),
            "temperature": calibration.temperature,
            "strangest": calibration.strangest if trained.calibration else None,
        }
        return cls(head, body, layers)

    def logits(self, trained: Trained, images: Tensor) -> Tensor:
        """What the page answers to images uint8 [N, 28, 28]: float32 [N, 10]."""
        activation = next(
            (m for m in trained.model.network.children() if type(m) in ACTIVATIONS), nn.ReLU()
        )
        with torch.inference_mode():
            values = trained.model.preprocessing(images)
            for place, layer in enumerate(self.layers):
                weights, biases = torch.from_numpy(layer.weights), torch.from_numpy(layer.biases)
                values = values @ weights.T + biases
                values = activation(values) if place < len(self.layers) - 1 else values
        logits: Tensor = values
        return logits


def deflated(content: bytes) -> bytes:
    """Raw deflate, by whichever strategy makes it smaller: rounded weights hardly repeat."""
    found = []
    for strategy in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY):
        packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9, strategy)
        found.append(packer.compress(content) + packer.flush())
    return min(found, key=len)
