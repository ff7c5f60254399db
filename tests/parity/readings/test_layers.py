"""Layers that differ: named rightly and alone; nothing is made up."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from parity.arrays import Array, Table
from parity.readings import layers
from parity.readings.case import Case
from parity.readings.cause import Cause
from parity.readings.precisions import PRECISIONS
from tests.conftest import mostly_slow
from tests.parity.readings.named import (
    BIAS,
    DENSE,
    INPUT,
    KERNEL,
    LOGITS,
    NAMES,
    NETWORK,
    only,
    softmax,
)

RNG = np.random.default_rng(7)


def layer_causes(
    layer: str, x: Array, a: Array, b: Array, table: Table, training: bool
) -> list[Cause]:
    given = {**table, layers.INPUT: x}
    return layers.explain(Case(NAMES, given, {layer: a}, {layer: b}, layer, training))


LAYERS: dict[str, tuple[str, Array, Array, str, str]] = {
    "no bias": ("dense_1", DENSE, INPUT @ KERNEL, "bias not added", "theirs leaves out the bias"),
    "transposed": (
        "dense_1",
        DENSE,
        INPUT @ KERNEL.T + BIAS,
        "transposed kernel",
        "theirs multiplies by kernel.T",
    ),
    "relu": ("dense_1", DENSE, np.maximum(DENSE, 0), "activation", "theirs applies relu"),
    "softmax": ("logits", LOGITS, softmax(LOGITS), "activation", "applies softmax"),
    "log-softmax": (
        "logits",
        LOGITS,
        np.log(softmax(LOGITS)),
        "activation",
        "applies log-softmax",
    ),
    "relu on logits": ("logits", LOGITS, np.maximum(LOGITS, 0), "activation", "relu"),
    "temperature": ("logits", LOGITS, LOGITS / 2.5, "temperature", "theirs divides by 2.5"),
}


@pytest.mark.parametrize("case", LAYERS)
def test_dense_layers_are_named(case: str) -> None:
    layer, ours, theirs, name, said = LAYERS[case]
    only(layer_causes(layer, INPUT, ours, theirs, NETWORK, False), name, said)


def test_a_kernel_of_another_layer_is_named() -> None:
    named = {"u": RNG.normal(size=(16, 16)), "v": RNG.normal(size=(16, 16))}
    found = layer_causes("hidden", INPUT, INPUT @ named["u"], INPUT @ named["v"], named, False)
    only(found, "another kernel", "ours takes u", "theirs takes v")


def test_a_dense_layer_is_read_in_float32() -> None:
    x, ours, theirs = (a.astype(np.float32) for a in (INPUT, DENSE, INPUT @ KERNEL))
    found = layer_causes("dense_1", x, ours, theirs, NETWORK, True)
    only(found, "bias not added", gap=1e-3)


def torch_norm(epsilon: float, *, training: bool, affine: bool = True) -> Array:
    layer = torch.nn.BatchNorm1d(16, eps=epsilon, dtype=torch.float64)
    parts = {"running_mean": "mean", "running_var": "variance"}
    if affine:
        parts |= {"weight": "scale", "bias": "offset"}
    state = {name: torch.tensor(NETWORK[f"batch_norm_1.{part}"]) for name, part in parts.items()}
    layer.load_state_dict(state, strict=False)
    result: Array = layer.train(training)(torch.tensor(INPUT)).detach().numpy()
    return result


def keras_norm(*, training: bool, **settings: Any) -> Array:
    keras = pytest.importorskip("keras")
    layer = keras.layers.BatchNormalization(dtype="float64", **settings)
    layer.build(INPUT.shape)
    order = ("scale", "offset", "mean", "variance")
    layer.set_weights([NETWORK[f"batch_norm_1.{part}"] for part in order])
    return np.asarray(layer(INPUT, training=training))


def sample_norm() -> Array:
    centred = INPUT - INPUT.mean(0)
    scaled: Array = centred * NETWORK["batch_norm_1.scale"]
    scaled /= np.sqrt(INPUT.var(0, ddof=1) + 1e-5)
    scaled += NETWORK["batch_norm_1.offset"]
    return scaled


@pytest.mark.parametrize("training", [True, False])
def test_epsilons_of_torch_and_keras_are_named(training: bool) -> None:
    sides = torch_norm(1e-5, training=training), keras_norm(training=training)
    found = layer_causes("batch_norm_1", INPUT, *sides, NETWORK, training)
    only(found, "batch-norm epsilon", "ours adds epsilon 1e-05", "theirs adds epsilon 0.001")


def test_an_odd_epsilon_is_solved_for_in_either_precision() -> None:
    sides = torch_norm(1e-5, training=True), torch_norm(3e-2, training=True)
    found = layer_causes("batch_norm_1", INPUT, *sides, NETWORK, True)
    only(found, "batch-norm epsilon", "theirs adds epsilon 0.03")
    x, a, b = (array.astype(np.float32) for array in (INPUT, *sides))
    found = layer_causes("batch_norm_1", x, a, b, NETWORK, True)
    only(
        found, "batch-norm epsilon", "ours adds epsilon 1e-05", "theirs adds epsilon 0.03", gap=1e-5
    )


NORMS: dict[str, tuple[Callable[[], Array], str, str]] = {
    "statistics": (
        lambda: torch_norm(1e-5, training=False),
        "batch-norm statistics",
        "theirs uses the moving statistics",
    ),
    "sample variance": (sample_norm, "batch-norm statistics", "sample variance"),
    "neither scale nor offset": (
        lambda: torch_norm(1e-5, training=True, affine=False),
        "batch-norm scale and batch-norm offset",
        "leaves out the scale",
    ),
    "offset": (
        lambda: torch_norm(1e-5, training=True) - NETWORK["batch_norm_1.offset"],
        "batch-norm offset",
        "theirs leaves out the offset",
    ),
}


@pytest.mark.parametrize("case", NORMS)
def test_batch_norm_is_named(case: str) -> None:
    theirs, name, said = NORMS[case]
    ours = torch_norm(1e-5, training=True)
    found = layer_causes("batch_norm_1", INPUT, ours, theirs(), NETWORK, True)
    only(found, name, said)


ACTIVATIONS: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], str]] = {
    "relu": (torch.relu, "applies relu"),
    "leaky": (lambda x: torch.nn.functional.leaky_relu(x, 0.2), "leaky_relu of slope 0.2"),
    "gelu tanh": (
        lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
        "gelu (tanh approximation)",
    ),
    "silu": (torch.nn.functional.silu, "silu"),
    "elu": (lambda x: torch.nn.functional.elu(x, 0.7), "elu of alpha 0.7"),
    "selu": (torch.selu, "selu"),
    "tanh": (torch.tanh, "tanh"),
    "sigmoid": (torch.sigmoid, "sigmoid"),
    "softplus": (torch.nn.functional.softplus, "softplus"),
    "softsign": (torch.nn.functional.softsign, "softsign"),
    "mish": (torch.nn.functional.mish, "mish"),
    "relu6": (torch.nn.functional.relu6, "relu6"),
    "hard tanh": (torch.nn.functional.hardtanh, "hard tanh"),
    "hard sigmoid": (torch.nn.functional.hardsigmoid, "hard sigmoid, relu6"),
    "hard silu": (torch.nn.functional.hardswish, "hard silu"),
    "identity": (lambda x: x, "theirs no activation"),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("case", ACTIVATIONS)
def test_activations_are_named(case: str, dtype: type[np.floating[Any]]) -> None:
    function, said = ACTIVATIONS[case]
    x: Array = INPUT.astype(dtype)
    ours = torch.nn.functional.gelu(torch.tensor(x)).numpy()
    theirs = function(torch.tensor(x)).numpy()
    found = layer_causes("activation_1", x, ours, theirs, {}, True)
    only(found, "activation", "ours applies gelu (exact)", said, gap=1e-5)


def test_activations_of_keras_are_named() -> None:
    keras = pytest.importorskip("keras")
    ours = np.asarray(keras.activations.leaky_relu(INPUT))
    theirs = np.asarray(keras.activations.gelu(INPUT, approximate=True))
    found = layer_causes("activation_2", INPUT, ours, theirs, {}, True)
    only(found, "activation", "slope 0.2", "gelu (tanh approximation, its constant rounded")
    exact = np.asarray(keras.activations.gelu(INPUT, approximate=False))
    ours = torch.nn.functional.gelu(torch.tensor(INPUT)).numpy()
    found = layer_causes("activation_2", INPUT, ours, exact, {}, True)
    only(found, "activation", "ours applies gelu (exact),", "rounded to float32", gap=1e-13)


def dropped(rate: float, x: Array = INPUT, scaled: bool = True) -> Array:
    kept = np.random.default_rng(int(rate * 100)).random(x.shape) >= rate
    return x * kept / (1 - rate if scaled else 1)


def test_dropout_is_named() -> None:
    def found(ours: Array, theirs: Array, training: bool) -> list[Cause]:
        return layer_causes("dropout_1", INPUT, ours, theirs, {}, training)

    only(found(INPUT, dropped(0.2), False), "dropout left on", "a rate of 0.2", "eval()")
    only(found(dropped(0.5), INPUT, False), "dropout left on", "ours drops", "rate of 0.5")
    only(found(dropped(0.5), dropped(0.2), True), "dropout", "rate of 0.5", "rate of 0.2")
    only(found(dropped(0.5), dropped(0.501), True), "dropout", "masks are drawn anew")
    only(found(INPUT, dropped(0.2, scaled=False), False), "dropout left on", "leaves the rest")
    only(found(INPUT, INPUT * 0.8, False), "dropout left on", "multiplies all by 0.8")


def test_dropout_after_relu_is_read_where_it_can_be() -> None:
    x = np.maximum(INPUT, 0)
    found = layer_causes("dropout_1", x, x, dropped(0.2, x), {}, False)
    only(found, "dropout left on", "rate of 0.2")


def test_unknown_layers_are_compared_with_each_other() -> None:
    found = layer_causes("attention_1", INPUT, DENSE, DENSE * 3 + 1, {}, False)
    only(found, "scaled output", "theirs gives 3 times and +1 what ours gives")
    found = layer_causes("conv_1", INPUT, DENSE, np.maximum(DENSE, 0), {}, False)
    only(found, "activation", "theirs applies relu to what ours gives")
    found = layer_causes("conv_1", INPUT, np.tanh(DENSE), DENSE, {}, False)
    only(found, "activation", "ours applies tanh to what theirs gives")


@pytest.mark.parametrize(
    "layer",
    mostly_slow(
        ["dense_1", "batch_norm_1", "activation_1", "dropout_1", "logits", "other"],
        "dense_1", "logits",
    ),
)  # fmt: skip
def test_layers_that_agree_or_cannot_be_explained_have_no_cause(layer: str) -> None:
    ours = DENSE if layer != "logits" else LOGITS

    def found(theirs: Array) -> list[Cause]:
        return layer_causes(layer, INPUT, ours, theirs, NETWORK, True)

    assert found(ours.copy()) == []
    assert found(RNG.normal(size=ours.shape)) == []
    assert found(np.full(ours.shape, np.inf)) == []
    assert found(ours[:, :3]) == []


def test_a_factor_is_no_dropout_but_in_a_layer_of_that_name() -> None:
    found = layer_causes("logits", LOGITS, LOGITS * 2, LOGITS, {}, False)
    only(found, "temperature", "ours divides by 0.5, theirs divides by 1")
    assert not layer_causes("dense_9", INPUT, INPUT * 2, RNG.normal(size=INPUT.shape), {}, False)


def test_what_is_too_large_for_float16_is_rounded_in_silence() -> None:
    rounded = PRECISIONS["float16"].round(np.array([1.0, 1e6, -1e6]))
    np.testing.assert_array_equal(rounded, [1.0, np.inf, -np.inf])
