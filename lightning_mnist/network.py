"""The network: pixels to logits, and nothing else."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from torch import nn

Activation = Literal["relu", "gelu", "silu", "elu", "tanh", "sigmoid"]
Init = Literal["keras", "torch"]

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "elu": nn.ELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


class MLP(nn.Sequential):
    """A multilayer perceptron; each hidden layer is linear, batch norm, activation, dropout.

    Maps pixels float [N, features] to logits float [N, classes]: the last layer has no activation.

    Args:
        features: Pixels in an image.
        hidden: Width of each hidden layer; empty for softmax regression.
        classes: Number of logits.
        activation: After each hidden layer.
        dropout: Probability of dropping a hidden unit, in [0, 1).
        batch_norm: Normalise each hidden layer's sums over the batch.
        init: "keras" for Keras' defaults (Glorot uniform weights, zero biases), "torch" for
            torch's (weights and biases uniform within 1 / sqrt(fan_in)).

    Raises:
        ValueError: a width below 1 or a dropout outside [0, 1).
    """

    def __init__(
        self,
        features: int,
        hidden: Sequence[int],
        classes: int,
        *,
        activation: Activation = "relu",
        dropout: float = 0.0,
        batch_norm: bool = False,
        init: Init = "keras",
    ) -> None:
        if any(width < 1 for width in hidden):
            raise ValueError(f"hidden widths are {list(hidden)}; expected each at least 1")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout is {dropout}; expected a probability, at least 0, below 1")
        layers: list[nn.Module] = []
        for fan_in, width in pairwise([features, *hidden]):
            layers.append(nn.Linear(fan_in, width))
            if batch_norm:
                layers.append(nn.BatchNorm1d(width))
            layers.append(_ACTIVATIONS[activation]())
            if dropout > 0:
                layers.append(nn.Dropout(dropout))
        layers.append(nn.Linear([features, *hidden][-1], classes))
        super().__init__(*layers)
        if init == "keras":
            self.apply(_keras_init)


def _keras_init(layer: nn.Module) -> None:
    """Keras' defaults for `Dense`: ``glorot_uniform`` and ``zeros``."""
    if isinstance(layer, nn.Linear):
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
