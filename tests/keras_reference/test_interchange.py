"""Keras models to the interchange format and back; what it cannot say is refused by layer."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras", reason="the extra keras is not installed")

import keras
from keras import layers

import lightning_mnist.instruments.interchange
from keras_reference.config import ModelConfig
from keras_reference.errors import InputError
from keras_reference.instruments import interchange
from keras_reference.instruments.interchange import convert, network_of, read_model
from keras_reference.instruments.layers import described
from keras_reference.network import build
from parity.mlp_file import load
from tests.conftest import Here, mostly_slow
from tests.support.mlp_files import DAMAGE, Contents, random_module, same_numbers, save_checkpoint

IMAGES = np.random.default_rng(0).integers(0, 256, (50, 28, 28)).astype(np.uint8)


@pytest.fixture
def exchanged(tmp_path: Path) -> Path:
    """The architecture "gelu" as a .safetensors."""
    path = tmp_path / "model.safetensors"
    checkpoint = save_checkpoint(random_module("gelu"), tmp_path / "model.ckpt")
    lightning_mnist.instruments.interchange.convert(checkpoint, path)
    return path


def sequential(*parts: Any) -> keras.Sequential:
    """Layers behind those that scale and flatten."""
    return keras.Sequential(
        [keras.Input((28, 28)), layers.Rescaling(1 / 255), layers.Flatten(), *parts]
    )


@pytest.mark.parametrize(
    ("standardize", "batch_norm"),
    mostly_slow(
        product(["none", "image", "dataset"], [False, True]), ("none", False), ("dataset", True)
    ),
)
def test_a_model_comes_back_with_the_same_weights_and_answers(
    batch_norm: bool, standardize: Any, tmp_path: Path
) -> None:
    config = ModelConfig(
        hidden=(9, 5), activation="elu", dropout=0.2, batch_norm=batch_norm, invert=True,
        standardize=standardize,
    )  # fmt: skip
    network = build(config, IMAGES)
    rng = np.random.default_rng(1)
    network.set_weights([rng.uniform(0.1, 1, w.shape) for w in network.get_weights()])
    source, between, back = (tmp_path / name for name in ("a.keras", "b.safetensors", "c.keras"))
    network.save(source)
    assert convert(source, between) == convert(between, back)
    (before, weights, _), (after, same, _) = read_model(source), read_model(back)
    assert same_numbers(weights, same)
    assert before == after
    assert before.batch_norm == ({"epsilon": 1e-3, "momentum": 0.99} if batch_norm else None)
    answers = keras.models.load_model(back).predict(IMAGES, verbose=0)
    np.testing.assert_array_equal(network.predict(IMAGES, verbose=0), answers)
    kinds = [type(layer) for layer in network.layers]
    assert [type(layer) for layer in network_of(after, same).layers] == kinds


def test_what_fit_leaves_is_exchanged(keras_here: Here, tiny_npz: Path, tmp_path: Path) -> None:
    flags: tuple[object, ...] = ("--model.standardize", "dataset", "--model.batch_norm", "true")
    flags += ("--model.hidden", "[6]", "--trainer.max_epochs", 1, "--run_dir", "run")
    done = keras_here("fit", "--data.source", tiny_npz, *flags)
    assert done.code == 0, done.err
    assert convert(tmp_path / "run" / "model.keras", tmp_path / "out.safetensors").startswith("2 l")
    plan, tensors = load(tmp_path / "out.safetensors")
    assert 0 < plan.mean < plan.std < 1
    assert list(tensors) == [
        "dense_1.kernel", "dense_1.bias", "batch_norm_1.scale", "batch_norm_1.offset",
        "batch_norm_1.mean", "batch_norm_1.variance", "dense_2.kernel", "dense_2.bias",
    ]  # fmt: skip


def test_an_activation_inside_a_dense_layer_is_an_activation_behind_it() -> None:
    network = sequential(layers.Dense(4, activation="relu"), layers.Dropout(0.5), layers.Dense(10))
    plan, variables, _ = described(network)
    assert (plan.hidden, plan.activation, plan.dropout) == ([4], "relu", 0.5)
    tensors = {name: keras.ops.convert_to_numpy(v) for name, v in variables.items()}
    answers = network_of(plan, tensors).predict(IMAGES, verbose=0)
    np.testing.assert_array_equal(answers, network.predict(IMAGES, verbose=0))


def test_a_normalization_that_was_adapted_is_exchanged_as_it_computes() -> None:
    layer = layers.Normalization(axis=None)
    network = sequential(layer, layers.Dense(10))
    layer.adapt(IMAGES.reshape(50, 784) / 255)
    plan, variables, _ = described(network)
    assert plan.standardize == "dataset"
    tensors = {name: keras.ops.convert_to_numpy(v) for name, v in variables.items()}
    answers = network_of(plan, tensors).predict(IMAGES, verbose=0)
    np.testing.assert_array_equal(answers, network.predict(IMAGES, verbose=0))


def dense(*parts: Any) -> keras.Sequential:
    """A hidden layer with `parts` behind it, and the output layer."""
    return sequential(layers.Dense(4), *parts, layers.Dense(10))


def behind_relu(*parts: Any) -> keras.Sequential:
    return dense(layers.Activation("relu"), *parts)


def hidden(**settings: Any) -> keras.Sequential:
    return sequential(layers.Dense(4, activation="relu", **settings), layers.Dense(10))


def skipping() -> keras.Model:
    inputs = keras.Input((28, 28))
    x = layers.Flatten()(layers.Rescaling(1 / 255)(inputs))
    first = layers.Dense(784, activation="relu")(x)
    return keras.Model(inputs, layers.Dense(10, name="last")(layers.Add(name="skip")([x, first])))


REFUSED: dict[str, tuple[Callable[[], keras.Model], str]] = {
    "convolution": (
        lambda: keras.Sequential(
            [
                keras.Input((28, 28)), layers.Rescaling(1 / 255), layers.Reshape((28, 28, 1)),
                layers.Conv2D(2, 3, name="conv"), layers.Flatten(), layers.Dense(10),
            ]
        ),
        r"layer conv \(Conv2D\) stands where it has no counterpart",
    ),
    "connection past a layer": (skipping, r"layer skip \(Add\) "),
    "another order of pixels": (
        lambda: keras.Sequential(
            [
                keras.Input((28, 28)), layers.Rescaling(1 / 255),
                layers.Permute((2, 1), name="turned"), layers.Flatten(), layers.Dense(10),
            ]
        ),
        r"layer turned \(Permute\) stands where it has no counterpart",
    ),
    "ends early": (
        lambda: sequential(layers.Dense(10, activation="relu"), layers.Dropout(0.5)),
        r"ends in layer dropout\w* \(Dropout\); expected a Dense of 10 logits",
    ),
    "relu in the last": (
        lambda: sequential(layers.Dense(10, activation="relu", name="last")),
        r"ends in layer last \(Dense\); expected a Dense of 10 logits",
    ),
    "sigmoids in the last": (
        lambda: sequential(layers.Dense(10, activation="sigmoid", name="last")),
        r"ends in layer last \(Dense\); expected a Dense of 10 logits",
    ),
    "other activation": (
        lambda: dense(layers.Activation("leaky_relu", name="leaky")),
        r"layer leaky \(Activation\) computes leaky_relu",
    ),
    "relu with a figure": (
        lambda: dense(layers.ReLU(max_value=6, name="six")),
        r"layer six \(ReLU\) computes another relu",
    ),
    "softmax within": (
        lambda: dense(layers.Softmax(name="within")), r"layer within \(Softmax\) computes softmax",
    ),
    "float16": (
        lambda: hidden(dtype="float16", name="d"), r"layer d \(Dense\) computes in float16",
    ),
    "float64": (
        lambda: hidden(dtype="float64", name="d"), r"layer d \(Dense\) computes in float64",
    ),
    "other layer norm": (
        lambda: sequential(layers.LayerNormalization(name="norm"), layers.Dense(10)),
        r"layer norm \(LayerNormalization\) stands where it has no counterpart",
    ),
}  # fmt: skip
"""Models that Lightning's network cannot be, and what is said of them."""


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_other_side_cannot_say_is_refused_and_the_layer_named(
    name: str, tmp_path: Path
) -> None:
    make, said = REFUSED[name]
    path, target = tmp_path / "model.keras", tmp_path / "out.safetensors"
    make().save(path)
    with pytest.raises(InputError, match=f"^{path}: {said}") as caught:
        convert(path, target)
    assert "\n" not in str(caught.value)
    assert not target.exists()


