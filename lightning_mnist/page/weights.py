"""The network of a page: batch norm folded in, weights rounded to as many levels as fit."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lightning_mnist.calibration import Calibration
from lightning_mnist.errors import InputError
from lightning_mnist.network import ACTIVATIONS
from lightning_mnist.page.rounding import FINEST, Dense, Inputs, Rounded
from lightning_mnist.trained import Trained


def folded(network: nn.Module) -> tuple[list[Dense], nn.Module]:
    """The linear layers with batch norm in them, and the activation between them.

    Raises:
        InputError: a layer of another kind.
    """
    layers: list[tuple[Tensor, Tensor]] = []
    activation: nn.Module = nn.ReLU()
    for module in network.children():
        if isinstance(module, nn.Linear):
            layers.append((module.weight.detach().double(), module.bias.detach().double()))
        elif isinstance(module, nn.BatchNorm1d):
            layers[-1] = _normalised(*layers[-1], module)
        elif type(module) in ACTIVATIONS:
            activation = module
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
    def of(cls, trained: Trained, steps: int | None, inputs: Sequence[Inputs]) -> "PageNetwork":
        """Round to `steps` steps on either side of 0; None keeps float32.

        Of the last layer, which is small, the finest is kept; `inputs`, as `inputs_of` measures
        them, are needed where something is rounded.
        """
        exact, activation = folded(trained.model.network)
        body, layers = b"", []
        if steps is None:
            layers = exact
            for layer in exact:
                body += layer.biases.astype("<f4").tobytes() + layer.weights.astype("<f4").tobytes()
        else:
            for layer, fed in zip(exact, inputs, strict=True):
                rounded = Rounded.of(layer, FINEST if layer is exact[-1] else steps, fed)
                body += rounded.content
                layers.append(rounded.layer)
        preprocessing: Any = trained.model.preprocessing
        calibration = trained.calibration or Calibration()
        head = {
            "sizes": [exact[0].weights.shape[1], *(len(layer.biases) for layer in exact)],
            "activation": ACTIVATIONS[type(activation)],
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
        _, activation = folded(trained.model.network)
        with torch.inference_mode():
            values = trained.model.preprocessing(images)
            for place, layer in enumerate(self.layers):
                values = layer(values)
                values = activation(values) if place < len(self.layers) - 1 else values
        logits: Tensor = values
        return logits


def inputs_of(trained: Trained, images: Tensor) -> list[Inputs]:
    """What each linear layer is fed of images uint8 [N, 28, 28]."""
    layers, activation = folded(trained.model.network)
    inputs = []
    with torch.inference_mode():
        values = trained.model.preprocessing(images)
        for layer in layers:
            inputs.append(Inputs.of(values))
            values = activation(layer(values))
    return inputs


def deflated(content: bytes) -> bytes:
    """Raw deflate, by whichever strategy makes it smaller: rounded weights hardly repeat."""
    found = []
    for strategy in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY):
        packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9, strategy)
        found.append(packer.compress(content) + packer.flush())
    return min(found, key=len)
