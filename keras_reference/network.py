"""The reference network: raw digits to logits, in idiomatic Keras."""

from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from keras_reference.config import ModelConfig
from keras_reference.errors import InputError


def build(config: ModelConfig, x_train: NDArray[np.uint8]) -> keras.Sequential:
    """Preprocessing, measured on `x_train`, uint8 [N, 28, 28], and a multilayer perceptron.

    Returns:
        A model from uint8 [N, 28, 28] to logits float32 [N, 10]: the last layer has no softmax.
    """
    # Scaled first and by itself: augmentation comes right after, before an inversion. A plain float
    # would go through float32 even in a network of float64.
    scale = np.float64(1 / 255)
    model = keras.Sequential([keras.Input((28, 28)), keras.layers.Rescaling(scale)])
    if config.invert:
        model.add(keras.layers.Rescaling(-1, 1))
    model.add(keras.layers.Flatten())
    if config.standardize == "image":
        model.add(keras.layers.LayerNormalization(epsilon=1e-5, center=False, scale=False))
    elif config.standardize == "dataset":
        pixels = x_train / 255.0
        mean = 1 - pixels.mean() if config.invert else pixels.mean()
        model.add(keras.layers.Normalization(axis=None, mean=mean, variance=pixels.var()))
    if config.input_dropout:
        model.add(keras.layers.Dropout(config.input_dropout))
    short = None if config.max_norm is None else keras.constraints.MaxNorm(config.max_norm)
    for width, function in zip(config.hidden, _activations(config), strict=True):
        model.add(keras.layers.Dense(width, kernel_constraint=short))
        if config.batch_norm:
            model.add(keras.layers.BatchNormalization())
        model.add(keras.layers.Activation(function))
        if config.dropout:
            model.add(keras.layers.Dropout(config.dropout))
    model.add(keras.layers.Dense(10))
    return model


def _activations(config: ModelConfig) -> Sequence[str]:
    """Of each hidden layer."""
    if isinstance(config.activation, str):
        return [config.activation] * len(config.hidden)
    if len(config.activation) != len(config.hidden):
        raise InputError(
            f"{len(config.activation)} activations for {len(config.hidden)} hidden layers; "
            "expected one for each, or one for all"
        )
    return config.activation
