"""Trainings of Keras models that learn nothing, or nothing of use, and why."""

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
from parity.keras.checking import one_batch
from parity.keras.facts import facts_of
from parity.keras.late import lagging, no_code
from parity.keras.probe import probe_of
from parity.keras.traced import Traced
from parity.watch.check import Layer, Loss, Match, causes_of
from parity.watch.check.adapting import trained_otherwise
from parity.watch.check.telling import shifted, unrelated, unseen
from tests.programs import data
from tests.programs.keras_programs import SPARSE, digits, net
from tests.programs.test_check_causes import program

RNG = np.random.default_rng(3)
X = RNG.normal(size=(256, 4)).astype(np.float32)
KIND = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)


def related(x: Any, y: Any, **known: Any) -> Match | None:
    return unrelated(program(targets=y, outputs=RNG.normal(size=(len(y), 10)), **known), x, y)


def test_samples_that_tell_nothing_of_their_targets() -> None:
    x, y = digits()
    assert related(x, y) is None
    assert related(x, RNG.permutation(y)) is not None
    assert related(x[:60], RNG.permutation(y[:60])) is None  # too few
    words = Layer("embedding", learns=True)
    assert related(x, RNG.permutation(y), layers=(words,)) is None
    corners = (X[:, 0] > 0) ^ (X[:, 1] > 0)  # no feature tells it by itself
    assert related(X, corners.astype(int)) is None
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1  # each neighbour has the other parity
    assert related(bits, bits.sum(axis=1) % 2) is None


@pytest.mark.parametrize(("by", "said"), [(0, ""), (1, "later"), (-2, "earlier"), (9, "")])
def test_targets_of_the_rows_beside_their_own(by: int, said: str) -> None:
    y = np.roll(X[:, 0] > 0, -by).astype(int)
    found = shifted(program(targets=y, outputs=RNG.normal(size=(256, 2))), X, y)
    assert bool(found) == bool(said)
    assert found is None or (f"by {abs(by)} " in found.cause and said in found.figures)


def test_what_comes_after_a_window_is_in_all_later_ones() -> None:
    windows = np.lib.stride_tricks.sliding_window_view(X[:, 0], 20)[:-1]
    y = (X[20:, 0] > 0).astype(int)
    assert shifted(program(targets=y, outputs=np.zeros((len(y), 2))), windows, y) is None


@pytest.mark.parametrize("step", [0, 29])
def test_steps_that_a_network_does_not_see(step: int) -> None:
    x = RNG.normal(size=(200, 30, 1)).astype(np.float32)
    y = (x[:, step, 0] > 0).astype(int)
    forgets = program(layers=(Layer("rnn", learns=True),), outputs=x[:, 0], targets=y)
    found = unseen(forgets, x, y, lambda given: given[:, -3:, 0].mean(axis=1))
    assert (found is not None) == (step == 0)
    assert found is None or "use an LSTM" in found.advice
    nothing = RNG.permutation(y)
    assert unseen(forgets, x, nothing, lambda given: given[:, -1]) is None


class Drawn(kl.Layer):  # type: ignore[misc]
    """A code drawn about its mean."""

    def __init__(self) -> None:
        super().__init__()
        self.seeds = keras.random.SeedGenerator(0)

    def call(self, mean: Any) -> Any:
        return mean + keras.random.normal(ops.shape(mean), seed=self.seeds)


@pytest.mark.parametrize(
    ("scale", "drawn", "said"), [(1e-3, True, True), (2.0, True, False), (1e-3, False, False)]
)
def test_a_code_that_says_nothing_is_named(scale: float, drawn: bool, said: bool) -> None:
    start = keras.initializers.RandomNormal(stddev=scale, seed=0)
    middle = [Drawn()] if drawn else []
    model = net((4,), kl.Dense(2, kernel_initializer=start), *middle, kl.Dense(4), loss="mse")
    traced = Traced(model)
    outputs = np.asarray(traced(X)[0])
    found = no_code(traced, program(outputs=outputs, targets=X, inputs=X), X)
    assert (found is not None) == said
    assert found is None or "posterior collapse" in found.cause


def test_rows_that_name_no_class() -> None:
    loss = Loss("categorical_crossentropy", "categorical", "probabilities", "rows")
    numbers = np.arange(60) % 3
    for rows, said in ((np.eye(4)[numbers + 1][:, :3], "begin at 1"), (np.eye(3)[numbers], "")):
        causes = [
            m for m in causes_of(program(targets=rows, loss=loss)) if "name no class" in m.cause
        ]
        assert bool(causes) == bool(said)
        assert all(said in match.figures for match in causes)


