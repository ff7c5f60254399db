"""What a look into a Keras model shows: layers fitted to other data, ends, leaks, structure."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras", reason="the extra keras is not installed")
pytest.importorskip("tensorflow", reason="the extra keras is not installed")

import keras
import tensorflow as tf
from keras import callbacks, ops
from keras import layers as kl

from parity.keras import CollapseGuard, check
from parity.keras.fit import by_heart
from parity.keras.intervention import _telling_places
from parity.watch.check import Layer, Match, causes_of
from parity.watch.check.weighing import weights
from parity.watch.trials.departing import in_few_steps
from parity.watch.trials.usual import usual
from tests.programs.keras_programs import BINARY, SPARSE, compiled, digits, net
from tests.programs.test_check_causes import CROSS, DENSE, NUMBERS, program

RNG = np.random.default_rng(5)
TOWNS = np.array(["Rome", "Oslo", "Paris", "Bonn"])[np.arange(64) % 4]
TABLE = (RNG.normal(size=(64, 3)) * [1, 30, 2000] + [0, 50, 3000]).astype(np.float32)
Y = np.arange(64) % 2


def causes(found: Any) -> str:
    return " | ".join(finding.cause for finding in found)


@pytest.mark.parametrize(
    ("words", "mode", "said"),
    [
        (["Rome", "Oslo", "Paris", "Bonn"], "one_hot", False),
        (["Rome", "Oslo"], "one_hot", False),
        (["rome", "oslo", "paris", "bonn"], "one_hot", True),
        (["rome", "oslo", "paris", "bonn"], "int", True),
    ],
)
def test_a_vocabulary_that_knows_nothing(words: list[str], mode: str, said: bool) -> None:
    look_up = kl.StringLookup(vocabulary=words, output_mode=mode)
    given = keras.Input((1,), dtype="string")
    behind = kl.Flatten()(kl.Embedding(5, 4)(look_up(given))) if mode == "int" else look_up(given)
    model = compiled(keras.Model(given, kl.Dense(1, activation="sigmoid")(behind)), BINARY)
    found = causes(check(model, tf.constant(TOWNS[:, None]), Y))
    assert ("vocabulary does not know" in found) == said
    assert "alike" not in found


@pytest.mark.parametrize(("words", "said"), [(["rome", "oslo"], False), (["Rome", "Oslo"], True)])
def test_a_splitter_of_texts_that_knows_nothing(words: list[str], said: bool) -> None:
    """It makes small letters of all texts."""
    split = kl.TextVectorization(vocabulary=words, output_sequence_length=2)
    given = keras.Input((), dtype="string")
    behind = kl.Flatten()(kl.Embedding(5, 4)(split(given)))
    model = compiled(keras.Model(given, kl.Dense(1, activation="sigmoid")(behind)), BINARY)
    assert ("does not know" in causes(check(model, tf.constant(TOWNS), Y))) == said


@pytest.mark.parametrize(("rows", "most", "said"), [(50, 2, True), (50, 40, False), (2, 2, False)])
def test_texts_of_unknown_words(rows: int, most: int, said: bool) -> None:
    x = RNG.integers(0, most, (64, 12))
    model = net(
        (12,), kl.Embedding(rows, 4), kl.LSTM(4), kl.Dense(1, activation="sigmoid"), loss=BINARY
    )
    assert ("vocabulary" in causes(check(model, x, Y))) == said


@pytest.mark.parametrize(("adapted", "said"), [(True, ""), (False, "never adapted")])
def test_a_normalisation_that_does_not_fit(adapted: bool, said: str) -> None:
    first = kl.Normalization()
    if adapted:
        first.adapt(TABLE)
    found = check(
        net((3,), first, kl.Dense(8, "relu"), kl.Dense(1), loss="mse"), TABLE, TABLE[:, 0]
    )
    found = [finding for finding in found if "among the features" not in finding.cause]
    assert bool(found) == bool(said)
    assert said in causes(found)


def test_targets_among_the_features() -> None:
    x = RNG.normal(size=(60, 4))
    y = 3 * x[:, 2] - 7

    def found(fed: Any, own: Any) -> str:
        known = {"fed": fed, "own": own, "targets": own, "outputs": x[:, :1], "loss": NUMBERS}
        return causes(causes_of(program(**known)))

    assert "among the features" in found(x, y)
    assert "among the features" in found(x.reshape(60, 4, 1), y[:, None])
    assert "among" not in found(x, y + 0.02 * RNG.normal(size=60))
    assert "among" not in found(x[:, 2:3], y)  # a straight line is to be learned
    assert "among" not in found(x, (x[:, 2] > 0).astype(int))


@pytest.mark.parametrize(
    ("given", "said"),
    [((0.9, 0.1), True), ((54, 6), True), ((1 / 54, 1 / 6), False), ((1, 1), False), ((), False)],
)
def test_weights_by_frequency(given: tuple[float, ...], said: bool) -> None:
    y = (np.arange(60) % 10 == 0).astype(int)
    found = weights(program(targets=y, loss=replace(CROSS, weights=given)))
    assert (found is not None and "frequent ones weigh most" in found.cause) == said
    even = weights(program(targets=np.arange(60) % 2, loss=replace(CROSS, weights=(1.0, 1.0))))
    assert even is None


class Own(keras.Model):  # type: ignore[misc]
    """Applies a function to what its last layer gives."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.flat, self.last, self.function = kl.Flatten(), kl.Dense(10), function

    def call(self, x: Any) -> Any:
        return self.function(self.last(self.flat(x)))


