"""This side of the divergence ladder: what a ``fit`` command line compiles, one step at a time."""

import os
from collections import Counter
from pathlib import Path
from typing import Any

# TensorFlow prints its build options and the absence of a GPU on every start.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # the same result on every processor

import keras
import numpy as np
import tensorflow as tf
from jsonargparse import Namespace
from keras import layers
from numpy.typing import NDArray

from keras_reference.cli import make_parser
from keras_reference.data import load_digits
from keras_reference.instruments.settings import effective_settings
from keras_reference.network import build as build_network
from keras_reference.train import compile_

Array = NDArray[Any]
Table = dict[str, Array]

KINDS = {
    layers.Dense: "dense",
    layers.BatchNormalization: "batch_norm",
    layers.Activation: "activation",
    layers.Dropout: "dropout",
}
"""What the layers of the network are called; what comes before the first is preprocessing."""
VARIABLES = {
    "dense": ("kernel", "bias"),
    "batch_norm": ("scale", "offset", "mean", "variance"),
}
"""The canonical names of a layer's variables, in Keras' order."""


def build(flags: list[str], precision: str) -> "LockStep":
    """What ``python -m keras_reference`` with these flags trains, in "float64" or "float32"."""
    keras.backend.clear_session()
    keras.config.set_floatx(precision)
    parser = make_parser()
    config = parser.instantiate(parser.parse_args(flags))["fit"]
    keras.utils.set_random_seed(config.seed_everything)
    # Only standardising over the training images asks what these are.
    measured = config.model.standardize == "dataset"
    x_train = load_digits(config.data.source).x_train if measured else np.zeros((1, 28, 28), "u1")
    network = build_network(config.model, x_train)
    compile_(network, config.optimizer)
    return LockStep(network, config)


class LockStep:
    """A compiled network; arrays by canonical names, in Keras' own layout."""

    def __init__(self, network: keras.Sequential, config: Namespace) -> None:
        self.network = network
        self.config = config
        names = named_layers(network)
        self.preprocessing = [layer for layer in network.layers if layer.name not in names]
        self.layers = {names[layer.name]: layer for layer in network.layers if layer.name in names}

    def read(self, path: Path) -> Table:
        """The raw arrays."""
        digits = load_digits(str(path))
        return {name: getattr(digits, name) for name in ("x_train", "y_train", "x_test", "y_test")}

    def weights(self) -> Table:
        """Copies of all variables."""
        return {name: np.array(variable) for name, variable in self._variables().items()}

    def set_weights(self, weights: Table) -> None:
        """Take all of `weights`."""
        for name, variable in self._variables().items():
            variable.assign(weights[name])

    def forward(self, images: Array, training: bool) -> Table:
        """What each layer gives, float [B, ...]; the last is called ``logits``."""
        values = tf.cast(images, keras.config.floatx())
        for layer in self.preprocessing:
            values = layer(values)
        table = {"pixels": np.array(values)}
        moving = self._moving_statistics()
        for name, layer in self.layers.items():
            values = layer(values, training=training)
            table[name] = np.array(values)
        self._restore(moving)
        table["logits"] = table.pop(name)
        return table

    def gradients(self, images: Array, labels: Array) -> tuple[float, Table]:
        """Loss and gradients in training mode; moving statistics stay as they were."""
        learned = {
            name: variable for name, variable in self._variables().items() if variable.trainable
        }
        moving = self._moving_statistics()
        with tf.GradientTape() as tape:
            logits = self.network(images, training=True)
            loss = self.network.compute_loss(y=labels, y_pred=logits)
        self._restore(moving)
        found = tape.gradient(loss, [variable.value for variable in learned.values()])
        return float(loss), dict(zip(learned, map(np.array, found), strict=True))

    def step(self, images: Array, labels: Array) -> float:
        """One optimiser step, the way `fit` takes it."""
        loss: float = self.network.train_on_batch(images, labels, return_dict=True)["loss"]
        return float(loss)

    def settings(self) -> dict[str, Any]:
        """What has been compiled, for `parity audit`."""
        return effective_settings(self.config, self.network, self.layers)

    def _variables(self) -> dict[str, keras.Variable]:
        return {
            f"{name}.{own}": variable
            for name, layer in self.layers.items()
            for own, variable in zip(
                VARIABLES.get(name.rpartition("_")[0], ()), layer.weights, strict=False
            )
        }

    def _moving_statistics(self) -> Table:
        return {
            name: np.array(variable)
            for name, variable in self._variables().items()
            if not variable.trainable
        }

    def _restore(self, moving: Table) -> None:
        for name, variable in self._variables().items():
            if name in moving:
                variable.assign(moving[name])


def named_layers(network: keras.Sequential) -> dict[str, str]:
    """``dense_1``, ``batch_norm_1``, ``activation_1``, ... by Keras' own name of the layer."""
    count: Counter[str] = Counter()
    names = {}
    for layer in network.layers:
        if kind := KINDS.get(type(layer)):
            count[kind] += 1
            names[layer.name] = f"{kind}_{count[kind]}"
    return names
