"""What a ``fit`` command line really does, for `parity audit`: asked of what it has compiled.

Where a setting can be measured on the built object it is, and the measurement is given as it is;
`parity audit` reads it. Nothing here changes the network or its optimiser.
"""

import dataclasses
from typing import Any

import keras
import numpy as np
from jsonargparse import Namespace

from keras_reference.compilation import compile_, schedule, targets
from keras_reference.data import Digits, load_digits
from keras_reference.instruments.data_settings import data_settings
from keras_reference.network import build
from keras_reference.train import validation_size
from parity.keras import fed, variables
from parity.keras.settings import layer_settings, optimizer_settings

Settings = dict[str, Any]
EPOCHS = 4
"""First epochs whose learning rates are given."""
BATCH = np.random.default_rng(0).integers(0, 256, (4, 28, 28)).astype(np.uint8)
LABELS = np.array([3, 1, 4, 1])


def effective_settings(config: Namespace, network: keras.Sequential) -> Settings:
    """All settings of what flags of ``fit`` compile, JSON values by canonical names."""
    digits = load_digits(config.data.source)
    return {
        **_pixels(config, digits),
        **layer_settings(network),
        "loss": _loss(network, config),
        **_metric(network, config),
        **optimizer_settings(network.optimizer, variables(network)),
        "schedule.learning_rate": _rates(network, config),
        **data_settings(config.data, digits, config.seed_everything),
        **_augmentation(config),
        "trainer.epochs": config.trainer.max_epochs,
        "precision": network.layers[-1].dtype_policy.name,
        "execution": "XLA" if network.jit_compile else "tf.function",
    }


def _pixels(config: Namespace, digits: Digits) -> Settings:
    """The input of the first Dense for each grey level, in the network that `fit` builds."""
    val_size = validation_size(config.data, len(digits.y_train))
    network = build(config.model, digits.x_train[: len(digits.x_train) - val_size])
    levels = np.arange(28 * 28).reshape(1, 28, 28) % 256
    pixels = fed(network, levels.astype(keras.config.floatx()))[0, :256]
    return {"preprocessing.pixels": pixels.astype(np.float64).tolist()}


def _augmentation(config: Namespace) -> Settings:
    given = dataclasses.asdict(config.model.augmentation)
    names = [name for name in given if name != "smoothness" or given["elastic"]]
    return {f"augmentation.{name}": given[name] for name in names if given[name]}


def _loss(network: keras.Sequential, config: Namespace) -> Settings:
    """The compiled loss of given logits, and of the same ones twice."""
    logits = np.random.default_rng(0).normal(size=(4, 10)).astype(np.float32)
    wanted = targets(LABELS, config.model)
    once, twice = (
        float(
            network.compute_loss(
                y=np.concatenate([wanted] * times), y_pred=np.tile(logits, (times, 1))
            )
        )
        for times in (1, 2)
    )
    return {"logits": logits.tolist(), "labels": LABELS.tolist(), "once": once, "twice": twice}


def _metric(network: keras.Sequential, config: Namespace) -> Settings:
    """What `fit` shows of two batches, with a copy that neither drops out nor learns."""
    copy = keras.models.clone_model(network)
    for layer in copy.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    compile_(copy, config.optimizer, config.model)
    copy.optimizer.learning_rate = 0.0
    copy.run_eagerly = True
    shown: list[float] = []
    note = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: shown.append(float(logs["loss"])),
        on_epoch_end=lambda epoch, logs: shown.append(float(logs["loss"])),
    )
    images = np.concatenate([BATCH, BATCH[::-1] // 2])
    labels = targets(np.tile(LABELS, 2), config.model)

    def fit(part: slice) -> list[float]:
        shown.clear()
        given = {"batch_size": len(BATCH), "shuffle": False, "verbose": 0, "callbacks": [note]}
        copy.fit(images[part], labels[part], **given)
        return list(shown)

    first, second, both = (fit(part) for part in (slice(4), slice(4, 8), slice(8)))
    batches = [first[0], second[0]]
    epoch = "the epoch's mean" if np.isclose(both[-1], np.mean(batches)) else "the last batch's"
    return {
        "metric.train_loss": f"{epoch}, in training mode, each batch before its own step",
        "metric.train_loss.shown": {"batches": batches, "shown": both[1]},
    }


def _rates(network: keras.Sequential, config: Namespace) -> list[float]:
    """Learning rates of the first epochs, as the callback of `fit` sets them."""
    optimizer = network.optimizer
    first = float(optimizer.learning_rate)
    if config.optimizer.decay == 1:
        return [first] * EPOCHS
    callback = schedule(first, config.optimizer.decay)
    callback.set_model(network)
    rates = []
    for epoch in range(EPOCHS):
        callback.on_epoch_begin(epoch)
        rates.append(float(optimizer.learning_rate))
    optimizer.learning_rate = first
    return rates
