"""What `fit` does with a program in Keras that nobody sees before it: weights, steps, rates."""

import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras", reason="the extra keras is not installed")
pytest.importorskip("tensorflow", reason="the extra keras is not installed")

import keras
import tensorflow as tf
from keras import layers as kl

from parity.keras import CollapseGuard, private
from parity.keras.budget import Budget
from parity.keras.calls import unchanged, undrawn
from parity.keras.first_step import FirstStep
from tests.programs.keras_programs import SPARSE, net

CROSS = keras.losses.SparseCategoricalCrossentropy


def blobs(count: int = 256) -> tuple[Any, Any]:
    """Three classes side by side, float32 [N, 4] and int64 [N]."""
    draw = np.random.default_rng(4)
    labels = draw.integers(0, 3, count)
    centres = np.array([[3, 0, 0, 0], [0, 3, 0, 0], [0, 0, 3, 0]])
    return (centres[labels] + draw.normal(size=(count, 4))).astype(np.float32), labels


def reader(rate: float = 0.01) -> Any:
    hidden = kl.Dense(16, activation="relu")
    return net((4,), hidden, kl.Dense(3, activation="softmax"), loss=SPARSE,
               optimizer=keras.optimizers.Adam(rate))  # fmt: skip


class Own(keras.Model):  # type: ignore[misc]
    """Trains itself; with `step` it also takes the step."""

    def __init__(self, step: bool) -> None:
        super().__init__()
        self.takes, self.last = step, kl.Dense(3)
        self.compile(keras.optimizers.Adam(0.01), CROSS(from_logits=True), jit_compile=False)

    def call(self, x: Any) -> Any:
        return self.last(x)

    def train_step(self, pair: Any) -> Any:
        x, y = pair
        with tf.GradientTape() as tape:
            loss = self.compute_loss(y=y, y_pred=self(x, training=True))
        gradients = tape.gradient(loss, self.trainable_variables)
        if self.takes:
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"loss": loss}


def printed(
    capsys: pytest.CaptureFixture[str], model: Any, *more: Any, batch: int = 32, **given: Any
) -> str:
    """What is said while it trains for five epochs."""
    x, y = blobs()
    guard = CollapseGuard(x, y, reaction="warn")
    model.fit(x, y, batch, epochs=5, verbose=0, callbacks=[*more, guard], **given)
    return capsys.readouterr().err


def weighing(*weights: float) -> dict[str, Any]:
    return {"class_weight": dict(enumerate(weights))}


@pytest.mark.slow
def test_a_class_that_weighs_nothing_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    said = printed(capsys, reader(), **weighing(1, 1, 0))
    assert "  1. the loss leaves out class 2: its samples weigh nothing" in said
    assert "tried: with all classes weighted alike the same network reads" in said
    assert said.count("warning:") == 1


@pytest.mark.slow
def test_usual_weights_get_no_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert "warning:" not in printed(capsys, reader(), **weighing(1, 2, 0.5))


