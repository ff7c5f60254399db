"""The collapse guard as a callback of Keras: it measures, `parity.watch.guard` decides."""

from functools import partial
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from keras_reference.data import Digits
from parity.watch.fingerprint import sample
from parity.watch.guard import ENOUGH, PROBE, Guard

EPOCH_PROBE = 500
"""Validation images, at most, that are looked at after each epoch: Keras keeps no answers."""
Floats = NDArray[np.float32]


class CollapseGuard(keras.callbacks.Callback):
    """Stops a training, or warns, once the network no longer looks at its inputs.

    It looks at some validation images after 1, 2, 4, 8, ... steps of the first epoch, and at more
    of them after every epoch.

    Args:
        guard: Decides, and keeps the evidence.
        network: To look at; the model that trains has the same weights, and augmentation beside.
        digits: Of which Keras keeps the last training images for validation.
        preprocessing: What it is meant to be, as in the run record.
        val_size: Images kept for validation.
        batch_size: Training images a step.
    """

    def __init__(
        self,
        guard: Guard,
        network: keras.Model,
        digits: Digits,
        preprocessing: dict[str, Any],
        *,
        val_size: int,
        batch_size: int,
    ) -> None:
        super().__init__()
        self.guard = guard
        self.network = network
        self.preprocessing = preprocessing
        self.batch_size = batch_size
        self.y = digits.y_train[:-val_size]
        self.x = digits.x_train[sample(len(self.y))]
        self.probe_ids = len(self.y) + sample(val_size, EPOCH_PROBE)
        self.x_val, self.y_val = digits.x_train[self.probe_ids], digits.y_train[self.probe_ids]
        self.first = sample(len(self.x_val), PROBE)
        self.epoch = 0
        self.mean_accuracy = 0.0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Measure what is there before the first step."""
        fed, _, _ = answers(self.network, self.x)
        _, _, dead = answers(self.network, self.x_val[self.first])
        self.guard.start(
            labels=self.y,
            classes=self.network.output_shape[-1],
            raw=self.x,
            preprocessing=self.preprocessing,
            fed=fed,
            weights=weights(self.network),
            dead=dead,
            optimizer=type(self.model.optimizer).__name__,
        )

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Note which epoch it is."""
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the probe in the first steps."""
        if self.epoch > 0:
            return
        # Keras hands out the mean over the batches so far; the last batch may be a small one.
        mean, before = float((logs or {})["accuracy"]), self.mean_accuracy
        self.mean_accuracy = mean
        means_something = batch + 1 < self.params["steps"] and self.batch_size >= ENOUGH
        if self.guard.looks_after(batch + 1):
            _, logits, dead = answers(self.network, self.x_val[self.first])
            self.guard.after_step(
                batch + 1,
                labels=self.y_val[self.first],
                logits=logits,
                dead=dead,
                batch_accuracy=mean + batch * (mean - before) if means_something else None,
                train_loss=float((logs or {})["loss"]),
                learning_rate=float(self.model.optimizer.learning_rate),
                weights=partial(weights, self.network),
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at more validation images."""
        _, logits, dead = answers(self.network, self.x_val)
        logs = logs or {}
        self.guard.after_epoch(
            epoch + 1,
            int(self.model.optimizer.iterations.numpy()),
            labels=self.y_val,
            logits=logits,
            sample_ids=self.probe_ids,
            dead=dead,
            weights=weights(self.network),
            learning_rate=float(self.model.optimizer.learning_rate),
            train_loss=float(logs["loss"]),
            train_accuracy=float(logs["accuracy"]),
        )


def look_at_test(guard: Guard, network: keras.Model, digits: Digits, logits: Floats) -> None:
    """Have the guard see how the test set was answered.

    Args:
        guard: Keeps what it sees.
        network: Answered.
        digits: With the test images.
        logits: The answers, float32 [N, 10].
    """
    images = digits.x_test[sample(len(digits.x_test))]
    seen, _, _ = answers(network, images)
    again = [np.asarray(network.predict_on_batch(images)) for _ in range(2)]
    guard.after_test(
        labels=digits.y_test,
        logits=logits,
        seen=seen,
        weights=weights(network),
        repeat_difference=float(np.abs(again[1] - again[0]).max()),
    )


def weights(network: keras.Model) -> dict[str, Floats]:
    """Of each dense layer."""
    layers = (layer for layer in network.layers if isinstance(layer, keras.layers.Dense))
    return {f"layer {n}": np.asarray(layer.kernel) for n, layer in enumerate(layers, 1)}


def answers(
    network: keras.Model, images: NDArray[np.uint8]
) -> tuple[Floats, Floats, dict[str, float]]:
    """Ask layer by layer, in evaluation mode; no graph is built for it.

    Returns:
        What the first dense layer is fed, [N, 28, 28]; the logits [N, 10]; the share of units that
        are 0 for every image after each layer with ReLU.
    """
    values: Any = keras.ops.convert_to_tensor(images, dtype="float32")
    fed, dead, number = None, {}, 0
    for layer in network.layers:
        if isinstance(layer, keras.layers.Dense):
            fed = np.asarray(values).reshape(-1, 28, 28) if fed is None else fed
            number += 1
        values = layer(values, training=False)
        if isinstance(layer, keras.layers.Activation) and (
            layer.activation is keras.activations.relu
        ):
            dead[f"layer {number}"] = float((np.asarray(values) <= 0).all(axis=0).mean())
    assert fed is not None
    return fed, np.asarray(values), dead
