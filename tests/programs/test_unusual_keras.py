"""Mistakes and unusual but healthy models in Keras: named first by the check, or left alone."""

import random
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl

from parity.keras import check
from parity.keras.calls import unchanged
from tests.programs import data
from tests.programs.keras_programs import (
    BINARY,
    ROWS,
    SPARSE,
    Program,
    compiled,
    digits,
    net,
    rows,
    table,
)


def flowers(*last: Any, loss: Any = SPARSE, optimizer: Any = None, **head: Any) -> Any:
    layers = kl.Dense(16, activation="relu"), kl.Dense(3, activation="softmax", **head)
    return net((4,), *layers, *last, loss=loss, optimizer=optimizer)


def numbers(loss: str, last: Any = None) -> Any:
    return net((5,), kl.Dense(8, activation="relu"), kl.Dense(1, activation=last), loss=loss)


def frozen_head() -> Any:
    model = flowers()
    model.layers[-1].trainable = False
    return compiled(model, SPARSE)


def reader(rows: int, **given: Any) -> Any:
    layers = kl.Embedding(rows, 4, **given), kl.LSTM(4), kl.Dense(1, activation="sigmoid")
    return net((60,), *layers, loss=BINARY)


class Drawn(kl.Layer):  # type: ignore[misc]
    """Draws, with seeds of its own or without, as many a sampling layer does."""

    def __init__(self, own: bool = False) -> None:
        super().__init__()
        self.seeds = keras.random.SeedGenerator(0) if own else None

    def call(self, x: Any) -> Any:
        return x + keras.random.normal(keras.ops.shape(x), seed=self.seeds)


def padded() -> tuple[Any, Any]:
    x, y = data.words()
    return np.concatenate([x + 1, np.zeros((len(x), 48), int)], axis=1), y


def clipping(**given: Any) -> Any:
    return keras.optimizers.SGD(0.01, **given)


def brighter(*layers: Any, scale: float = 1 / 255) -> Program:
    last = kl.Flatten(), kl.Dense(10, activation="softmax")
    x, y = digits(scale)
    return Program(net((28, 28, 1), *layers, *last, loss=SPARSE), x[..., None], y)


