"""What the diagnosis is asked in its tests: answers, symptoms, and what a rule is tested on."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.watch.diagnosis import Case
from parity.watch.fingerprint import Fingerprint
from parity.watch.symptoms import Layer, Symptoms
from tests.conftest import embedded_digits

DIGITS = embedded_digits()
EXPECTED = (DIGITS.train_images / 255).astype(np.float32)
OTHERS = (DIGITS.test_images / 255).astype(np.float32)
RNG = np.random.default_rng(0)
LABELS = np.arange(1000) % 10


def logits_for(predicted: np.ndarray, classes: int = 10) -> np.ndarray:
    """What a network would say that is sure of these answers."""
    noise = np.random.default_rng(0).normal(0, 0.5, (len(predicted), classes))
    return np.asarray(6 * np.eye(classes)[predicted] + noise - 2, np.float32)


def misread(labels: np.ndarray, share: float, classes: int = 10) -> np.ndarray:
    """The labels with a share of them changed to any other class."""
    rng = np.random.default_rng(1)
    other = (labels + rng.integers(1, classes, len(labels))) % classes
    return np.asarray(np.where(rng.random(len(labels)) < share, other, labels))


def renamed(**new_names: int) -> np.ndarray:
    """A good model's logits, where class "c4" is called by another name."""
    table = np.arange(10)
    for name, new in new_names.items():
        table[int(name[1:])] = new
    return logits_for(table[misread(LABELS, 0.04)])


def with_one(logits: np.ndarray, value: float) -> np.ndarray:
    logits = logits.copy()
    logits[5, 5] = value
    return logits


GOOD = logits_for(misread(LABELS, 0.04))
CHANCE = RNG.normal(0, 0.5, (1000, 10)).astype(np.float32)
AWFUL = 30 * CHANCE
"""As often right as by chance, and very sure of it."""
FREQUENCIES = np.log(np.full(10, 0.1)) + RNG.normal(0, 1e-3, (1000, 10))
FREQUENCIES_OF_1 = FREQUENCIES + 0.02 * np.eye(10)[1]
"""The same, where class 1 is a little more frequent: it is answered always."""
SHUFFLED_LABELS = np.random.default_rng(8).permutation(LABELS)
CERTAIN = logits_for(SHUFFLED_LABELS)
UNSURE = 2.5 * np.eye(10)[LABELS] + np.random.default_rng(9).normal(0, 0.2, (1000, 10))
"""Answers with a confidence of 0.57."""
SMALLEST = np.eye(10)[GOOD.argmin(axis=1)] - 0.5
"""The classes with the smallest scores."""
SOFTMAX = np.exp(GOOD) / np.exp(GOOD).sum(axis=1, keepdims=True)
SIGMOID = 1 / (1 + np.exp(-GOOD))
TWICE = np.exp(SOFTMAX) / np.exp(SOFTMAX).sum(axis=1, keepdims=True)
"""The softmax of a softmax."""


SCALED_TWICE, AS_INTENDED = Fingerprint.of(EXPECTED / 255), Fingerprint.of(EXPECTED)


def layers(**second: Any) -> list[Layer]:
    """Two sound layers, the second one changed."""
    sound_layer = Layer("0.weight", 0.04, 0.6, 0.6, dead_at_start=0.0, dead=0.02)
    return [sound_layer, dataclasses.replace(sound_layer, name="2.weight", **second)]


HEALTHY = Symptoms(
    class_counts=[120, 130] * 5,
    early_gap=0.2,
    raw=Fingerprint.of(DIGITS.train_images),
    intended=Fingerprint.of(DIGITS.train_images / 255),
    trained_on=AS_INTENDED,
    seen=Fingerprint.of(OTHERS),
    optimizer="Adam",
    learning_rate=0.001,
    epoch=5,
    step=200,
    train_loss=0.1,
    train_accuracy=0.97,
    best_accuracy=0.96,
    layers=layers(),
    repeat_difference=0.0,
)
"""What is measured in a healthy training of five epochs."""


def sound(**changes: Any) -> Symptoms:
    """A healthy training, changed."""
    return dataclasses.replace(HEALTHY, **changes)


def case(logits: np.ndarray = GOOD, labels: np.ndarray | None = LABELS, **changes: Any) -> Case:
    return Case(logits, labels, sound(**changes))


def learned_nothing(
    logits: np.ndarray = CHANCE, labels: np.ndarray = LABELS, **changes: Any
) -> Case:
    """A network at chance from the first epoch to the last."""
    known = {"best_accuracy": 0.12, "train_accuracy": 0.11, "train_loss": 2.3}
    return case(logits, labels, **(known | changes))


@dataclass(frozen=True)
class Row:
    """A rule, what sets it off, what it then says, and what just does not set it off.

    Attributes:
        rule: Its name.
        ill: Which it must speak on, before all others.
        cause: Part of what is named.
        figures: Part of the figures.
        near: On which it must be silent.
    """

    rule: str
    ill: Case
    cause: str
    figures: str
    near: Case


def course(*losses: float) -> list[dict[str, Any]]:
    """Looks at the validation images, at which nothing but the loss changed."""
    return [{"broken": 0 if np.isfinite(loss) else 9, "loss": loss, "gain": 0.0} for loss in losses]


RISING = course(2.4, 2.9, 4.1, 11, 60, 700)
UNEVEN = np.where(np.arange(1000) < 920, 1, LABELS)
"""Labels of which 92 % are class 1."""
LEANING = logits_for(np.where(np.random.default_rng(4).random(1000) < 0.35, 1, LABELS))
"""A model that was trained on such labels: what it doubts is a 1."""
COLUMNS = np.exp(GOOD) / np.exp(GOOD).sum(axis=0)
VAGUE = RNG.normal(0, 0.15, (1000, 10)) + np.linspace(-0.6, 0.6, 10)
"""What an untrained network says: little, and its own."""
SQUASHED_LOSS: dict[str, Any] = {"train_loss": 1.53, "train_accuracy": 0.96}

VALIDATED_WORSE = case(
    logits_for(misread(LABELS, 0.1)), best_accuracy=0.6, validation_counts=[20] * 10
)
