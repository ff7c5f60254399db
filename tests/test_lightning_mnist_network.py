"""The MLP: shapes, initial weights, logits."""

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from lightning_mnist.network import MLP


def shapes(network: MLP) -> list[tuple[int, ...]]:
    return [tuple(layer.weight.shape) for layer in network if isinstance(layer, nn.Linear)]


@pytest.mark.parametrize("hidden", [[], [5], [7, 6, 5]], ids=str)
def test_any_hidden_widths(hidden: list[int]) -> None:
    network = MLP(784, hidden, 10)
    widths = [784, *hidden, 10]
    assert shapes(network) == [(b, a) for a, b in pairwise(widths)]
    assert network(torch.rand(3, 784)).shape == (3, 10)


def test_the_last_layer_has_no_activation() -> None:
    for activation in ("relu", "gelu", "silu", "elu", "tanh", "sigmoid"):
        network = MLP(4, [5], 3, activation=activation, dropout=0.5, batch_norm=True)
        assert isinstance(list(network)[-1], nn.Linear)
    logits = MLP(784, [64], 10)(torch.rand(100, 784))
    assert logits.min() < 0 < logits.max()


def test_a_hidden_layer_is_linear_batch_norm_activation_dropout() -> None:
    kinds = [type(layer) for layer in MLP(4, [5], 3, dropout=0.5, batch_norm=True)]
    assert kinds == [nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Dropout, nn.Linear]


def test_keras_init_is_glorot_uniform_with_zero_biases() -> None:
    torch.manual_seed(0)
    first = next(iter(MLP(784, [512], 10, init="keras")))
    assert isinstance(first, nn.Linear)
    limit = math.sqrt(6 / (784 + 512))
    assert 0.999 * limit < first.weight.abs().max() <= limit
    assert abs(first.weight.std().item() / (limit / math.sqrt(3)) - 1) < 0.01
    assert first.bias.abs().max() == 0


def test_torch_init_is_uniform_within_the_root_of_fan_in() -> None:
    torch.manual_seed(0)
    first = next(iter(MLP(784, [512], 10, init="torch")))
    assert isinstance(first, nn.Linear)
    limit = 1 / math.sqrt(784)
    for parameter in (first.weight, first.bias):
        assert 0.95 * limit < parameter.abs().max() <= limit


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"hidden": [0]}, "hidden widths are"),
        ({"hidden": [3, -1]}, "hidden widths are"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"dropout": -0.1}, "dropout is -0.1"),
    ],
)
def test_impossible_networks_are_refused(flags: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        MLP(4, **{"hidden": [5], "classes": 3, **flags})  # type: ignore[arg-type]
