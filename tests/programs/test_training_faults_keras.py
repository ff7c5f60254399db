"""Faults in Keras that lie between network, loss and training: named first, healthy kin left."""

from typing import Any

import pytest

pytest.importorskip("keras", reason="the extra keras is not installed")
pytest.importorskip("tensorflow", reason="the extra keras is not installed")

import keras
import numpy as np
import tensorflow as tf
from keras import layers as kl

from parity.keras import check
from parity.keras.updates import plan_of
from tests.programs import data
from tests.programs.keras_programs import (
    BINARY,
    ROWS,
    SPARSE,
    Build,
    Faulty,
    Program,
    digits,
    digits_net,
    net,
    table,
    table_net,
)


def hidden(*layers: Any, **given: Any) -> Any:
    return net((28, 28), kl.Flatten(), *layers, kl.Dense(10, activation="softmax"), **given)


def penalised(strength: float) -> Any:
    kernel = keras.regularizers.L2(strength)
    return hidden(kl.Dense(32, activation="relu", kernel_regularizer=kernel), loss=SPARSE)


def dropping(share: float) -> Any:
    return hidden(kl.Dense(32, activation="relu"), kl.Dropout(share), loss=SPARSE)


def reading(other_axis: bool) -> Any:
    """Centres each sample, or each feature over the batch."""
    axis = 0 if other_axis else -1
    centre = kl.Lambda(lambda x: x - keras.ops.mean(x, axis=axis, keepdims=True))
    return net((8,), kl.Dense(16, activation="relu"), centre, kl.Dense(5, activation="sigmoid"),
               loss=BINARY)  # fmt: skip


def decaying() -> Any:
    return digits_net(optimizer=keras.optimizers.AdamW(0.001, weight_decay=0.05))


def dead() -> Any:
    layer = kl.Dense(32, activation="relu", bias_initializer=keras.initializers.Constant(-20))
    return hidden(layer, loss=SPARSE)


FAULTY: dict[str, Faulty] = {
    "softmax for several labels": Faulty(
        "a softmax lets labels exclude each other",
        lambda: Program(table_net(8, 5, "softmax", BINARY), *data.tags()),
    ),
    "categorical for several labels": Faulty(
        "a softmax lets labels exclude each other",
        lambda: Program(table_net(8, 5, "softmax", ROWS), *data.tags()),
    ),
    "hidden softmax": Faulty(
        "softmax is the activation of hidden layers",
        lambda: Program(hidden(kl.Dense(32, activation="softmax"), loss=SPARSE), *digits()),
    ),
    "crossentropy over one sigmoid": Faulty(
        "has a single output", lambda: Program(table_net(2, 1, "sigmoid", SPARSE), *data.moons())
    ),
    "penalty of 10": Faulty(
        "the L2 penalty is too strong", lambda: Program(penalised(10.0), *digits())
    ),
    "dropout of 99 %": Faulty(
        "dropout leaves out nearly everything", lambda: Program(dropping(0.99), *digits())
    ),
    "means over the batch": Faulty(
        "the samples of a batch are mixed", lambda: Program(reading(True), *data.tags())
    ),
    "biases of -20": Faulty(
        "ReLU units are dead from the start", lambda: Program(dead(), *digits())
    ),
    "a sigmoid before tens": Faulty(
        "the last activation, sigmoid, cannot give the targets",
        lambda: Program(
            table_net(5, 1, "sigmoid", "mse"), data.houses()[0], data.houses()[1] / 10
        ),
    ),
}  # fmt: skip
HEALTHY: dict[str, Build] = {
    "usual penalty": lambda: Program(penalised(0.01), *digits()),
    "half dropped": lambda: Program(dropping(0.5), *digits()),
    "means over the features": lambda: Program(reading(False), *data.tags()),
    "usual decay": lambda: Program(decaying(), *digits()),
}


@pytest.mark.parametrize("name", FAULTY)
def test_what_is_wrong_is_named_first(name: str) -> None:
    cause, build = FAULTY[name]
    program = build()
    assert cause in check(program.model, program.x, program.y)[0].cause


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_kin_get_no_word(name: str) -> None:
    program = HEALTHY[name]()
    assert check(program.model, program.x, program.y) == []


def test_the_plan_of_a_schedule_is_its_rate_at_first_and_now() -> None:
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    optimizer = keras.optimizers.SGD(schedule)
    optimizer.iterations.assign(10)
    assert plan_of(optimizer) == pytest.approx((0.1, 0.1 / 1024))
    assert plan_of(keras.optimizers.SGD(0.1)) is None
    assert np.isfinite(plan_of(keras.optimizers.Adam(schedule)) or 0).all()


def test_a_wrong_sign_and_two_softmaxes_are_named() -> None:
    def wrong(y: Any, given: Any) -> Any:
        return -keras.ops.mean(keras.ops.square(y - given))

    houses, prices = data.houses()
    programs = {
        "its sign is wrong": Program(
            net((5,), kl.Dense(8, activation="relu"), kl.Dense(1), loss=wrong),
            (houses - houses.mean(0)) / houses.std(0),
            ((prices - prices.mean()) / prices.std()).astype(np.float32),
        ),
        "softmax is applied twice in the network": Program(
            net((4,), kl.Dense(3, activation="softmax"), kl.Softmax(), loss=SPARSE),
            *table(data.flowers),
        ),
    }
    for cause, program in programs.items():
        found = check(*program)
        assert found, cause
        assert cause in found[0].cause


def test_a_loss_of_its_own_gets_no_word() -> None:
    def own(y: Any, given: Any) -> Any:
        return keras.ops.mean(keras.ops.log(keras.ops.cosh(y - given)))

    houses, prices = data.houses()
    x = (houses - houses.mean(0)) / houses.std(0)
    y = ((prices - prices.mean()) / prices.std()).astype(np.float32)
    hidden = kl.Dense(8, activation="relu")
    model = net((5,), hidden, kl.Dense(1), loss=own)
    model.compile("adam", own)
    assert not check(model, x, y)


@pytest.mark.parametrize("sorted_", [True, False])
def test_targets_in_batches_that_begin_alike_are_read_on(sorted_: bool) -> None:
    x, y = table(data.flowers)
    x, y = np.tile(x, (12, 1)).astype(np.float32), np.sort(np.tile(y, 12)) * sorted_
    batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(32)
    found = check(net((4,), kl.Dense(3, activation="softmax"), loss=SPARSE), batches)
    wanted = "the samples come sorted by class" if sorted_ else "all targets are alike"
    assert wanted in found[0].cause
