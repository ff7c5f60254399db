"""Forty MNIST perceptrons as people write them in Keras: Sequential and functional, any style."""

from collections.abc import Callable
from itertools import cycle, islice

import keras
import numpy as np
from keras import layers as kl
from keras import regularizers

SHAPES = ((784,), (28, 28), (28, 28, 1))


def _begin(shape: tuple[int, ...], scaling: str) -> list[keras.Layer]:
    scale = {
        "no": [], "rescaling": [kl.Rescaling(1 / 255)], "centred": [kl.Rescaling(1 / 127.5, -1)],
        "inverted": [kl.Rescaling(1 / 255), kl.Rescaling(-1, 1)],
        "normalised": [kl.Rescaling(1 / 255), kl.Normalization(axis=None, mean=0.13, variance=0.1)],
    }[scaling]  # fmt: skip
    return [*scale, *([] if len(shape) == 1 else [kl.Flatten()])]


def _plain() -> list[keras.Layer]:
    return [kl.Dense(32, activation="relu"), kl.Dense(10, activation="softmax")]


def _layers() -> list[keras.Layer]:
    return [kl.Dense(24), kl.ReLU(), kl.Dropout(0.2), kl.Dense(10), kl.Softmax()]


def _normed() -> list[keras.Layer]:
    norm = [kl.Dense(20, use_bias=False), kl.BatchNormalization(), kl.Activation("relu")]
    return [*norm, kl.Dense(12), kl.BatchNormalization(), kl.Activation("relu"), kl.Dense(10)]


def _normed_behind() -> list[keras.Layer]:
    return [
        kl.Dense(20, activation="relu"), kl.BatchNormalization(), kl.Dropout(0.5),
        kl.Dense(14, activation="relu"), kl.BatchNormalization(epsilon=1e-4),
        kl.Dense(10, activation="softmax"),
    ]  # fmt: skip


def _unlike() -> list[keras.Layer]:
    return [
        kl.Dense(30, activation="relu"), kl.Dropout(0.3), kl.Dense(20, activation="tanh"),
        kl.BatchNormalization(scale=False), kl.Dense(15, activation="elu"), kl.Dense(10),
    ]  # fmt: skip


def _regularised() -> list[keras.Layer]:
    l2 = regularizers.l2(1e-4)
    return [
        kl.Dense(28, activation="relu", kernel_regularizer=l2, kernel_initializer="he_normal"),
        kl.Dense(16, activation="sigmoid", bias_regularizer="l1"),
        kl.Dense(10, activation="softmax"),
    ]  # fmt: skip


def _linear_between() -> list[keras.Layer]:
    return [kl.Dense(18), kl.Dense(16, activation="gelu"), kl.Dense(10), kl.Activation("softmax")]


def _norm_of_pixels() -> list[keras.Layer]:
    return [
        kl.BatchNormalization(), kl.Dense(22, activation="swish"), kl.GaussianNoise(0.1),
        kl.Dense(10), kl.BatchNormalization(), kl.Softmax(),
    ]  # fmt: skip


BODIES = (
    _plain, _layers, _normed, _normed_behind, _unlike, _regularised, _linear_between,
    _norm_of_pixels,
)  # fmt: skip
SCALINGS = ("no", "rescaling", "centred", "inverted", "normalised")


def _sequential(shape: tuple[int, ...], parts: list[keras.Layer]) -> keras.Model:
    return keras.Sequential([keras.Input(shape), *parts])


def _functional(shape: tuple[int, ...], parts: list[keras.Layer]) -> keras.Model:
    x = given = keras.Input(shape)
    for part in parts:
        x = part(x)
    return keras.Model(given, x)


def _nested(shape: tuple[int, ...], parts: list[keras.Layer]) -> keras.Model:
    return keras.Sequential([keras.Input(shape), keras.Sequential(parts[:2]), *parts[2:]])


def _make(number: int) -> Callable[[], keras.Model]:
    scaling, body = SCALINGS[number // len(BODIES)], BODIES[number % len(BODIES)]
    shape = next(islice(cycle(SHAPES), number, None))
    style = (_sequential, _functional, _nested)[(number // 3) % 3]

    def make() -> keras.Model:
        rng = np.random.default_rng(number)
        model = style(shape, [*_begin(shape, scaling), *body()])
        for weight in model.weights:
            positive = weight.name in ("moving_variance", "gamma")
            spread = rng.normal(0, 0.1, weight.shape)
            weight.assign(np.abs(spread) + 0.5 if positive else spread)
        return model

    return make


MODELS: dict[str, Callable[[], keras.Model]] = {
    f"{number} {BODIES[number % len(BODIES)].__name__[1:]}, {SCALINGS[number // len(BODIES)]} "
    f"scaling": _make(number)
    for number in range(len(BODIES) * len(SCALINGS))
}