def test_what_is_no_weight_is_said_and_left_behind() -> None:
    network = sequential(
        layers.Dense(4, activation="relu", kernel_regularizer="l2", name="d"),
        layers.GaussianNoise(0.1, name="noise"), layers.Dropout(0.5), layers.Dense(3),
        layers.ReLU(), layers.BatchNormalization(), layers.Dense(10),
    )  # fmt: skip
    said = "; ".join(described(network).notes)
    expected = (
        "layer d (Dense) has a kernel_regularizer",
        "layer noise (GaussianNoise) works in training only",
        "batch norm is folded",
        "dropout differs by layer (0.5, 0)",
    )
    for what in expected:
        assert what in said
    assert not described(hidden()).notes


@pytest.mark.parametrize("name", ["cut in a tensor", "other format", "NaN"])
def test_a_damaged_or_foreign_file_gets_one_sentence(name: str, exchanged: Path) -> None:
    DAMAGE[name](exchanged)
    target = exchanged.with_name("out.keras")
    with pytest.raises(InputError, match="^.*model.safetensors: ") as caught:
        convert(exchanged, target)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(exchanged))
    assert not target.exists()


def test_what_is_put_together_again_unchanged_is_believed(exchanged: Path) -> None:
    Contents(exchanged).save(exchanged)
    convert(exchanged, exchanged.with_name("out.keras"))


