"""What a network is trained with: its optimiser, its loss, and labels as the loss wants them."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from keras_reference.config import ModelConfig, OptimizerConfig
from keras_reference.errors import InputError


def compile_(network: keras.Model, optimizer: OptimizerConfig, model: ModelConfig) -> None:
    """Give the network its optimiser, its loss of `targets` and its metric.

    Raises:
        InputError: no such optimiser, or one that refuses its settings.
    """
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    if smoothing := model.label_smoothing:
        loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
        accuracy = keras.metrics.CategoricalAccuracy(name="accuracy")
    chosen = _optimizer(optimizer)
    if optimizer.weight_decay_on == "matrices":
        chosen.exclude_from_weight_decay(
            var_list=[each for each in network.trainable_variables if len(each.shape) < 2]
        )
    chosen.build(network.trainable_variables)  # with all variables there, a step is traced once
    network.compile(optimizer=chosen, loss=loss, metrics=[accuracy])


def targets(labels: NDArray[np.integer[Any]], model: ModelConfig) -> NDArray[Any]:
    """Labels int [N] as the loss wants them: as they are, or float [N, 10] to be smoothed."""
    return keras.utils.to_categorical(labels, 10) if model.label_smoothing else labels


def schedule(learning_rate: float, factor: float) -> keras.callbacks.Callback:
    """Sets the learning rate at the start of each epoch; the run record reads it at the end."""
    return keras.callbacks.LearningRateScheduler(lambda epoch, _: learning_rate * factor**epoch)


def _optimizer(config: OptimizerConfig) -> keras.optimizers.Optimizer:
    settings = dict(config.settings)
    if config.learning_rate is not None:
        settings["learning_rate"] = config.learning_rate
    try:
        return keras.optimizers.get({"class_name": config.name, "config": settings})
    except (TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"optimizer {config.name} with {config.settings}: {reason}; "
            "expected a class of keras.optimizers and its arguments"
        ) from error
