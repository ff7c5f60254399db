"""What was measured of a network while it trained and answered: ``symptoms.json`` (numpy only).

Both sides fill it, `parity.watch.diagnosis` reads it.
"""

import contextlib
import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from parity.files import read_json
from parity.json_text import known
from parity.run_record import RunRecordError
from parity.watch.fingerprint import Fingerprint, intended
from parity.watch.reading import Reading
from parity.writing import written_whole

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

    @classmethod
    def before_training(cls, weights: Weights, dead: dict[str, float]) -> "list[Layer]":
        """Layers as they are before the first step; `dead` is the share of dead units by name."""
        return [
            cls(name, float(values.std()), dead_at_start=dead.get(name), dead=dead.get(name))
            for name, values in weights.items()
        ]


@dataclass
class Symptoms:
    """What was measured; None where it was not, and, once saved, where it is not finite.

    Attributes:
        class_counts: Training images of each class.
        validation_counts: Validation images of each class, of those that were looked at.
        early_gap: By how much, within the first epoch, the accuracy on a training batch exceeded
            that on validation images, at most.
        raw: The raw training images.
        intended: What the recipe's preprocessing makes of them.
        trained_on: What the network was fed in training.
        seen: What it was fed when it answered the test set.
        augmented: Whether training images are changed at random besides, which is in none of these.
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
    validation_counts: list[int] | None = None
    early_gap: float | None = None
    raw: Fingerprint | None = None
    intended: Fingerprint | None = None
    trained_on: Fingerprint | None = None
    seen: Fingerprint | None = None
    augmented: bool = False
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

    def see_training(
        self,
        raw: NDArray[Any] | None,
        preprocessing: dict[str, Any] | None,
        fed: NDArray[np.floating[Any]] | None,
    ) -> None:
        """Note training images [N, H, W], what the network should get of them, and what it gets."""
        if raw is not None:
            self.raw = Fingerprint.of(raw)
        if raw is not None and preprocessing is not None:
            self.intended = Fingerprint.of(intended(raw, preprocessing))
        if fed is not None:
            same = raw is not None and raw.dtype == fed.dtype and np.array_equal(raw, fed)
            self.trained_on = self.raw if same else Fingerprint.of(fed)

    def look(
        self,
        step: int,
        labels: NDArray[np.int64] | None,
        logits: NDArray[np.floating[Any]],
        dead: dict[str, float],
    ) -> Reading:
        """Note what the network answers after so many steps, and what is dead in it.

        Without labels only whether the answers are finite is read, and nothing is noted.
        """
        if labels is None:
            broken = (~np.isfinite(logits.reshape(len(logits), -1))).any(axis=1)
            return Reading(len(logits), int(broken.sum()))
        reading = Reading.of(labels, logits)
        noted = dataclasses.asdict(reading) | {"dead": dead}
        self.readings.append({"epoch": self.epoch, "step": step, **noted})
        predicted = np.union1d(self.predicted_ever, logits.argmax(axis=1))
        self.predicted_ever = predicted.astype(int).tolist()
        return reading

    def measure(
        self,
        weights: Weights,
        initial: Weights,
        dead: dict[str, float],
        learning_rate: float,
        train_loss: float,
    ) -> None:
        """Note how far training has come."""
        self.learning_rate = max(self.learning_rate or 0.0, learning_rate)
        self.train_loss = train_loss
        changes = changes_of(weights, initial)
        for layer in self.layers:
            layer.change = changes[layer.name]
            layer.dead = dead.get(layer.name)

    def note_gap(
        self, labels: NDArray[np.int64], logits: NDArray[np.floating[Any]], batch_accuracy: float
    ) -> None:
        """Note how much better a training batch is read, if classes are about as frequent in it."""
        trained = np.array(self.class_counts)
        some = np.bincount(labels, minlength=len(trained))
        if np.abs(trained / trained.sum() - some / some.sum()).sum() < 1:
            gap = batch_accuracy - float((logits.argmax(axis=1) == labels).mean())
            self.early_gap = max(self.early_gap or 0.0, gap)

    def note_validation(self, labels: NDArray[np.int64], logits: NDArray[np.floating[Any]]) -> None:
        """Note how well the validation images are read, and of which classes they are."""
        self.validation_counts = np.bincount(labels, minlength=logits.shape[1]).tolist()
        accuracy = float((logits.argmax(axis=1) == labels).mean())
        self.best_accuracy = max(self.best_accuracy or 0.0, accuracy)

    def save(self, run_dir: Path) -> None:
        """Write ``symptoms.json`` into `run_dir`."""
        with written_whole(run_dir / SYMPTOMS_FILE) as path:
            path.write_text(self.text(), encoding="utf-8")

    def text(self) -> str:
        """What ``symptoms.json`` holds."""
        compact = msgspec.json.encode(self, enc_hook=lambda number: number.item())  # NumPy's
        return msgspec.json.format(compact, indent=2).decode()

    @classmethod
    def load(cls, path: Path) -> "Symptoms":
        """Read a ``symptoms.json``.

        Raises:
            RunRecordError: the file is missing, is not JSON or has other keys or types.
        """
        try:
            return cls._of(read_json(path, dict[str, Any]))
        except (ValueError, TypeError, KeyError) as error:
            raise RunRecordError(f"{path}: cannot be read as symptoms ({error})") from error

    @classmethod
    def parse(cls, text: str) -> "Symptoms":
        """What `text` gave; other text raises whatever it comes to."""
        return cls._of(json.loads(text))

    @classmethod
    def _of(cls, values: dict[str, Any]) -> "Symptoms":
        if unknown := set(values) - {item.name for item in dataclasses.fields(cls)}:
            raise ValueError(f"unknown keys: {', '.join(sorted(unknown))[:200]}")
        for name in ("raw", "intended", "trained_on", "seen"):
            values[name] = values[name] and known(values[name])
        for layer in values["layers"]:
            layer["change"] = known(layer["change"])
        return msgspec.convert(values, cls)

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
