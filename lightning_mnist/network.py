"""The network: pixels to logits, and nothing else."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Activation = Literal["relu", "gelu", "silu", "elu", "tanh", "sigmoid"]
BatchNorm = bool | Literal["keras"]
Init = Literal["keras", "torch"]

MOST_WEIGHTS, MOST_LAYERS = 2**28, 1_000
"""Of a network: a gigabyte of weights."""
SHORT = (torch.bfloat16, torch.float16)
"""Floating-point numbers of 16 bits."""
KERAS_SHARE = 0.01
"""Of a batch in the moving averages: torch calls that a momentum of .01, Keras of .99."""

_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": partial(nn.ReLU, inplace=True),  # what it overwrites, backward does not look at
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "elu": nn.ELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


ACTIVATIONS = {type(make()): name for name, make in _ACTIVATIONS.items()}
"""What flags call a layer's kind."""


class MLP(nn.Sequential):
    """A multilayer perceptron; each hidden layer is linear, batch norm, activation, dropout.

    From `features` pixels to `classes` logits; the rest as of `DigitClassifier`. Without hidden
    layers it is softmax regression.

    Maps pixels float [N, features] to logits [N, classes]: the last layer has no activation.

    Raises:
        ValueError: a width below 1, too many weights, a dropout outside [0, 1), or more or fewer
            activations.
    """

    def __init__(
        self,
        features: int,
        hidden: Sequence[int],
        classes: int,
        *,
        activation: Activation | Sequence[Activation] = "relu",
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        batch_norm: BatchNorm = False,
        init: Init = "keras",
    ) -> None:
        if any(width < 1 for width in hidden):
            raise ValueError(f"hidden widths are {list(hidden)}; expected each at least 1")
        weights = sum(a * b for a, b in pairwise([features, *hidden, classes]))
        if weights > MOST_WEIGHTS or len(hidden) > MOST_LAYERS:
            raise ValueError(
                f"hidden: {len(hidden):,} widths make {weights:,} weights; expected at most "
                f"{MOST_LAYERS:,} widths and {MOST_WEIGHTS:,} weights"
            )
        for name, share in (("dropout", dropout), ("input_dropout", input_dropout)):
            if not 0 <= share < 1:
                raise ValueError(f"{name} is {share}; expected a probability, at least 0, below 1")
        functions = [activation] * len(hidden) if isinstance(activation, str) else activation
        if len(functions) != len(hidden):
            raise ValueError(
                f"{len(functions)} activations for {len(hidden)} hidden layers; expected one for "
                "each, or one for all"
            )
        layers: list[nn.Module] = [nn.Dropout(input_dropout)] if input_dropout > 0 else []
        for (fan_in, width), function in zip(pairwise([features, *hidden]), functions, strict=True):
            layers.append(nn.Linear(fan_in, width))
            if batch_norm:
                norm = KerasBatchNorm1d if batch_norm == "keras" else nn.BatchNorm1d
                layers.append(norm(width))
            layers.append(_ACTIVATIONS[function]())
            if dropout > 0:
                layers.append(nn.Dropout(dropout))
        layers.append(nn.Linear([features, *hidden][-1], classes))
        super().__init__(*layers)
        self.features = features
        if init == "keras":
            self.apply(_keras_init)

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits [N, classes], in float32 where all else has 16 bits: NumPy has no bfloat16."""
        logits: Tensor = super().forward(pixels)  # type: ignore[no-untyped-call]
        return logits.float() if logits.dtype in SHORT else logits


class KerasBatchNorm1d(nn.BatchNorm1d):
    """Batch normalisation with Keras' numbers.

    Epsilon is 1e-3, and the moving averages take a hundredth of every batch's mean and population
    variance, where torch takes a tenth, and of the sample variance.
    """

    momentum: float
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, num_features: int) -> None:
        super().__init__(num_features, eps=1e-3, momentum=KERAS_SHARE)

    def forward(self, input: Tensor) -> Tensor:
        """Sums [N, features] to normalised ones; in training also moves the averages.

        Raises:
            ValueError: one image to train on.
        """
        if not self.training:
            return super().forward(input)
        normalised = F.batch_norm(
            input, None, None, self.weight, self.bias, training=True, eps=self.eps
        )
        self.track(input)
        return normalised

    @torch.no_grad()
    def track(self, input: Tensor) -> None:
        """Move the averages by sums [N, features] of a training batch."""
        variance, mean = torch.var_mean(input, dim=0, correction=0)
        self.running_mean.mul_(1 - self.momentum).add_(mean, alpha=self.momentum)
        self.running_var.mul_(1 - self.momentum).add_(variance, alpha=self.momentum)
        self.num_batches_tracked.add_(1)


def _keras_init(layer: nn.Module) -> None:
    """Keras' defaults for `Dense`: ``glorot_uniform`` and ``zeros``."""
    if isinstance(layer, nn.Linear):
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)


def described(network: MLP) -> str:
    """Its widths and its size: ``784-128-10, 101,770 parameters``."""
    layers = [layer for layer in network if isinstance(layer, nn.Linear)]
    widths = "-".join(str(width) for width in [network.features, *(x.out_features for x in layers)])
    size = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    return f"{widths}, {size:,} parameters"


def work_of_a_step(network: nn.Module, batch_size: float) -> float:
    """Multiplications and additions of a training step: two forward, four backward a weight."""
    return 6.0 * batch_size * sum(parameter.numel() for parameter in network.parameters())