SMOOTH = keras.losses.CategoricalCrossentropy
FAULTY: dict[str, tuple[str, Callable[[], Program]]] = {
    "no Flatten": (
        "answers for each place",
        lambda: Program(net((28, 28), kl.Dense(10, activation="softmax"), loss=SPARSE), *digits()),
    ),
    "return_sequences": (
        "answers for each place",
        lambda: Program(
            net((20, 1), kl.GRU(4, return_sequences=True), kl.Dense(1), loss="mse"), *data.waves()
        ),
    ),
    "dropout behind the softmax": (
        "dropout is applied to the outputs",
        lambda: Program(flowers(kl.Dropout(0.5)), *table(data.flowers)),
    ),
    "a frozen head": (
        "the last layer is not trained",
        lambda: Program(frozen_head(), *table(data.flowers)),
    ),
    "clipnorm of 1e-6": (
        "gradients are clipped",
        lambda: Program(flowers(optimizer=clipping(clipnorm=1e-6)), *table(data.flowers)),
    ),
    "brightness of bytes over fractions": (
        "an augmentation is set for values of another range",
        lambda: brighter(kl.RandomBrightness(0.3)),
    ),
    "brightness of fractions over bytes": (
        "an augmentation is set for values of another range",
        lambda: brighter(
            kl.RandomBrightness(0.3, value_range=(0, 1)), kl.Rescaling(1 / 255), scale=1.0
        ),
    ),
    "clipvalue of 1e-6": (
        "gradients are clipped",
        lambda: Program(flowers(optimizer=clipping(clipvalue=1e-6)), *table(data.flowers)),
    ),
    "a momentum of 1": (
        "momentum is too high",
        lambda: Program(flowers(optimizer=clipping(momentum=1.0)), *table(data.flowers)),
    ),
    "words beyond the vocabulary": (
        "an embedding has fewer rows",
        lambda: Program(reader(30), *padded()),
    ),
    "padding is read last": ("sequences end in padding", lambda: Program(reader(51), *padded())),
    "a penalty on answers": (
        "penalty on a layer's answers",
        lambda: Program(
            flowers(activity_regularizer=keras.regularizers.L2(99.0)), *table(data.flowers)
        ),
    ),
    "rates below zero": (
        "takes rates above 0",
        lambda: Program(numbers("poisson"), data.houses()[0], np.arange(400.0) % 5),
    ),
    "percentages of zero": (
        "cannot measure errors",
        lambda: Program(
            numbers("mean_absolute_percentage_error"), data.houses()[0], np.arange(400) % 4 / 7
        ),
    ),
    "masks of bytes": (
        "outside 0 to 1",
        lambda: Program(
            net((28, 28, 1), kl.Conv2D(1, 3, padding="same", activation="sigmoid"), loss=BINARY),
            digits()[0][..., None],
            (digits()[0][..., None] > 0.5) * 255.0,
        ),
    ),
    "deep sigmoids": (
        "vanish on their way through",
        lambda: Program(
            net(
                (4,), *[kl.Dense(8, activation="sigmoid") for _ in range(12)],
                kl.Dense(3, activation="softmax"), loss=SPARSE,
            ),
            *table(data.flowers),
        ),
    ),
}  # fmt: skip
HEALTHY: dict[str, Callable[[], Program]] = {
    "drawn in inference": lambda: Program(
        net((5,), kl.Dense(8), Drawn(), kl.ReLU(), kl.Dense(1), loss="mae"),
        data.houses()[0],
        data.houses()[1] / 100 - 2,
    ),
    "drawn in inference, with seeds of its own": lambda: Program(
        net((5,), kl.Dense(8), Drawn(own=True), kl.ReLU(), kl.Dense(1), loss="mae"),
        data.houses()[0],
        data.houses()[1] / 100 - 2,
    ),
    "padding is masked": lambda: Program(reader(51, mask_zero=True), *padded()),
    "padding that is pooled": lambda: Program(
        net(
            (60,),
            kl.Embedding(51, 4),
            kl.LSTM(4, return_sequences=True),
            kl.GlobalMaxPooling1D(),
            kl.Dense(1, activation="sigmoid"),
            loss=BINARY,
        ),
        *padded(),
    ),
    "padding in front": lambda: Program(reader(51), padded()[0][:, ::-1], padded()[1]),
    "rates": lambda: Program(
        numbers("poisson", "softplus"), data.houses()[0], np.arange(400.0) % 5
    ),
    "clipped to 1": lambda: Program(
        flowers(optimizer=clipping(global_clipnorm=1.0)), *table(data.flowers)
    ),
    "brightness of fractions": lambda: brighter(kl.RandomBrightness(0.3, value_range=(0, 1))),
    "brightness of bytes": lambda: brighter(
        kl.RandomBrightness(0.3), kl.RandomContrast(0.3), kl.Rescaling(1 / 255), scale=1.0
    ),
    "contrast of bytes over fractions": lambda: brighter(kl.RandomContrast(0.3)),
    "each value clipped to 0.5": lambda: Program(
        flowers(optimizer=clipping(clipvalue=0.5)), *table(data.flowers)
    ),
    "dropout before the head": lambda: Program(
        net((4,), kl.Dense(16), kl.ReLU(), kl.Dropout(0.5), kl.Dense(3, "softmax"), loss=SPARSE),
        *table(data.flowers),
    ),
    "usual smoothing": lambda: Program(
        flowers(loss=SMOOTH(label_smoothing=0.1)), *rows(table(data.flowers))
    ),
    "soft labels": lambda: Program(
        flowers(loss=ROWS), table(data.flowers)[0], 0.9 * rows(data.flowers())[1] + 0.1 / 3
    ),
}


@pytest.mark.parametrize("name", FAULTY)
def test_what_is_wrong_is_named_first(name: str) -> None:
    cause, build = FAULTY[name]
    assert cause in check(*build())[0].cause


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_kin_get_no_word(name: str) -> None:
    assert check(*HEALTHY[name]()) == []


@pytest.mark.parametrize("drawn_before", [False, True])
def test_a_look_draws_nothing_from_the_seeds_of_keras(drawn_before: bool) -> None:
    """They were drawn from before, and a training with a guard was another one."""
    answers = []
    for looks in (False, True):
        keras.utils.clear_session()
        keras.utils.set_random_seed(0)
        model = net((4,), kl.Dense(3), Drawn(), loss="mse")
        if drawn_before:
            keras.random.normal((1,))
        if looks:
            with unchanged(model):
                model(np.ones((2, 4), np.float32))
        answers.append((np.asarray(model(np.ones((2, 4), np.float32))), random.random()))  # noqa: S311
    assert np.array_equal(answers[0][0], answers[1][0])
    assert answers[0][1] == answers[1][1]
