"""Training and prediction, from a configuration to a run directory."""

import dataclasses
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import yaml
from numpy.typing import NDArray

from keras_reference.answers import answers
from keras_reference.augmentation import augmented, layers
from keras_reference.callbacks import MODEL_FILE, BestModel, Recorder, says_why_it_stops
from keras_reference.cli import Pixels
from keras_reference.compilation import compile_, schedule, targets
from keras_reference.config import DataConfig, ModelConfig, OptimizerConfig, TrainerConfig
from keras_reference.data import Digits, load_digits
from keras_reference.errors import InputError
from keras_reference.guard import collapse_guard, look_at_test
from keras_reference.model_file import load_model, on_raw_digits
from keras_reference.network import build
from keras_reference.views import chosen, score_views
from parity.provenance import Provenance, versions_of
from parity.run_record import CONFIG_FILE, RECORD_FILE, RunRecord, written_whole
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
) -> RunRecord:
    """Train a model, keep the best epoch, score it on the test images and on views of them.

    Returns:
        The finished record, which `run_dir` holds too, with model and predictions.

    Raises:
        InputError: the data, a setting or the run directory cannot be used.
        CollapsedError: the network has collapsed, and the reaction is to stop.
    """
    names = chosen(views)
    digits = load_digits(data.source)
    val_size = validation_size(data, len(digits.y_train))
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed_everything)
    network = build(model, digits.x_train[: len(digits.x_train) - val_size])
    training = augmented(network, layers(model.augmentation))
    compile_(training, optimizer, model)
    recipe = _recipe(model=model, data=data, optimizer=optimizer, trainer=trainer)
    record = _open(run_dir, "fit", recipe | {"views": names}, seed_everything, digits, val_size)
    record.recipe["resolved_optimizer"] = training.optimizer.get_config()
    record.preprocessing = _preprocessing(model, network)
    guard = None if reaction == "off" else Guard(run_dir, reaction)
    callbacks = [BestModel(network, run_dir), Recorder(record, run_dir)]
    if optimizer.decay != 1:
        callbacks.append(schedule(float(training.optimizer.learning_rate), optimizer.decay))
    if guard is not None:
        callbacks.append(collapse_guard(guard, digits, record.preprocessing, val_size))
    training.summary()
    started = time.perf_counter()
    with says_why_it_stops(record, run_dir):
        training.fit(
            digits.x_train, targets(digits.y_train, model), epochs=trainer.max_epochs,
            callbacks=callbacks, **loading(data, len(digits.y_train)),
        )  # fmt: skip
        record.durations["fit"] = time.perf_counter() - started
        _score(load_model(run_dir / MODEL_FILE), digits, record, run_dir, guard, names)
    return record


def predict(
    model_file: Path,
    source: str,
    run_dir: Path,
    views: Sequence[str] = (),
    pixels: Pixels = "auto",
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
    record = _open(run_dir, "predict", recipe, 0, digits, 0)
    guard = Guard(run_dir, "warn", trained=Symptoms.beside(model_file))
    _score(network, digits, record, run_dir, guard, names)
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


def _standardisation(network: keras.Sequential) -> dict[str, float]:
    for layer in network.layers:
        if isinstance(layer, keras.layers.Normalization):
            mean, variance = float(np.mean(layer.mean)), float(np.mean(layer.variance))
            return {"mean": mean, "std": variance**0.5}
    return {"mean": 0.0, "std": 1.0}


def _recipe(**configs: Any) -> dict[str, Any]:
    """What the record says of the configurations, lists as JSON has them."""
    recipe = {name: dataclasses.asdict(config) for name, config in configs.items()}
    recipe["model"]["hidden"] = list(recipe["model"]["hidden"])
    return recipe


def _preprocessing(model: ModelConfig, network: keras.Sequential) -> dict[str, Any]:
    own = {"scale": "x / 255", "invert": model.invert, "standardize": model.standardize}
    return own | _standardisation(network)


def _open(
    run_dir: Path, command: str, recipe: dict[str, Any], seed: int, digits: Digits, val_size: int
) -> RunRecord:
    """Make the run directory and leave the record of a run that has not finished."""
    if (run_dir / RECORD_FILE).exists():
        raise InputError(f"--run_dir {run_dir}: holds another run; choose a new folder")
    record = RunRecord(
        framework="keras",
        command=command,
        versions=versions_of("tensorflow", "keras", "numpy"),
        recipe=dict(recipe),
        seed=seed,
        data=digits.describe(val_size),
        preprocessing={},
        provenance=Provenance.here(),
    )
    try:
        with written_whole(run_dir / CONFIG_FILE) as path:
            path.write_text(yaml.safe_dump({"seed_everything": seed, **recipe}), encoding="utf-8")
        record.save(run_dir)
    except OSError as error:
        raise InputError(f"--run_dir {run_dir}: cannot be written ({error})") from error
    return record


def _score(
    network: keras.Model,
    digits: Digits,
    record: RunRecord,
    run_dir: Path,
    guard: Guard | None,
    views: list[str],
) -> None:
    """Write the predictions, those of views too, and the finished record."""
    started = time.perf_counter()
    logits = record.command == "fit"  # what it trains gives no others
    predictions = answers(network, digits.x_test, digits.y_test, logits=logits)
    record.durations["test"] = time.perf_counter() - started
    predictions.save(run_dir)
    if guard is not None:
        look_at_test(guard, network, digits, predictions)
    record.metrics = _metrics(predictions.predicted, digits.y_test)
    if views:
        scores = score_views(
            partial(answers, network, logits=logits), digits.x_test, digits.y_test, views, run_dir
        )
        record.metrics["views"] = scores
    record.finished = True
    record.save(run_dir)


def _metrics(predicted: NDArray[np.int64], labels: NDArray[np.int64]) -> dict[str, Any]:
    right = predicted == labels
    of_class = [right[labels == c] for c in range(10)]
    return {
        "accuracy": float(right.mean()),
        "images": len(labels),
        "recall": [float(found.mean()) if len(found) else None for found in of_class],
        "predicted_share": [float((predicted == c).mean()) for c in range(10)],
    }
