"""The MLP: shapes, initial weights, logits."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from lightning_mnist.network import MLP, KerasBatchNorm1d


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


def test_batch_norm_is_torchs_or_keras() -> None:
    assert [type(MLP(4, [5], 3, batch_norm=kind)[1]) for kind in (True, "keras", False)] == [
        nn.BatchNorm1d,
        KerasBatchNorm1d,
        nn.ReLU,
    ]


@pytest.mark.parametrize("floatx", ["float64", "float32"])
def test_keras_batch_norm_trains_and_infers_as_keras(floatx: str) -> None:
    keras = pytest.importorskip("keras", reason="the extra keras is not installed")
    import tensorflow as tf

    unit = 64 * np.finfo(floatx).eps
    rng = np.random.default_rng(0)
    scale, offset = rng.normal(size=(2, 7)).astype(floatx)
    theirs = keras.layers.BatchNormalization(dtype=floatx)
    theirs.build((None, 7))
    theirs.gamma.assign(scale)
    theirs.beta.assign(offset)
    ours = KerasBatchNorm1d(7).to(getattr(torch, floatx))
    ours.load_state_dict(
        {"weight": torch.tensor(scale), "bias": torch.tensor(offset)}, strict=False
    )

    def agree(mine: torch.Tensor, expected: object) -> None:
        np.testing.assert_allclose(
            mine.detach().numpy(), np.asarray(expected), rtol=float(unit), atol=float(unit)
        )

    for _ in range(20):
        sums = (3 * rng.normal(size=(32, 7)) + rng.normal(size=7)).astype(floatx)
        upstream = rng.normal(size=(32, 7)).astype(floatx)
        mine, variable = torch.tensor(sums, requires_grad=True), tf.Variable(sums)
        with tf.GradientTape() as tape:
            expected = theirs(variable, training=True)
        given = ours(mine)
        ours.zero_grad()
        given.backward(torch.tensor(upstream))
        sources = [variable, theirs.gamma.value, theirs.beta.value]
        grads = tape.gradient(expected, sources, output_gradients=tf.constant(upstream))
        agree(given, expected.numpy())
        for tensor, grad in zip((mine, ours.weight, ours.bias), grads, strict=True):
            assert tensor.grad is not None
            agree(tensor.grad, grad.numpy())
        agree(ours.running_mean, theirs.moving_mean.numpy())
        agree(ours.running_var, theirs.moving_variance.numpy())
    assert ours.num_batches_tracked == 20
    agree(ours.eval()(torch.tensor(sums)), theirs(sums, training=False).numpy())


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
