"""What was measured of a network while it trained and answered: ``symptoms.json`` (numpy only).

Both sides fill it, `parity.watch.diagnosis` reads it.
"""

import contextlib
import dataclasses
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.run_record import RunRecordError, finite, written_whole
from parity.watch.fingerprint import Fingerprint

SYMPTOMS_FILE = "symptoms.json"
Weights = dict[str, NDArray[Any]]
"""By layer, each two-dimensional."""


@dataclass
class Layer:
    """One layer of weights, and the ReLU units that follow it.

    Attributes:
        name: Of the weights.
        initial_deviation: Standard deviation of the initial weights.
        change: Norm of the change that training made, relative to the initial norm.
        evaluated_change: The same of the weights that answered the test set.
        dead_at_start: Share of the units that were 0 for every image before training; None
            without ReLU.
        dead: The same, now.
    """

    name: str
    initial_deviation: float
    change: float = 0.0
    evaluated_change: float | None = None
    dead_at_start: float | None = None
    dead: float | None = None


@dataclass
class Symptoms:
    """What was measured; None where it was not, and, once saved, where it is not finite.

    Attributes:
        class_counts: Training images of each class.
        early_gap: By how much, within the first epoch, the accuracy on a training batch exceeded
            that on validation images, at most.
        raw: The raw training images.
        intended: What the recipe's preprocessing makes of them.
        trained_on: What the network was fed in training.
        seen: What it was fed when it answered the test set.
        optimizer: Name of its class.
        learning_rate: Highest of all epochs.
        epoch: Finished epochs.
        step: Updates of the weights.
        train_loss: Of the last epoch, in nats.
        train_accuracy: Of the last epoch.
        best_accuracy: Highest of all epochs, on validation images.
        layers: From input to output.
        repeat_difference: Largest difference between the logits of the same images, asked twice.
        readings: What each look at the validation images saw: epoch, step, the figures of
            `parity.watch.collapse.Reading`, and the share of dead units by layer.
        predicted_ever: Classes that were predicted in any of them.
        collapsed_at: Epoch and step at which the guard saw a collapse.
        signs: What it saw.
        causes: What it named, the likeliest first.
    """

    class_counts: list[int] | None = None
    early_gap: float | None = None
    raw: Fingerprint | None = None
    intended: Fingerprint | None = None
    trained_on: Fingerprint | None = None
    seen: Fingerprint | None = None
    optimizer: str = ""
    learning_rate: float | None = None
    epoch: int = 0
    step: int = 0
    train_loss: float | None = None
    train_accuracy: float | None = None
    best_accuracy: float | None = None
    layers: list[Layer] = field(default_factory=list)
    repeat_difference: float | None = None
    readings: list[dict[str, Any]] = field(default_factory=list)
    predicted_ever: list[int] = field(default_factory=list)
    collapsed_at: tuple[int, int] | None = None
    signs: list[str] = field(default_factory=list)
    causes: list[str] = field(default_factory=list)

    def save(self, run_dir: Path) -> None:
        """Write ``symptoms.json`` into `run_dir`."""
        with written_whole(run_dir / SYMPTOMS_FILE) as path:
            path.write_text(self.text(), encoding="utf-8")

    def text(self) -> str:
        """What ``symptoms.json`` holds."""
        return json.dumps(finite(dataclasses.asdict(self)), indent=2, allow_nan=False)

    @classmethod
    def load(cls, path: Path) -> "Symptoms":
        """Read a ``symptoms.json``.

        Raises:
            RunRecordError: the file is missing, is not JSON or has other keys.
        """
        try:
            return cls.parse(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise RunRecordError(f"{path}: cannot be read as symptoms ({error})") from error

    @classmethod
    def parse(cls, text: str) -> "Symptoms":
        """What `text` gave; other text raises whatever it comes to."""
        values: dict[str, Any] = json.loads(text)
        for name in ("raw", "intended", "trained_on", "seen"):
            if values[name] is not None:
                layout = tuple(values[name].pop("layout"))
                values[name] = Fingerprint(**values[name], layout=layout)
        values["layers"] = [Layer(**layer) for layer in values["layers"]]
        for layer in values["layers"]:
            layer.change = math.nan if layer.change is None else layer.change
        if values["collapsed_at"] is not None:
            epoch, step = values["collapsed_at"]
            values["collapsed_at"] = (epoch, step)
        return cls(**values)

    @classmethod
    def beside(cls, model_file: Path) -> "Symptoms | None":
        """Those of the training that wrote the model, in its folder or the one above, if any."""
        for folder in model_file.resolve().parents[:2]:
            with contextlib.suppress(RunRecordError):
                return cls.load(folder / SYMPTOMS_FILE)
        return None


def changes_of(weights: Weights, initial: Weights) -> dict[str, float]:
    """Norm of the change of each weight, relative to the initial norm (1 where that was 0)."""
    changes = {}
    with np.errstate(all="ignore"):  # weights may have run away
        for name, values in weights.items():
            norm = float(np.linalg.norm(initial[name]))
            changes[name] = float(np.linalg.norm(values - initial[name])) / (norm or 1.0)
    return changes
