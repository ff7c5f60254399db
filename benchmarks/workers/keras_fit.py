"""Keras' `fit` on arrays in memory: out of the box, or with what makes it fastest here."""

import itertools
import math
import statistics
import time
from dataclasses import replace

import keras
import numpy as np
from numpy.typing import NDArray

from benchmarks.work import AUGMENTATION, Work
from benchmarks.workers.serving import Prepared, serve
from keras_reference.augmentation import augmented, layers
from keras_reference.config import ModelConfig
from keras_reference.network import build
from parity.augmentation import AugmentationConfig

STEPS_PER_EXECUTION = (1, 32)
VALIDATION_BATCH = 2048
"""As many as ours takes."""
CALIBRATION_STEPS = 128
CALIBRATION_ROUNDS = 3

Arrays = tuple[NDArray[np.uint8], NDArray[np.int64]]


def affine_layers() -> list[keras.layers.Layer]:
    """Keras' own, each of which resamples.

    Its elastic one is left out: it has one field for a whole batch whose size the graph does not
    know, and gives every image of it the pixels of the first (Keras 3.15).
    """
    shear, shift = math.tan(math.radians(AUGMENTATION["shear"])), AUGMENTATION["shift"] / 28
    scale = AUGMENTATION["scale"]
    return [
        keras.layers.RandomRotation(AUGMENTATION["rotation"] / 360, fill_mode="constant"),
        keras.layers.RandomShear(x_factor=shear, fill_mode="constant"),
        keras.layers.RandomZoom((-scale, scale), fill_mode="constant"),
        keras.layers.RandomTranslation(shift, shift, fill_mode="constant"),
    ]


def compiled(
    work: Work,
    *,
    jit_compile: bool | str = "auto",
    steps_per_execution: int = 1,
    own_layers: bool = False,
) -> keras.Model:
    """The reference network, which scales its pixels itself, with Adam and a loss from logits."""
    plain = build(ModelConfig(hidden=work.hidden), np.zeros((1, 28, 28), np.uint8))
    chain = affine_layers() if own_layers else layers(AugmentationConfig(**AUGMENTATION))
    model = augmented(plain, chain if work.augmented else [])
    model.compile(
        optimizer=keras.optimizers.Adam(work.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=jit_compile,
        steps_per_execution=steps_per_execution,
    )
    return model


def read(work: Work) -> tuple[Arrays, Arrays]:
    """Images uint8 [N, 28, 28] and labels int64 [N] to train and to validate with."""
    end = work.images + work.val_images
    with np.load(work.data, allow_pickle=False) as arrays:
        images, labels = arrays["x_train"][:end], arrays["y_train"][:end].astype(np.int64)
    training, validation = slice(None, work.images), slice(work.images, None)
    return (images[training], labels[training]), (images[validation], labels[validation])


def seconds(
    model: keras.Model,
    arrays: Arrays,
    work: Work,
    *,
    verbose: int,
    validation: Arrays | None = None,
) -> float:
    """Of an epoch."""
    started = time.perf_counter()
    model.fit(
        *arrays, batch_size=work.batch_size, epochs=round(work.epochs), verbose=verbose,
        validation_data=validation, validation_batch_size=VALIDATION_BATCH,
    )  # fmt: skip
    return (time.perf_counter() - started) / round(work.epochs)


def calibrate(
    work: Work, arrays: Arrays, *, own_layers: bool
) -> tuple[keras.Model, dict[str, object]]:
    """The fastest of the ways to run the step, each tried on the same few batches.

    Returns:
        The model that is compiled so, and seconds of the trial by way; None where XLA cannot
        compile it.
    """
    count = CALIBRATION_STEPS * work.batch_size
    few, once = (arrays[0][:count], arrays[1][:count]), replace(work, epochs=1)
    trials: dict[str, float | None] = {}
    models = {}
    for jit, steps in itertools.product((False, True), STEPS_PER_EXECUTION):
        name = f"jit_compile={jit}, steps_per_execution={steps}"
        model = compiled(work, jit_compile=jit, steps_per_execution=steps, own_layers=own_layers)
        try:
            seconds(model, few, once, verbose=0)  # compiles
        except Exception as error:  # TensorFlow raises several kinds where XLA lacks an operator
            print(f"{name}: {error}")
            trials[name] = None
            continue
        rounds = [seconds(model, few, once, verbose=0) for _ in range(CALIBRATION_ROUNDS)]
        trials[name], models[name] = statistics.median(rounds), model
    chosen = min(models, key=lambda name: trials[name] or 0.0)
    return models[chosen], {"chosen": chosen, "calibration_seconds": trials}


def prepare(
    work: Work, tuned: bool = False, validated: bool = False, own_layers: bool = False
) -> Prepared:
    """As it comes it shows its progress bar; tuned it prints nothing."""
    keras.utils.set_random_seed(work.seed)
    arrays, kept = read(work)
    validation = kept if validated else None
    if not tuned:
        model = compiled(work, own_layers=own_layers)
        return Prepared(lambda: seconds(model, arrays, work, verbose=1))
    model, note = calibrate(work, arrays, own_layers=own_layers)
    return Prepared(lambda: seconds(model, arrays, work, verbose=0, validation=validation), note)


if __name__ == "__main__":
    serve(prepare)
