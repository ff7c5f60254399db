"""Looks at Keras models are compiled once, are rationed, and see what eager ones see."""

import gc
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras", reason="the extra keras is not installed")
pytest.importorskip("tensorflow", reason="the extra keras is not installed")

import keras
import tensorflow as tf
from keras import layers as kl

from parity.keras import CollapseGuard, budget
from parity.keras.calls import as_array, unchanged, watch
from parity.keras.traced import Traced

WAVES = np.random.default_rng(0).standard_normal((40, 30, 2)).astype(np.float32)


def recurrent(*last: Any) -> keras.Model:
    layers = keras.Input((30, 2)), kl.LSTM(4), kl.BatchNormalization(), kl.Dense(3, "relu"), *last
    return keras.Sequential(layers)


class Noise(kl.Layer):  # type: ignore[misc]
    """Draws from the seeds that Keras keeps, and counts how often Python is asked."""

    asked = 0

    def call(self, x: Any) -> Any:
        self.asked += 1
        return x + keras.random.normal(keras.ops.shape(x))


class Looping(kl.Layer):  # type: ignore[misc]
    """Works a layer within a loop of the graph."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = kl.Dense(3, activation="relu")

    def build(self, shape: Any) -> None:
        self.inner.build(shape)

    def call(self, x: Any) -> Any:
        return tf.map_fn(lambda row: self.inner(row[None])[0], x)


@pytest.mark.parametrize("eagerly", [False, True])
def test_a_compiled_look_sees_what_an_eager_one_sees(eagerly: bool) -> None:
    model = recurrent(kl.Dense(2))
    model.compile(run_eagerly=eagerly)
    with unchanged(model):
        outputs, calls = watch(model, WAVES)
    seen, found = Traced(model)(WAVES)
    np.testing.assert_allclose(seen, outputs, atol=1e-6)
    assert [(each.layer, each.fused) for each in found] == [(c.layer, c.fused) for c in calls]
    for one, other in zip(found, calls, strict=True):
        np.testing.assert_allclose(as_array(one.outputs), as_array(other.outputs), atol=1e-6)
    assert found[-1].outputs is seen
    assert found[-1].inputs is found[-2].outputs


def test_a_look_is_built_once_and_changes_nothing() -> None:
    keras.utils.clear_session()  # nothing has been drawn
    model = recurrent(noise := Noise())
    before = [np.array(variable) for variable in model.variables]
    traced, noise.asked = Traced(model), 0
    first = as_array(traced(WAVES)[0])
    gc.collect()
    for some in (WAVES[:8], WAVES[:1], WAVES):
        assert len(as_array(traced(some)[0])) == len(some)
    assert noise.asked == 1
    assert len(first) == len(WAVES)
    assert all(map(np.array_equal, before, model.variables))


def test_other_samples_may_be_of_another_type() -> None:
    """``x.astype("float32") / 255`` in training, and ``x / 255``, which is float64, beside it."""
    traced = Traced(recurrent())
    first = as_array(traced(WAVES)[0])
    np.testing.assert_allclose(as_array(traced(WAVES.astype(np.float64))[0]), first, atol=1e-6)
    assert len(as_array(traced((100 * WAVES).astype(np.int64))[0])) == len(WAVES)


def test_layers_within_a_loop_of_the_graph_are_left_out() -> None:
    model = keras.Sequential([keras.Input((4,)), kl.Dense(5), Looping(), kl.Dense(2)])
    outputs, calls = Traced(model)(WAVES[:, 0].repeat(2, axis=1))
    assert as_array(outputs).shape == (40, 2)
    assert [call.layer for call in calls if isinstance(call.layer, kl.Dense)] == [
        model.layers[0], model.layers[-1],
    ]  # fmt: skip


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def passes(seconds: float) -> None:
        now[0] += seconds

    return passes


def test_looks_take_a_share_of_the_time_and_a_moment_in_all(clock: Callable[[float], None]) -> None:
    looks = budget.Budget(0.03)
    clock(60.0)  # before the first step
    looks.begin()
    taken = 0
    for _ in range(1000):
        clock(0.1)
        if looks.allows:
            taken += 1
            with looks.taken():
                clock(0.05)
    assert taken == pytest.approx(0.03 * 100 / 0.05, abs=2)
    assert looks.spent <= 0.03 * 103
    looks = budget.Budget(math.inf)
    with looks.taken():
        clock(1e6)
    assert looks.allows


def test_a_look_that_is_too_dear_is_put_off_but_not_the_last_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = recurrent(kl.Dense(2, activation="softmax"))
    model.compile("sgd", "sparse_categorical_crossentropy")
    guard = CollapseGuard(WAVES, np.arange(40) % 2)
    seen: list[int] = []
    monkeypatch.setattr(guard.guard, "after_step", lambda step, **_: seen.append(step))
    monkeypatch.setattr(guard.guard, "after_epoch", lambda epoch, *_, **__: seen.append(-epoch))
    allowed = iter([True, False, False, True, *[False] * 8])
    monkeypatch.setattr(budget.Budget, "allows", property(lambda _: next(allowed)))
    model.fit(WAVES, np.arange(40) % 2, batch_size=8, epochs=3, verbose=0, callbacks=[guard])
    assert seen == [1, 4, -3]  # due after 1, 2 and 4 steps, and each epoch
