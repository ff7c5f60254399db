"""Faults in Keras that lie between network, loss and training: named first, healthy kin left."""

from typing import Any

import pytest

pytest.importorskip("keras", reason="the extra keras is not installed")
pytest.importorskip("tensorflow", reason="the extra keras is not installed")

import keras
import numpy as np
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