@pytest.mark.parametrize(
    ("function", "logits", "cause"),
    [
        (ops.relu, True, "relu is applied to the outputs"),
        (tf.nn.softmax, True, "softmax is applied twice"),
        (ops.sigmoid, False, "the last layer has sigmoids"),
        (tf.nn.softmax, False, ""),
        (lambda x: 2 * x, True, ""),
    ],
)
def test_what_a_model_applies_itself(function: Any, logits: bool, cause: str) -> None:
    model = compiled(Own(function), keras.losses.SparseCategoricalCrossentropy(from_logits=logits))
    found = causes(check(model, *digits()))
    assert cause in found
    assert bool(found) == bool(cause)


class Plain(kl.Layer):  # type: ignore[misc]
    """A dense layer, of variables that Keras knows or does not."""

    def __init__(self, known: bool) -> None:
        super().__init__()
        self.known = known

    def build(self, shape: Any) -> None:
        start = tf.random.normal((shape[-1], 1))
        self.w = keras.Variable(start) if self.known else tf.Variable(start)
        self.count = tf.Variable(0.0)

    def call(self, x: Any) -> Any:
        return ops.sigmoid(ops.matmul(x, self.w))


@pytest.mark.parametrize("known", [True, False])
def test_variables_that_keras_does_not_know(known: bool) -> None:
    model = net((3,), kl.Dense(4, "relu"), Plain(known), loss=BINARY)
    x = (TABLE - TABLE.mean(0)) / TABLE.std(0)
    assert ("never trained" in causes(check(model, x, Y))) == (not known)


def test_a_network_without_a_hidden_layer(capsys: pytest.CaptureFixture[str]) -> None:
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 16, np.float32)
    y = (x[:, 0] != x[:, 1]).astype(int)
    fast = keras.optimizers.Adam(0.05)
    model = net((2,), kl.Dense(1, activation="sigmoid"), loss=BINARY, optimizer=fast)
    model.fit(x, y, batch_size=4, epochs=13, verbose=0, callbacks=[CollapseGuard(x, y)])
    said = capsys.readouterr().err
    assert "1. the network has no hidden layer" in said
    assert "  2. " not in said
    assert "with a hidden layer of 32 units the same network reads" in said


