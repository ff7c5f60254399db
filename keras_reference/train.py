"""Training and prediction, from a configuration to a run directory."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras

from keras_reference.augmentation import augmented, layers
from keras_reference.callbacks import BestModel, Recorder, WatchForNaN, says_why_it_stops
from keras_reference.cli import Pixels
from keras_reference.compilation import compile_, schedule, targets
from keras_reference.config import DataConfig, ModelConfig, OptimizerConfig, TrainerConfig
from keras_reference.data import Digits, load_digits
from keras_reference.epochs import dealt, in_epochs
from keras_reference.errors import InputError
from keras_reference.guard import collapse_guard
from keras_reference.kept import Kept
from keras_reference.model_file import load_model, on_raw_digits
from keras_reference.network import build
from keras_reference.run import described, filled, preprocessing_of, recipe_of, score
from keras_reference.views import chosen
from parity.run_record import RunRecord
from parity.watch.alarm import Reaction
from parity.watch.guard import Guard
from parity.watch.symptoms import Symptoms


def fit(
    model: ModelConfig,
    data: DataConfig,
    optimizer: OptimizerConfig,
    trainer: TrainerConfig,
    seed_everything: int,
    run_dir: Path,
    reaction: Reaction = "stop",
    views: Sequence[str] = (),
    *,
    resume: bool = False,
) -> RunRecord:
    """Train a model, keep the best epoch, score it on the test images and on views of them.

    With `resume` it goes on where the training in `run_dir` has been, to the bit.

    Returns:
        The finished record, which `run_dir` holds too, with model and predictions.

    Raises:
        InputError: the data, a setting or the run directory cannot be used.
        CollapsedError: the network has collapsed, and the reaction is to stop.
        DivergedError: a loss or a weight was not finite; to warn comes after all is written.
    """
    names = chosen(views)
    digits = load_digits(data.source)
    val_size = validation_size(data, len(digits.y_train))
    network, training = _models(model, optimizer, digits, val_size, seed_everything)
    recipe = recipe_of(model=model, data=data, optimizer=optimizer, trainer=trainer)
    said = recipe | {"views": names, "resolved_optimizer": training.optimizer.get_config()}
    record = described("fit", said, seed_everything, digits, val_size)
    record.preprocessing = preprocessing_of(model, network)
    how, wanted = loading(data, len(digits.y_train)), targets(digits.y_train, model)
    seen = digits, wanted, record.preprocessing, val_size
    watcher = collapse_guard(run_dir, reaction, *seen, augmented=training is not network)
    fixed = {"seed_everything": seed_everything, **recipe, "trainer": {}}  # epochs may be added
    kept = Kept(run_dir, record, BestModel(network, run_dir), watcher, fixed)
    nan = WatchForNaN(reaction, watcher, partial(dealt, how, len(digits.y_train), seed_everything))
    callbacks = [nan, kept.best, Recorder(record, run_dir)]
    if optimizer.decay != 1:
        callbacks.append(schedule(float(training.optimizer.learning_rate), optimizer.decay))
    callbacks += [watcher, kept] if watcher else [kept]
    begun = kept.restore(training) if resume else 0  # what it refuses leaves all as it was
    with filled(run_dir, record, resume=resume), says_why_it_stops(record, run_dir):
        those = (digits.x_train, wanted), how, range(begun, trainer.max_epochs), seed_everything
        record.durations["fit"] = in_epochs(training, callbacks, *those, kept.batches)
        network = load_model(kept.best.path) if kept.best.path.exists() else network
        score(network, digits, record, run_dir, watcher and watcher.guard, names)
    nan.end()
    return record


def _models(
    model: ModelConfig, optimizer: OptimizerConfig, digits: Digits, val_size: int, seed: int
) -> tuple[keras.Sequential, keras.Model]:
    """The network, and the model that trains it, augmentation included."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    network = build(model, digits.x_train[: len(digits.x_train) - val_size])
    training = augmented(network, layers(model.augmentation))
    compile_(training, optimizer, model)
    return network, training


def predict(
    model_file: Path, source: str, run_dir: Path, views: Sequence[str] = (), pixels: Pixels = "auto"
) -> RunRecord:
    """Score a saved model on the test images of `source` and on views of them.

    Raises:
        InputError: the model, the data or the run directory cannot be used.
    """
    names = chosen(views)
    network = load_model(model_file)
    digits = load_digits(source)
    network, fed = on_raw_digits(network, pixels, digits.x_train, digits.y_train)
    recipe = {
        "model_file": str(model_file),
        "data": {"source": source},
        "views": names,
        "pixels": fed,
    }
    record = described("predict", recipe, 0, digits, 0)
    guard = Guard(run_dir, "warn", trained=Symptoms.beside(model_file))
    with filled(run_dir, record):
        score(network, digits, record, run_dir, guard, names)
    return record


def loading(data: DataConfig, images: int) -> dict[str, Any]:
    """How Keras' `fit` is told to deal out that many images."""
    # Keras floors the size of the training part: half an image keeps rounding out of it.
    share = (validation_size(data, images) - 0.5) / images
    return {"batch_size": data.batch_size, "validation_split": share}


def validation_size(data: DataConfig, images: int) -> int:
    """Images kept for validation.

    Raises:
        InputError: none would be left for it or for training, or a batch would hold none.
    """
    val_size = round(images / 12) if data.val_size is None else data.val_size
    if data.batch_size < 1 or not 0 < val_size < images:
        raise InputError(
            f"batch_size {data.batch_size}, val_size {val_size}; expected a batch_size of at "
            f"least 1 and a val_size between 1 and {images - 1}"
        )
    return val_size
