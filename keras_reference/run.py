"""The run directory of the reference: what a run says of itself, and of the test images."""

import dataclasses
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import yaml
from numpy.typing import NDArray

from keras_reference.answers import answers
from keras_reference.config import ModelConfig
from keras_reference.data import Digits
from keras_reference.errors import InputError
from keras_reference.guard import look_at_test
from keras_reference.views import score_views
from parity.claims import Claim, ClaimedError, sweep
from parity.files import said_of
from parity.provenance import Provenance, versions_of
from parity.run_record import CONFIG_FILE, RECORD_FILE, VIEWS_FOLDER, RunRecord
from parity.signals import StoppedError, ending_at_once
from parity.watch.guard import Guard
from parity.writing import write_file


def _standardisation(network: keras.Sequential) -> dict[str, float]:
    for layer in network.layers:
        if isinstance(layer, keras.layers.Normalization):
            mean, variance = float(np.mean(layer.mean)), float(np.mean(layer.variance))
            return {"mean": mean, "std": variance**0.5}
    return {"mean": 0.0, "std": 1.0}


def recipe_of(**configs: Any) -> dict[str, Any]:
    """What the record says of the configurations, lists as JSON has them."""
    recipe = {name: dataclasses.asdict(config) for name, config in configs.items()}
    recipe["model"]["hidden"] = list(recipe["model"]["hidden"])
    return recipe


def preprocessing_of(model: ModelConfig, network: keras.Sequential) -> dict[str, Any]:
    """What the record says of what is done between pixels and network."""
    own = {"scale": "x / 255", "invert": model.invert, "standardize": model.standardize}
    return own | _standardisation(network)


def described(
    command: str, recipe: dict[str, Any], seed: int, digits: Digits, val_size: int
) -> RunRecord:
    """The record of a run that has not begun."""
    return RunRecord(
        framework="keras",
        command=command,
        versions=versions_of("tensorflow", "keras", "numpy"),
        recipe=dict(recipe),
        seed=seed,
        data=digits.describe(val_size),
        preprocessing={},
        provenance=Provenance.here(),
    )


@contextmanager
def filled(run_dir: Path, record: RunRecord, *, resume: bool = False) -> Iterator[None]:
    """Claim the run directory, and leave the record of a run that has not finished.

    Where a signal or the machine ends a training, it says how to go on.

    Raises:
        InputError: it holds another run, another process fills it, or it cannot be written.
    """
    if (run_dir / RECORD_FILE).exists() and not resume:
        raise InputError(f"--run_dir {run_dir}: holds another run; choose a new folder")
    claim = Claim(run_dir)
    try:
        claim.take()
        sweep(run_dir, run_dir / VIEWS_FOLDER)
        recipe = {k: v for k, v in record.recipe.items() if k != "resolved_optimizer"}
        config = yaml.safe_dump({"seed_everything": record.seed, **recipe})
        write_file(run_dir / CONFIG_FILE, config)
        record.save(run_dir)
    except ClaimedError as error:
        raise InputError(f"--run_dir {error}; wait for it, or choose a new folder") from None
    except OSError as error:
        claim.release()
        raise InputError(f"--run_dir {run_dir}: cannot be written ({error})") from error
    advice = f"; to go on: python -m keras_reference fit --resume {shlex.quote(str(run_dir))}"
    try:
        with ending_at_once():
            yield
    except StoppedError as error:
        error.advice = advice if record.command == "fit" else ""
        raise
    except OSError as error:
        if record.command != "fit":
            raise
        print(file=sys.stderr)  # after Keras' bar
        mended = "what was written before is whole, and the rest can be once that is mended"
        raise InputError(f"{said_of(error)}; {mended}{advice}") from error
    finally:
        claim.release()


def score(
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
        record.metrics["views"] = [vars(score) for score in scores]
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