def test_words_whose_order_is_lost() -> None:
    layers = Layer("embedding"), Layer("global_avg_pool"), DENSE
    known = replace(program(layers=layers), framework="keras")
    assert "order of the words" in causes(usual(known, []))
    mixed = replace(known, layers=(layers[0], Layer("lstm"), *layers[1:]))
    assert "order of the words" not in causes(usual(mixed, []))
    steps = RNG.normal(size=(2, 5, 4)).astype(np.float32)
    told = _telling_places(lambda x: tf.reduce_mean(x, axis=1))
    assert not np.allclose(told(steps), told(steps[:, ::-1]))
    assert np.allclose(told(steps)[:, :2], steps[:, :, :2].mean(axis=1), atol=1e-6)


@pytest.mark.parametrize(
    ("held", "right", "beside", "said"),
    [
        ([0.7, 0.5] + [0.9] * 8, [0.6, 0.8] + [0.7] * 8, (), True),
        ([0.7, 0.5] + [0.9] * 8, [0.6, 0.8] + [0.9] * 8, (), False),  # it still gets better
        ([0.7, 0.5] + [0.6] * 8, [0.6, 0.8] + [0.7] * 8, (), False),
        ([0.7, 0.5] + [0.9] * 3, [0.6, 0.8] + [0.7] * 3, (), False),  # not for long
        (
            [0.7, 0.5] + [0.9] * 8,
            [0.6, 0.8] + [0.7] * 8,
            (callbacks.EarlyStopping(patience=9, restore_best_weights=True),),
            False,
        ),
    ],
)
def test_a_training_by_heart(held: Any, right: Any, beside: Any, said: bool) -> None:
    history = callbacks.History()
    own = list(np.geomspace(0.6, 0.01, len(held)))
    history.history = {"loss": own, "val_loss": held, "val_accuracy": right}
    assert (by_heart([history, *beside]) is not None) == said


@pytest.mark.parametrize(
    ("batch", "score", "said"), [(600, 0.9, True), (32, 0.9, False), (600, 0.5, False)]
)
def test_steps_that_large_batches_leave(batch: int, score: float, said: bool) -> None:
    y = np.arange(600) % 3
    known = program(targets=y, outputs=np.zeros((600, 3)), batch=batch)
    trial: Any = SimpleNamespace(task="classes", run=lambda *_: (score, 200))
    found = in_few_steps(known, lambda: trial, np.eye(3)[y * 0], y, 5)
    assert (found is not None) == said
    assert found is None or isinstance(found.matches[0], Match)


def test_a_loop_of_ones_own_is_watched(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = digits()
    model = net((28, 28), kl.Flatten(), kl.Dense(10), loss=SPARSE)
    loop = callbacks.CallbackList([CollapseGuard(x, y)], model=model)
    loop.on_train_begin()
    loop.on_epoch_begin(0)
    for step in range(2):
        loop.on_train_batch_begin(step)
        loop.on_train_batch_end(step, {"loss": float(model.train_on_batch(x[:32], y[:32])[0])})
    loop.on_epoch_end(0)
    loop.on_train_end()
    assert "is given logits" in capsys.readouterr().err


class Climbing(keras.Model):  # type: ignore[misc]
    """Takes its steps the wrong way, or the right one."""

    sign = 1.0

    def train_step(self, given: Any) -> Any:
        x, y = given
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        for variable, gradient in zip(
            self.trainable_variables, tape.gradient(loss, self.trainable_variables), strict=True
        ):
            variable.assign_add(self.sign * 0.3 * gradient)
        return {"loss": loss}


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_step_the_wrong_way(sign: float, capsys: pytest.CaptureFixture[str]) -> None:
    x, y = digits()
    keras.utils.set_random_seed(0)
    given = keras.Input((28, 28))
    hidden = kl.Dense(32, activation="relu")(kl.Flatten()(given))
    model = Climbing(given, kl.Dense(10, activation="softmax")(hidden))
    model.sign = sign
    model.compile(keras.optimizers.SGD(0.3), SPARSE)
    model.fit(x, y, epochs=8, verbose=0, callbacks=[CollapseGuard(x, y, reaction="warn")])
    said = capsys.readouterr().err
    assert ("1. train_step trains something else" in said) == (sign > 0)