class Fixed(kl.Layer):  # type: ignore[misc]
    """A last layer that adds its kernel as one that is trained, or not."""

    def __init__(self, trained: bool) -> None:
        super().__init__()
        self.trained = trained

    def build(self, shape: Any) -> None:
        self.kernel = self.add_weight(shape=(shape[-1], 3), name="w", trainable=self.trained)
        self.bias = self.add_weight(shape=(3,), initializer="zeros")

    def call(self, x: Any) -> Any:
        return ops.softmax(x @ self.kernel + self.bias)


@pytest.mark.parametrize("trained", [True, False])
def test_a_last_kernel_that_is_made_frozen_is_named(trained: bool) -> None:
    x, y = data.flowers()
    model = net((4,), kl.Dense(16, activation="relu"), Fixed(trained), loss=SPARSE)
    causes = [found.cause for found in check(model, (x - x.mean(0)) / x.std(0), y)]
    assert ("the last layer is not trained" in causes) != trained


@pytest.mark.parametrize("drawn", [True, False])
def test_frozen_layers_that_nobody_has_trained_are_named(drawn: bool) -> None:
    base = [kl.Dense(32, activation="relu", trainable=False) for _ in range(6)]
    model = net((16,), *base, kl.Dense(3, activation="softmax"), loss=SPARSE)
    if not drawn:
        for layer in base:
            kernel = layer.kernel.numpy()
            layer.kernel.assign(kernel + 0.05 * RNG.normal(size=kernel.shape))
    x = RNG.normal(size=(90, 16)).astype(np.float32)
    causes = [found.cause for found in check(model, x, np.arange(90) % 3)]
    assert any("frozen layers were never trained" in cause for cause in causes) == drawn


class Broadcast(keras.Model):  # type: ignore[misc]
    """Takes the error of every answer from every target, or of each from its own."""

    def __init__(self, each: bool) -> None:
        super().__init__()
        self.last, self.each = kl.Dense(1), each
        self.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False)

    def call(self, x: Any) -> Any:
        return self.last(x)

    def train_step(self, pair: Any) -> Any:
        import tensorflow as tf

        x, y = pair
        with tf.GradientTape() as tape:
            wanted = y[:, None] if self.each else y
            loss = ops.mean(ops.square(wanted - self(x, training=True)))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"loss": loss}


@pytest.mark.parametrize("each", [True, False])
def test_a_step_that_trains_on_other_targets_is_named(
    each: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    y = X @ np.array([1.0, -1.0, 0.5, 0.0], np.float32)
    guard = CollapseGuard(X, y, reaction="warn")
    Broadcast(each).fit(X, y, 32, epochs=9, verbose=0, callbacks=[guard])
    printed = capsys.readouterr().err
    assert ("their difference is [B, B]" in printed) != each
    assert each == ("1. train_step trains something else" not in printed)


def normalised(momentum: float = 0.9) -> Any:
    layers = kl.BatchNormalization(momentum=momentum), kl.Dense(3)
    return net((4,), *layers, loss=SPARSE, optimizer=keras.optimizers.Adam(0.05))


@pytest.mark.parametrize(
    ("given", "said"),
    [(300.0, "x / 255"), (128.0, "x / 127.5 - 1"), (1.0, ""), (1 / 128, "255 times x")],
)
def test_layers_that_were_trained_on_another_scale(given: float, said: str) -> None:
    model = normalised()
    assert not any("another scale" in found.cause for found in check(model, X * given, KIND))
    model.layers[0].moving_mean.assign(np.full(4, 0.1))
    model.layers[0].trainable = False
    known = facts_of(*Traced(model)(X * given)).fitted
    assert known.varies == pytest.approx(given, rel=0.2)
    found = trained_otherwise(program(fitted=known))
    assert (found is not None) == bool(said)
    assert found is None or (found.remedy is not None and said in found.remedy.words)


@pytest.mark.parametrize(("momentum", "said"), [(0.99, True), (0.5, False)])
def test_statistics_that_lag_behind(momentum: float, said: bool) -> None:
    x = (1000 + X).astype(np.float32)
    model = normalised(momentum)
    model.fit(x, KIND, epochs=5, verbose=0)
    known = program(outputs=np.zeros((len(x), 3)), targets=KIND)
    probe: Any = probe_of(x, KIND, 500)
    found = lagging(Traced(model), known, probe, 15)
    assert (found is not None) == said


@pytest.mark.parametrize(("same", "held", "said"), [(True, 99, 16), (True, 9, 0), (False, 99, 0)])
def test_a_pipeline_of_one_batch(same: bool, held: int, said: int) -> None:
    pairs = tf.data.Dataset.from_tensor_slices((X, KIND)).batch(16)
    given: Any = probe_of((pairs.take(1) if same else pairs).repeat(4), None, 60)
    assert one_batch(given, probe_of(X[:held], KIND[:held], 500)) == said