@pytest.mark.parametrize("at", [0, 100, 20_000, -200, -1])
def test_a_model_that_was_cut_off_gets_one_sentence(
    at: int, exchanged: Path, tmp_path: Path
) -> None:
    path = tmp_path / "model.keras"
    convert(exchanged, path)
    path.write_bytes(path.read_bytes()[:at])
    with pytest.raises(InputError, match="^/.*model.keras: cannot be read") as caught:
        convert(path, tmp_path / "out.safetensors")
    assert "\n" not in str(caught.value)


def test_a_model_of_other_images_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    keras.Sequential([keras.Input((4,)), layers.Dense(2)]).save(path)
    with pytest.raises(InputError, match=r"^/.*model.keras: maps \(None, 4\) to \(None, 2\)"):
        convert(path, tmp_path / "out.safetensors")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_broken_model_is_not_exchanged(value: float, exchanged: Path, tmp_path: Path) -> None:
    plan, tensors = load(exchanged)
    tensors["dense_2.bias"][3] = value
    path = tmp_path / "model.keras"
    network_of(plan, tensors).save(path)
    with pytest.raises(InputError, match="model.keras: dense_2.bias holds values that are not f"):
        convert(path, tmp_path / "out.safetensors")


@pytest.mark.parametrize(
    ("source", "target", "code", "said"),
    [
        ("model.safetensors", "out.keras", 0, ""),
        ("gone.keras", "out.safetensors", 1, "gone.keras: no such file"),
        ("gone.safetensors", "out.keras", 1, "gone.safetensors: no such file"),
        ("model.safetensors", "no/out.keras", 1, "no/out.keras: cannot be written"),
        ("model.safetensors", "out.ckpt", 2, "expected a .keras and a .safetensors"),
        ("model.safetensors", "out.safetensors", 2, "expected a .keras and a .safetensors"),
    ],
)
def test_the_command_line(
    source: str,
    target: str,
    code: int,
    said: str,
    exchanged: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(exchanged.parent)
    try:
        found = interchange.main([source, target])
    except SystemExit as exit_:
        found = int(exit_.code or 0)
    out, err = capsys.readouterr()
    assert found == code, err
    assert said in err
    assert out == ("2 layers, 5,589 parameters\n" if code == 0 else "")