@pytest.mark.parametrize(
    ("loss", "said"), [(0.0, True), (-1.0, True), (1.0, False), (np.nan, False)]
)
def test_a_loss_of_fit_that_is_not_above_0(
    loss: float, said: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, found = FirstStep(*blobs(), trials=False), []
    monkeypatch.setattr(first, "_unweighted", lambda: 1.0)
    monkeypatch.setattr(first, "remark", lambda *given: found.append(given))
    first.weigh(loss, 1)
    assert bool(found) == said


@pytest.mark.parametrize("apart", [pytest.param(False, marks=pytest.mark.slow), True])
def test_samples_that_fit_draws_from_elsewhere(
    apart: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    x, y = blobs()

    def batches() -> Any:
        draw = np.random.default_rng(0)
        while True:
            places = draw.permutation(len(x))[:32]
            yield x[places], y[draw.permutation(places) if apart else places]

    guard = CollapseGuard(x, y, reaction="warn")
    reader().fit(batches(), steps_per_epoch=210, shuffle=False, verbose=0, callbacks=[guard])
    said = capsys.readouterr().err
    assert ("  1. fit is fed other samples than the guard was given" in said) == apart
    assert apart or not said


def test_a_train_step_that_takes_no_step_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    said = printed(capsys, Own(step=False), batch=16)
    assert "after 64 steps something looks wrong in the loop\n  1. the optimiser takes no" in said
    assert "tried: with steps along the gradients the same network reads" in said


def test_a_train_step_that_takes_it_gets_no_word(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(Budget, "allows", True)
    monkeypatch.setattr(FirstStep, "sway", lambda _, step: asked.append(step))
    assert "warning:" not in printed(capsys, Own(step=True), batch=16)
    assert asked == [64]  # whether the loss oscillates


@pytest.mark.slow
def test_gradients_that_are_gathered_for_long_get_no_word(
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = reader()
    model.compile(keras.optimizers.Adam(gradient_accumulation_steps=80), SPARSE)
    assert "takes no step" not in printed(capsys, model, batch=16)


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "said"), [(30.0, True), (0.02, False), (0.0, False)])
def test_a_rate_that_a_callback_raises_before_the_first_step_is_seen(
    rate: float, said: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = keras.callbacks.LearningRateScheduler(lambda epoch: rate if epoch == 0 else 0.01)
    found = printed(capsys, reader(), plan)
    assert ("before the first step" in found and "the learning rate is too high" in found) == said


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The model does not have any trainable")
def test_a_trial_trains_what_is_frozen(capsys: pytest.CaptureFixture[str]) -> None:
    model = reader()
    model.trainable = False
    model.compile("adam", SPARSE)
    said = printed(capsys, model)
    assert "  1. nothing is trainable" in said
    assert "tried: with all weights trained the same network reads" in said


class Drawing(kl.Layer):  # type: ignore[misc]
    """Counts its calls in variables that Keras does not know, and draws as it is told."""

    def __init__(self, draw: Callable[[Any], Any]) -> None:
        super().__init__()
        self.draw, self.count = draw, tf.Variable(0.0)
        self.own = tf.random.Generator.from_seed(1)

    def call(self, x: Any) -> Any:
        self.count.assign_add(1.0)
        return x + self.own.normal(()) + self.draw(x)


DRAWS: dict[str, Callable[[Any], Any]] = {
    "Keras": lambda x: keras.random.normal((1,)),
    "TensorFlow": lambda x: tf.random.normal(()),
    "TensorFlow's generator": lambda x: tf.random.get_global_generator().normal(()),
    "NumPy and Python": lambda x: np.random.normal() + random.random(),  # noqa: NPY002, S311
}


def moved(model: Any) -> list[Any]:
    """All that a call may move: state, and what each generator would give."""
    layer = model.layers[-1]
    every = [*model.variables, *model.metrics_variables, *model.optimizer.variables]
    values = [keras.ops.convert_to_numpy(variable).copy() for variable in every]
    others = layer.count, layer.own.state, tf.random.get_global_generator().state
    values += [variable.numpy() for variable in others]
    state: Any = np.random.get_state()  # noqa: NPY002
    drawn = np.array(random.getstate()[1]), state[1], np.array(state[2])
    seeds = private.operation_seeds()
    assert seeds is not None
    return [*values, *drawn, np.array(seeds.getstate()[1])]


@pytest.mark.parametrize(
    ("name", "eagerly"),
    [
        ("TensorFlow", True),
        ("NumPy and Python", False),
        *(pytest.param(n, e, marks=pytest.mark.slow) for n in DRAWS for e in (False, True)),
    ],
)
def test_nothing_moves_in_any_look(
    name: str, eagerly: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    x, y = blobs(96)
    tf.random.get_global_generator()
    model = keras.Sequential([
        keras.Input((4,)), kl.GaussianNoise(0.1), kl.Dense(3), kl.BatchNormalization(),
        kl.Dropout(0.2), Drawing(DRAWS[name]),
    ])  # fmt: skip
    model.compile("adam", CROSS(from_logits=True), metrics=["accuracy"], run_eagerly=eagerly)
    model.train_on_batch(x[:32], y[:32])
    before = moved(model)
    guard = CollapseGuard(x, y, reaction="warn", trials=False)
    guard.set_model(model)
    guard.set_params({"epochs": 2, "steps": 3})
    guard.on_train_begin()
    guard.on_epoch_begin(0)
    guard.on_train_batch_begin(0)
    with undrawn():  # data may be read meanwhile, by threads that draw from these
        for step in range(64, 67):
            guard.look(step)
            guard.first.sway(step)
        guard.first.weigh(0.0, 1)
        guard.on_epoch_end(0, {"loss": 0.1, "accuracy": 0.5})
    assert "looks at nothing" not in capsys.readouterr().err
    assert all(map(np.array_equal, before, moved(model)))


def test_what_a_call_moves_is_brought_back_after_a_failure() -> None:
    model = net((4,), kl.BatchNormalization(), loss="mse")
    with suppress(ZeroDivisionError), unchanged(model):
        model(np.ones((2, 4), np.float32), training=True)
        raise ZeroDivisionError
    assert np.array_equal(model.layers[0].moving_mean.numpy(), np.zeros(4))


class Normalising(keras.Model):  # type: ignore[misc]
    """A subclass that has no weights yet, and normalises by the batch at all times."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.last = kl.BatchNormalization(), kl.Dense(3, activation="softmax")

    def call(self, x: Any) -> Any:
        return self.last(self.norm(x, training=True))


@pytest.mark.parametrize("eagerly", [False, True])
def test_a_look_moves_no_statistics_that_it_has_made(eagerly: bool) -> None:
    x, y = blobs(96)
    found = []
    for watched in (False, True):
        keras.utils.set_random_seed(0)
        model = Normalising()
        model.compile("sgd", SPARSE, run_eagerly=eagerly)
        guard = [CollapseGuard(x, y, trials=False, reaction="warn")] if watched else []
        model.fit(x, y, verbose=0, shuffle=False, callbacks=guard)
        found.append(model.norm.moving_mean.numpy())
    assert np.array_equal(*found)
