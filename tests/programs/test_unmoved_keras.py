"""What a training in Keras leaves as it was is named, and what is meant to stay is left alone."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras", reason="the extra keras is not installed")
pytest.importorskip("tensorflow", reason="the extra keras is not installed")

import keras
import tensorflow as tf
from keras import layers as kl
from keras import ops

from parity.keras import CollapseGuard
from parity.keras.first_step import _some
from tests.programs.keras_programs import BINARY, SPARSE, net

X = np.random.default_rng(2).normal(size=(128, 4)).astype(np.float32)
YES = (X[:, 0] > 0).astype(np.float32)
KIND = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)


def said(model: Any, capsys: pytest.CaptureFixture[str], y: Any = KIND, **given: Any) -> str:
    """What the guard prints in 72 steps."""
    guard = CollapseGuard(X, y, reaction="warn")
    model.fit(X, y, 16, epochs=9, verbose=0, callbacks=[guard], **given)
    printed = capsys.readouterr().err
    assert "looks at nothing" not in printed
    return printed


class Two(keras.Model):  # type: ignore[misc]
    """Two parts with an optimiser each, of which the second may take no step."""

    def __init__(self, steps: bool) -> None:
        super().__init__()
        self.first, self.second, self.steps = kl.Dense(8), kl.Dense(3), steps
        self.teacher = kl.Dense(3)  # learns nothing, and is not called
        self.teacher.build((None, 4))
        self.one, self.other = keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1)
        self.compile()

    def call(self, x: Any) -> Any:
        return self.second(ops.tanh(self.first(x)))

    def train_step(self, pair: Any) -> Any:
        x, y = pair
        with tf.GradientTape() as tape:
            given = self(x, training=True)
            loss = ops.mean(keras.losses.sparse_categorical_crossentropy(y, given, True))
        weights = self.first.trainable_variables, self.second.trainable_variables
        one, other = tape.gradient(loss, weights)
        self.one.apply_gradients(zip(one, weights[0], strict=True))
        if self.steps:
            self.other.apply_gradients(zip(other, weights[1], strict=True))
        return {"loss": loss}


def test_an_optimiser_beside_another_that_takes_no_step_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    printed = said(Two(steps=False), capsys)
    assert "  1. no step changes the weights of dense" in printed
    assert printed.count("warning:") == 1


def test_two_optimisers_and_a_teacher_get_no_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert "warning:" not in said(Two(steps=True), capsys)


class Applying(keras.Model):  # type: ignore[misc]
    """Applies its gradients a number of times as large."""

    factor = 1.0

    def train_step(self, pair: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = self.compute_loss(y=pair[1], y_pred=self(pair[0], training=True))
        weights = self.trainable_variables
        given = [self.factor * each for each in tape.gradient(loss, weights)]
        self.optimizer.apply_gradients(zip(given, weights, strict=True))
        return {"loss": loss}


@pytest.mark.parametrize("factor", [0.0, 1.0])
def test_steps_that_change_nothing_are_named(
    factor: float, capsys: pytest.CaptureFixture[str]
) -> None:
    given = keras.Input((4,))
    model = Applying(given, kl.Dense(3, activation="softmax")(given))
    model.factor = factor
    model.compile(keras.optimizers.Adam(0.01), SPARSE)
    printed = said(model, capsys)
    assert ("  1. no step changes any weight" in printed) == (factor == 0)
    assert printed.count("warning:") == (factor == 0)


def heads(weight: float) -> Any:
    given = keras.Input((4,))
    kind = kl.Dense(3, activation="softmax", name="kind")(given)
    yes = kl.Dense(1, activation="sigmoid", name="yes")(given)
    model = keras.Model(given, [kind, yes])
    model.compile("adam", [SPARSE, BINARY], loss_weights=[1.0, weight])
    return model


def cut(function: Any) -> Any:
    lambda_ = kl.Lambda(function, output_shape=(8,))
    layers = kl.Dense(8, activation="sigmoid"), lambda_, kl.Dense(3, activation="softmax")
    return net((4,), *layers, loss=SPARSE, optimizer=keras.optimizers.Adam(0.01))


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
@pytest.mark.parametrize(
    ("build", "y", "layer"),
    [
        (lambda: heads(0.0), [KIND, YES], "yes"),
        (lambda: heads(1.0), [KIND, YES], ""),
        (lambda: cut(ops.round), KIND, "dense"),
        (lambda: cut(ops.square), KIND, ""),
    ],
)
def test_a_layer_that_no_step_reaches_is_named(
    build: Any, y: Any, layer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    keras.utils.clear_session()  # names count anew
    printed = said(build(), capsys, y)
    assert (f"  1. no step changes the weights of {layer}: they may" in printed) == bool(layer)
    assert printed.count("warning:") == bool(layer)


class Normalising(keras.Model):  # type: ignore[misc]
    """Trains its batch normalisation in inference, or does not."""

    def __init__(self, training: bool) -> None:
        super().__init__()
        self.norm, self.last, self.mode = kl.BatchNormalization(), kl.Dense(3), training
        self.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))

    def call(self, x: Any, training: bool | None = None) -> Any:
        return self.last(self.norm(x, training=bool(training) and self.mode))


@pytest.mark.parametrize("right", [False, True])
def test_a_batch_normalisation_that_is_trained_in_inference_is_named(
    right: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = said(Normalising(right), capsys)
    assert ("  1. batch normalisation normalises nothing: it is trained" in printed) != right
    assert printed.count("warning:") == (not right)


@pytest.mark.parametrize("low", [-2.0, 0.5])
def test_weights_below_0_are_named(low: float, capsys: pytest.CaptureFixture[str]) -> None:
    model = net((4,), kl.Dense(3, activation="softmax"), loss=SPARSE)
    weights = np.linspace(low, 1, len(X), dtype=np.float32)
    printed = said(model, capsys, sample_weight=weights)
    assert ("  1. sample weights are below 0: the loss drives" in printed) == (low < 0)
    assert printed.count("warning:") == (low < 0)


@pytest.mark.parametrize("back", [True, False])
def test_weights_that_a_callback_sets_back_are_named(
    back: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    model = net((4,), kl.Dense(8), kl.ReLU(), kl.Dense(3, activation="softmax"), loss=SPARSE)
    first = model.get_weights()

    def change(epoch: int, logs: Any = None) -> None:
        now = model.get_weights()
        model.set_weights(first if back else [0.9 * each for each in now])  # as decay would

    each = keras.callbacks.LambdaCallback(on_epoch_begin=change)
    guard = CollapseGuard(X, KIND, reaction="warn", trials=False)
    model.fit(X, KIND, 16, epochs=4, verbose=0, callbacks=[each, guard])
    printed = capsys.readouterr().err
    assert ("  1. the weights are set back during the training: before step 9" in printed) == back
    assert printed.count("warning:") == back


def test_weights_behind_a_dark_edge_are_not_all_that_is_watched() -> None:
    kernel = keras.Variable(np.zeros((784, 64), np.float32))
    before = _some(kernel)
    kernel.assign(np.where(np.arange(784)[:, None] < 100, 0, np.ones((784, 64))))
    assert not np.array_equal(before, _some(kernel))


def test_a_loop_of_ones_own_is_watched(capsys: pytest.CaptureFixture[str]) -> None:
    model = keras.Sequential([keras.Input((4,)), kl.Dense(3), kl.Softmax()])
    guard = CollapseGuard(X, KIND, reaction="warn")
    callbacks = keras.callbacks.CallbackList([guard], model=model, epochs=1)
    callbacks.on_train_begin()
    callbacks.on_epoch_begin(0)
    callbacks.on_train_batch_begin(0)
    model.layers[0].kernel.assign(np.full((4, 3), np.nan))
    callbacks.on_train_batch_end(0, {"loss": 1.0})
    callbacks.on_epoch_end(0, {"loss": 1.0})
    callbacks.on_train_end()
    printed = capsys.readouterr().err
    assert "looks at nothing" not in printed
    assert "warning: the network has collapsed in epoch 1, after 1 step" in printed
