"""Losses and steps of a Keras program's own: which are wrong, and which are merely unusual."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras", reason="the extra keras is not installed")
pytest.importorskip("tensorflow", reason="the extra keras is not installed")

import keras
import tensorflow as tf
from keras import layers as kl
from keras import ops

from parity.keras import CollapseGuard, check
from parity.keras.behaviour import ascends, broadcasts, swapped, unbounded
from tests.programs.keras_programs import SPARSE, net

RNG = np.random.default_rng(3)
X = RNG.normal(size=(256, 4)).astype(np.float32)
KIND = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)


def judged(last: str, columns: int, loss: Any) -> Any:
    model = net((4,), kl.Dense(columns, activation=last or None), loss=loss)
    return model, np.asarray(model(X))


def cross(y: Any, given: Any) -> Any:
    return -ops.sum(y * ops.log(given), axis=-1)


def cross_of_numbers(y: Any, given: Any) -> Any:
    return keras.losses.sparse_categorical_crossentropy(y, given)


def cosine(y: Any, given: Any) -> Any:
    return keras.losses.cosine_similarity(y, given)  # -1 where they are alike


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("last", "columns", "loss", "y"),
    [
        ("softmax", 3, cross, np.eye(3)[RNG.integers(0, 3, 256)]),
        ("softmax", 3, cross_of_numbers, RNG.integers(0, 3, 256)),
        ("", 3, cosine, RNG.normal(size=(256, 3)).astype(np.float32)),
    ],
)
def test_a_loss_of_ones_own_with_the_wrong_sign(
    sign: int, last: str, columns: int, loss: Any, y: Any
) -> None:
    model, outputs = judged(last, columns, lambda y, given: sign * loss(y, given))
    assert ascends(model, outputs, y, last) == (sign == -1)


def test_a_distance_of_pairs_is_no_wrong_sign() -> None:
    def contrastive(y: Any, apart: Any) -> Any:  # 1 is for pairs of a kind
        return y * ops.square(apart) + (1 - y) * ops.square(ops.maximum(1 - apart, 0))

    model, outputs = judged("sigmoid", 1, contrastive)
    y = RNG.integers(0, 2, (256, 1)).astype(np.float32)
    assert ascends(model, outputs, y, "sigmoid")  # an accuracy judges it: 1 is for near 1
    model.compile("sgd", contrastive)
    assert not ascends(model, outputs, y, "sigmoid")


def f1(y: Any, given: Any) -> Any:
    return 2 * ops.sum(y * given) / (ops.sum(y) + ops.sum(given))


@pytest.mark.parametrize(
    ("last", "loss", "said"),
    [
        ("sigmoid", f1, True),
        ("sigmoid", lambda y, given: 1 - f1(y, given), False),
        ("softmax", lambda y, given: ops.sum(y * given, axis=-1), True),
        ("", lambda y, given: ops.mean(y - given), True),
        ("", lambda y, given: ops.mean(given - y), True),
        ("", lambda y, given: ops.mean(ops.abs(y - given)), False),
    ],
)
def test_a_loss_that_falls_as_answers_get_worse(last: str, loss: Any, said: bool) -> None:
    columns = 3 if last == "softmax" else 1
    model, outputs = judged(last, columns, loss)
    kinds = {"softmax": np.eye(3)[RNG.integers(0, 3, 256)], "sigmoid": RNG.integers(0, 2, (256, 1))}
    y = kinds.get(last, RNG.normal(size=(256, 1))).astype(np.float32)
    assert ascends(model, outputs, y, last) == said


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (lambda y_pred, y_true: -ops.mean(y_true * ops.log(y_pred + 1e-7)), True),
        (lambda y_true, y_pred: -ops.mean(y_true * ops.log(y_pred + 1e-7)), False),
        (lambda y_pred, y_true: ops.mean(ops.square(y_true - y_pred)), False),  # either way
        (lambda a, b: -ops.mean(b * ops.log(a + 1e-7)), False),
    ],
)
def test_a_loss_that_takes_answers_first(loss: Any, said: bool) -> None:
    model, outputs = judged("sigmoid", 1, loss)
    y = RNG.integers(0, 2, 256)
    assert swapped(model, outputs, y) == said
    causes = [found.cause for found in check(model, X, y)]
    assert ("the loss is given its arguments in the wrong order" in causes) == said


LOSS, NETWORK = (
    f"{what} lets no gradient through"
    for what in ("the loss that was compiled", "a function within the network")
)


class Steps(kl.Layer):  # type: ignore[misc]
    """Yes or no, with or without a slope in training."""

    def __init__(self, through: bool) -> None:
        super().__init__()
        self.through = through

    def call(self, x: Any) -> Any:
        steps = ops.round(x)
        return x + ops.stop_gradient(steps - x) if self.through else steps


@pytest.mark.parametrize(
    ("last", "loss", "said"),
    [
        (Steps(False), "mse", NETWORK),
        (Steps(True), "mse", ""),
        (None, keras.losses.CosineSimilarity(), LOSS),
        (None, lambda y, given: ops.mean(ops.round(given) != y), LOSS),
        (None, lambda y, given: ops.mean(given), ""),
    ],
)
def test_what_lets_no_gradient_through(last: Any, loss: Any, said: str) -> None:
    parts = () if last is None else (last,)
    model = net((4,), kl.Dense(8, activation="relu"), kl.Dense(1), *parts, loss=loss)
    found = [each.cause for each in check(model, X, X[:, :1] + RNG.normal(size=(256, 1)))]
    assert [each.split(":")[0] for each in found if "gradient" in each] == ([said] if said else [])


class Squashed(keras.Model):  # type: ignore[misc]
    """A step of its own without a compiled loss, which gives a loss of logits no logits."""

    def __init__(self, learns: bool) -> None:
        super().__init__()
        self.last, self.learns = kl.Dense(3, activation="softmax"), learns

    def call(self, x: Any) -> Any:
        return self.last(x)

    def train_step(self, pair: Any) -> Any:
        x, y = pair
        with tf.GradientTape() as tape:
            given = self(x, training=True) * (1.0 if self.learns else 0.0)
            loss = ops.mean(keras.losses.sparse_categorical_crossentropy(y, given, True))
        weights = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return {"loss": loss}


@pytest.mark.parametrize("learns", [True, False])
def test_a_step_of_ones_own_that_teaches_nothing(
    learns: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    keras.utils.set_random_seed(0)
    y, model = X[:, :3].argmax(axis=1), Squashed(learns)
    model.compile(keras.optimizers.SGD(0.3))
    model.fit(X, y, 8, epochs=7, verbose=0, callbacks=[CollapseGuard(X, y, reaction="warn")])
    said = "own loss teaches the network nothing" in capsys.readouterr().err
    assert said == (not learns)


def test_adam_in_float16_is_named() -> None:
    for kind, chosen, said in (
        ("float16", "adam", 1),
        ("float16", "sgd", 0),
        ("float32", "adam", 0),
    ):
        model = net((4,), kl.Dense(3, dtype=kind), loss=SPARSE, optimizer=chosen)
        causes = [found.cause for found in check(model, X, KIND)]
        assert sum("cannot work in float16" in cause for cause in causes) == said


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (lambda y, given: ops.mean(ops.square(y[:, 0] - given)), True),
        (lambda y, given: ops.mean(ops.square(y - given)), False),
        (lambda y, given: ops.mean(given), False),  # it does not ask for the targets
    ],
)
def test_a_loss_that_pairs_all_answers_with_all_targets(loss: Any, said: bool) -> None:
    model, outputs = judged("", 1, loss)
    y = RNG.normal(size=(256, 1)).astype(np.float32)
    assert broadcasts(model, outputs, y) == said
    x = np.zeros((256, 4), np.float32) + np.arange(4) + y
    causes = [finding.cause for finding in check(model, x, y)]
    assert ("the loss compares each answer with the targets of all samples" in causes) == said


@pytest.mark.parametrize("off", [0.0, 1e-7])
def test_a_loss_that_takes_the_logarithm_of_0(off: float) -> None:
    model, outputs = judged("softmax", 3, lambda y, p: cross(y, ops.clip(p, off, 1)))
    y = np.eye(3)[RNG.integers(0, 3, 256)]
    assert unbounded(model, outputs, y, "softmax") == (off == 0)
