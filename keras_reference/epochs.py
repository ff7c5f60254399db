"""Epochs that follow from seed and number alone: a training that goes on is the one uninterrupted.

Keras deals the images out by generators whose state cannot be read, and where it is seeded, its
`fit` repeats the first epoch's order in every epoch. So every epoch is a `fit` of its own, seeded
anew; what dropout and augmentation draw next are variables of the model.
"""

import math
import sys
import time
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray


def seed_of(seed: int, epoch: int) -> int:
    """The seed of an epoch, counted from 0."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])


def in_epochs(
    training: keras.Model,
    callbacks: Sequence[keras.callbacks.Callback],
    learned: tuple[NDArray[Any], NDArray[Any]],
    loading: dict[str, Any],
    epochs: range,
    seed: int,
    before: int = 0,
) -> float:
    """Train for some epochs; the seconds that it took.

    Callbacks see one training, which begins once and ends once. `loading` tells `fit` how to deal
    out the images; `before` batches of the first epoch have been learned.
    """
    images, wanted = learned
    count = math.floor(len(images) * (1 - loading["validation_split"]))  # as Keras has it
    steps = -(-count // loading["batch_size"])
    bar_or_lines = 1 if sys.stdout.isatty() else 2
    about = {"epochs": epochs.stop, "steps": steps, "verbose": bar_or_lines}
    also = {"add_history": True, "add_progbar": True}  # as `fit` would
    whole = _OneTraining(callbacks, model=training, **also, **about)
    training.summary()
    started = time.perf_counter()
    for epoch in epochs:
        given: dict[str, Any] = {"x": images, "y": wanted, **loading}
        whole.before = before if epoch == epochs.start else 0
        if whole.before:
            batches = noted(loading, len(images), seed, epoch).batches[before:]
            training.evaluate(images[:1], wanted[:1], verbose=0)  # makes what measures the epoch
            given = {
                "x": Batches(images, wanted, batches),
                "shuffle": False,
                "validation_data": (images[count:], wanted[count:]),
                "validation_batch_size": loading["batch_size"],
            }
        keras.utils.set_random_seed(seed_of(seed, epoch))
        training.fit(**given, initial_epoch=epoch, epochs=epoch + 1, callbacks=whole)
        if training.stop_training:
            break
    whole.end()
    return time.perf_counter() - started


class Batches(keras.utils.PyDataset):
    """Images and targets in batches that are named by their numbers."""

    def __init__(
        self, images: NDArray[Any], wanted: NDArray[Any], batches: list[NDArray[np.int64]]
    ) -> None:
        super().__init__()
        self.images, self.wanted, self.batches = images, wanted, batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number: int) -> tuple[NDArray[Any], NDArray[Any]]:
        ids = self.batches[number]
        return self.images[ids], self.wanted[ids]


def dealt(
    loading: dict[str, Any], images: int, seed: int, epoch: int, step: int
) -> NDArray[np.int64]:
    """Which of so many training images a step of an epoch has learned, both counted from 0."""
    return noted(loading, images, seed, epoch).batches[step]


def noted(loading: dict[str, Any], images: int, seed: int, epoch: int) -> "Notes":
    """What an epoch of so many images, counted from 0, deals out."""
    notes = Notes()
    notes.compile(run_eagerly=True)
    notes.built = True
    ids = np.arange(images)
    keras.utils.set_random_seed(seed_of(seed, epoch))
    notes.fit(ids, ids, initial_epoch=epoch, epochs=epoch + 1, verbose=0, **loading)
    return notes


class Notes(keras.Model):
    """Learns nothing; notes the numbers that it is given, batch by batch."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[NDArray[np.int64]] = []
        self.validation: list[NDArray[np.int64]] = []

    def train_step(self, data: Any) -> dict[str, float]:
        """Note a batch of training."""
        self.batches.append(keras.ops.convert_to_numpy(data[0]))
        return {"loss": 0.0}

    def test_step(self, data: Any) -> dict[str, float]:
        """Note a batch of validation."""
        self.validation.append(keras.ops.convert_to_numpy(data[0]))
        return {"loss": 0.0}


class _OneTraining(keras.callbacks.CallbackList):
    """The callbacks of several calls of `fit`."""

    begun = False
    before = 0
    """Batches of this epoch that were learned before this `fit`."""

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        super().on_train_batch_begin(batch + self.before, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        super().on_train_batch_end(batch + self.before, logs)

    def on_train_begin(self, logs: Any = None) -> None:
        if not self.begun:
            self.begun = True
            super().on_train_begin(logs)

    def on_train_end(self, logs: Any = None) -> None:
        pass

    def end(self) -> None:
        if self.begun:
            super().on_train_end()
