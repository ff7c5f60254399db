"""The diagnosis: each cause is named where its figures are, and nowhere else."""

import dataclasses
import json
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.run_record import RunRecordError
from parity.watch.diagnosis import RULES, Case, diagnose, unexplained
from parity.watch.diagnosis.rule import EVIDENCE, SCORES
from parity.watch.diagnosis.rule import LABELS as LABELS_KNOWN
from parity.watch.fingerprint import Fingerprint
from parity.watch.symptoms import SYMPTOMS_FILE, Layer, Symptoms
from tests.conftest import ROOT, embedded_digits

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
ROWS = {
    "training pixels": Row(
        "training pixels",
        case(trained_on=Fingerprint.of(EXPECTED * 255), seen=Fingerprint.of(OTHERS * 255)),
        "in training, the pixels were not scaled",
        "fed 0 to 255, mean 40.3, paper 0 where the recipe's preprocessing gives 0 to 1",
        case(trained_on=Fingerprint.of(OTHERS)),
    ),
    "masks of 0 and 1": Row(
        "raw range",
        case(
            raw=Fingerprint.of((EXPECTED > 0.5).astype(np.uint8)),
            intended=Fingerprint.of((EXPECTED > 0.5) / 255),
            trained_on=Fingerprint.of((EXPECTED > 0.5) / 255),
            seen=Fingerprint.of((OTHERS > 0.5) / 255),
        ),
        "the file's pixels are 0 to 1: already scaled, and divided by 255 again",
        "they go from 0 to 1, and the network was fed 0 to 0.00392",
        case(raw=Fingerprint.of((EXPECTED > 0.5).astype(np.uint8) * 255)),
    ),
    "levels 0 to 16, which are standardised": Row(
        "raw range",
        case(
            raw=Fingerprint.of((EXPECTED * 16).round().astype(np.uint8)),
            intended=Fingerprint.of((EXPECTED * 16).round() / 255),
            trained_on=Fingerprint.of((EXPECTED * 16).round() / 255),
            seen=None,
        ),
        "the file's pixels are 0 to 16, not 0 to 255, and divided by 255",
        "the network was fed 0 to 0.0627",
        case(raw=Fingerprint.of((EXPECTED * 16).round().astype(np.uint8))),
    ),
    "blank file": Row(
        "raw range",
        case(raw=Fingerprint.of(np.zeros((9, 28, 28), np.uint8)), intended=None),
        "the training images are blank",
        "every pixel of the file is 0",
        case(),
    ),
    "test pixels": Row(
        "test pixels",
        case(seen=Fingerprint.of(1 - OTHERS)),
        "the pixels were inverted: ink and paper have changed places since training",
        "trained on 0 to 1, mean 0.158, paper 0 and is fed 0 to 1, mean 0.8",
        case(trained_on=Fingerprint.of(1 - EXPECTED), seen=Fingerprint.of(1 - OTHERS)),
    ),
    "a class is missing": Row(
        "missing classes",
        case(class_counts=[100] * 7 + [0, 100, 0]),
        "training images of some classes are missing",
        "classes 7, 9 occur in the test set, and 8 of 10 in training",
        case(class_counts=[100] * 7 + [1, 100, 1]),
    ),
    "a class is missing in the test set too": Row(
        "missing classes",
        case(class_counts=[100] * 9 + [0]),
        "training images of some classes are missing",
        "classes 9 occur",
        case(logits_for(LABELS % 9), LABELS % 9, class_counts=[100] * 9 + [0]),
    ),
    "other shares of the classes": Row(
        "class shares",
        case(
            LEANING, class_counts=[20, 2000, *[20] * 8], best_accuracy=0.965,
            validation_counts=[2, 178, *[2] * 8],
        ),
        "the classes are not as frequent in training as in the test set",
        "92% of the training labels are class 1, 10% of the test's; with each class read as",
        case(
            LEANING, class_counts=[100] * 10, best_accuracy=0.965, validation_counts=[20] * 10
        ),
    ),
    "shares that do not explain it": Row(
        "class shares",
        case(
            LEANING, class_counts=[20, 2000, *[20] * 8], best_accuracy=0.965,
            validation_counts=[2, 178, *[2] * 8],
        ),
        "the classes are not as frequent in training",
        "96.5% of them were",
        case(
            logits_for(misread(LABELS, 0.5)), class_counts=[20, 2000, *[20] * 8],
            best_accuracy=0.965, validation_counts=[2, 178, *[2] * 8],
        ),
    ),
    "validation of other classes": Row(
        "validation classes",
        learned_nothing(validation_counts=[0] * 9 + [99]),
        "the validation images are of other classes than the training images",
        "10% of the training labels are class 9, 100% of the validation labels",
        learned_nothing(validation_counts=[9] * 10),
    ),
    "sorted": Row(
        "sorted training",
        learned_nothing(FREQUENCIES, early_gap=0.55),
        "sorted by class",
        "right on 55% more of a training batch",
        learned_nothing(FREQUENCIES, early_gap=0.49),
    ),
    "sorted, and well all the same": Row(
        "sorted training",
        learned_nothing(FREQUENCIES, early_gap=0.55),
        "sorted by class",
        "right on 55% more",
        case(early_gap=0.6),  # moving averages of batch normalisation lag behind, for example
    ),
    "rate of zero": Row(
        "rate of zero",
        learned_nothing(learning_rate=0, layers=layers(change=0.0)),
        "the learning rate is zero",
        "200 steps at a rate of 0",
        learned_nothing(learning_rate=1e-9),
    ),
    "zero weights": Row(
        "zero weights",
        learned_nothing(layers=layers(initial_deviation=0.0, dead_at_start=1.0, dead=1.0)),
        "initial weights are all the same",
        "2.weight started with a standard deviation of 0",
        learned_nothing(layers=layers(initial_deviation=1e-6)),
    ),
    "a last layer of zeros, which learns": Row(
        "zero weights",
        learned_nothing(layers=layers(initial_deviation=0.0)),
        "initial weights are all the same",
        "2.weight started",
        case(layers=layers(initial_deviation=0.0)),
    ),
    "dead at the start": Row(
        "dead at start",
        learned_nothing(layers=layers(dead_at_start=0.9, dead=1.0, change=0.0)),
        "dead from the start",
        "units after 2.weight were 0 for every image before the first step",
        learned_nothing(layers=layers(dead_at_start=0.89)),
    ),
    "frozen": Row(
        "frozen",
        learned_nothing(layers=layers(change=0.0, evaluated_change=0.0)),
        "weights are never updated",
        "2.weight is what it was 200 steps ago",
        learned_nothing(layers=layers(change=1e-9)),
    ),
    "all layers frozen": Row(
        "frozen",
        learned_nothing(layers=[Layer("a", 0.1), Layer("b", 0.1)]),
        "weights are never updated",
        "a, b are what they were 200 steps ago",
        learned_nothing(layers=[Layer("a", 0.1), Layer("b", 0.1)], step=0),
    ),
    "frozen on purpose": Row(
        "frozen",
        learned_nothing(layers=layers(change=0.0, evaluated_change=0.0)),
        "weights are never updated",
        "2.weight is what it was",
        case(layers=layers(change=0.0, evaluated_change=0.0)),
    ),
    "initial weights tested": Row(
        "stale",
        case(CHANCE, layers=layers(evaluated_change=0.0)),
        "stale weights",
        "the weights that answered are the initial ones",
        case(CHANCE, layers=layers(evaluated_change=0.1)),
    ),
    "dropout on": Row(
        "not repeatable",
        case(repeat_difference=0.5),
        "dropout was left on",
        "logits that differ by up to 0.5",
        case(repeat_difference=1e-3),
    ),
    "rounding of huge logits": Row(
        "not repeatable",
        case(repeat_difference=0.5),
        "dropout was left on",
        "logits that differ by up to 0.5",
        case(1e4 * GOOD, repeat_difference=0.5),
    ),
    "softmax": Row(
        "squashed",
        case(SOFTMAX, **SQUASHED_LOSS),
        "softmax is applied twice",
        "the training loss of 1.53 is that of taking them for logits",
        case(SOFTMAX, train_loss=0.2, train_accuracy=0.96),
    ),
    "sigmoid": Row(
        "squashed",
        case(SIGMOID, **SQUASHED_LOSS),
        "sigmoid is applied twice",
        "the logits lie between 0.0",
        case(with_one(SIGMOID, 1.001), **SQUASHED_LOSS),
    ),
    "softmax over the batch": Row(
        "softmax over the batch",
        Case(COLUMNS, LABELS),
        "the softmax was taken over the images of a batch",
        "each column adds up to 1, and the rows to",
        Case(with_one(COLUMNS, 0.1), LABELS),
    ),
    "softmax over several batches": Row(
        "softmax over the batch",
        Case(np.concatenate([p / p.sum(axis=0) for p in np.exp(GOOD).reshape(8, 125, 10)]), LABELS),
        "the softmax was taken over the images of a batch",
        "each column adds up to 8, once for each of 8 batches",
        Case(SOFTMAX, LABELS),
    ),
    "softmax of a softmax": Row(
        "doubled",
        Case(TWICE, LABELS),
        "softmax is applied twice to the answers",
        "96.1% are right, with a mean confidence of 2",
        Case(SOFTMAX, LABELS),
    ),
    "softmax of a softmax, as logarithms": Row(
        "doubled",
        Case(np.log(TWICE), LABELS),
        "softmax is applied twice to the answers",
        "undone once, every row is again between 0 and 1, with one of 9",
        Case(0.1 * GOOD, LABELS),  # merely unsure
    ),
    "distances": Row(
        "negated",
        Case(-GOOD, LABELS),
        "the smallest score names the class: the scores' sign is wrong",
        "right by the largest score, 96.1% by the smallest",
        Case(-renamed(c4=9, c9=4)[:, ::-1], LABELS),
    ),
    "the least likely class": Row(
        "negated",
        Case(SMALLEST, LABELS, classes_only=True),
        "the true class is avoided: the least likely one is answered (argmin for argmax)",
        "are right, where 1",
        Case(np.roll(SMALLEST, 1, axis=0), LABELS, classes_only=True),
    ),
    "ReLU": Row(
        "rectified",
        case(GOOD.clip(min=0)),
        "ReLU is applied to the logits",
        "none is negative, and ",
        case(with_one(GOOD.clip(min=0), -1e-3)),
    ),
    "ReLU that cuts little": Row(
        "rectified",
        case(np.where(np.arange(10_000).reshape(1000, 10) % 40, 3 + GOOD.clip(min=-2), 0)),
        "ReLU is applied to the logits",
        "2.5% of them are exactly 0",
        case(np.where(np.arange(10_000).reshape(1000, 10) % 60, 3 + GOOD.clip(min=-2), 0)),
    ),
    "votes of a hundred trees": Row(
        "rectified",
        case(GOOD.clip(min=0)),
        "ReLU is applied to the logits",
        "none is negative, and ",
        Case(100.0 * np.eye(10)[misread(LABELS, 0.04)], LABELS),
    ),
    "labels plus one": Row(
        "permuted",
        case(logits_for((misread(LABELS, 0.04) + 1) % 10)),
        "labels are shifted by 1",
        "once the answers are renamed",
        case(renamed(c3=4)),  # both are called 4: no renaming mends it
    ),
    "two classes swapped": Row(
        "permuted",
        case(renamed(c4=9, c9=4)),
        "classes 4 and 9 are swapped",
        "% right as they are, 9",
        case(logits_for(np.where(RNG.random(1000) < 0.4, renamed(c4=9, c9=4).argmax(1), LABELS))),
    ),
    "three classes in a ring": Row(
        "permuted",
        case(renamed(c1=5, c5=8, c8=1)),
        "classes 1, 5, 8 are permuted",
        "% right as they are, 9",
        case(logits_for((misread(LABELS, 0.6) + 1) % 10)),
    ),
    "four images of two classes, all wrong": Row(
        "permuted",
        case(renamed(c4=9, c9=4)),
        "classes 4 and 9 are swapped",
        "% right as they are",
        Case(logits_for(np.array([1, 0, 1, 0]), 2), np.array([0, 1, 0, 1])),
    ),
    "labels that have slipped": Row(
        "misaligned",
        Case(logits_for(np.roll(SHUFFLED_LABELS, 3)), SHUFFLED_LABELS),
        "the answers belong to other images than the labels",
        "% are right as they stand, 100.0% once the answers are read as given 3 rows late",
        Case(logits_for(misread(SHUFFLED_LABELS, 0.9)), SHUFFLED_LABELS),
    ),
    "labels in reversed order": Row(
        "misaligned",
        Case(logits_for(SHUFFLED_LABELS[::-1]), SHUFFLED_LABELS),
        "the answers belong to other images than the labels",
        "in reversed order",
        Case(logits_for(SHUFFLED_LABELS), SHUFFLED_LABELS),
    ),
    "late from a row on": Row(
        "misaligned",
        Case(np.insert(CERTAIN[:-3], 300, CERTAIN[:3] + 1, axis=0), SHUFFLED_LABELS),
        "the answers belong to other images than the labels",
        "3 rows late from row 30",
        Case(logits_for(np.r_[SHUFFLED_LABELS[:300], 0 * LABELS[300:]]), SHUFFLED_LABELS),
    ),
    "one process after the other": Row(
        "misaligned",
        Case(np.concatenate([CERTAIN[n::3] for n in range(3)]), SHUFFLED_LABELS),
        "the answers belong to other images than the labels",
        "by 3 processes, one after the other",
        Case(logits_for(misread(SHUFFLED_LABELS, 0.7)), SHUFFLED_LABELS),
    ),
    "sorted as text": Row(
        "misaligned",
        Case(CERTAIN[sorted(range(len(CERTAIN)), key=str)], SHUFFLED_LABELS),
        "the answers belong to other images than the labels",
        "as given sorted as text: 1, 10, 100, 2",
        Case(logits_for(misread(SHUFFLED_LABELS, 0.8)), SHUFFLED_LABELS),
    ),
    "sorted answers": Row(
        "misaligned",
        Case(CERTAIN[SHUFFLED_LABELS.argsort()], SHUFFLED_LABELS),
        "the answers belong to other images than the labels",
        "as given sorted by class",
        Case(CERTAIN[SHUFFLED_LABELS.argsort()], np.sort(SHUFFLED_LABELS)),
    ),
    "a batch twice": Row(
        "repeated",
        Case(np.concatenate([CERTAIN[:96], CERTAIN[32:96], CERTAIN[160:]]), SHUFFLED_LABELS),
        "answers of one batch stand where those of others should",
        "rows 96 to 159 hold, bit by bit, what rows 32 to 95 hold",
        Case(np.tile(CERTAIN, (2, 1)), np.tile(SHUFFLED_LABELS, 2)),  # so do the images
    ),
    "no last batch": Row(
        "unfilled",
        Case(CERTAIN * (np.arange(1000) < 960)[:, None], SHUFFLED_LABELS),
        "rows of answers were never filled",
        "in rows 960 to 999 of 999 all classes have the same score, 0, and nowhere else",
        Case(CERTAIN * (np.arange(1000) % 25 > 0)[:, None], SHUFFLED_LABELS),
    ),
    "a column that is always the same": Row(
        "mute",
        case(np.where(np.arange(10) == 4, -3, GOOD)),
        "the score of class 4 is the same for every image",
        "-3 each time, and 9 other classes have scores that differ; 100 images are of it",
        case(np.where(np.arange(10) == 4, -3, GOOD).round(1)),
    ),
    "cut scores": Row(
        "clipped",
        case((GOOD + 2).clip(-0.3, 0.3)),
        "the scores are cut to -0.3 to 0.3",
        "of the images have two classes or more at exactly 0.3, of which the first is answered",
        case(GOOD.round().clip(-1, 1)),
    ),
    "labels in any order": Row(
        "shuffled",
        Case(logits_for(np.random.default_rng(9).permutation(SHUFFLED_LABELS)), SHUFFLED_LABELS),
        "the answers belong to other images than the labels",
        "each class is answered as often as it occurs, with a mean confidence of 9",
        Case(logits_for(misread(SHUFFLED_LABELS, 0.7)), SHUFFLED_LABELS),
    ),
    "rate too high": Row(
        "rate too high",
        learned_nothing(AWFUL, learning_rate=3.0),
        "the learning rate is too high",
        "Adam at 3 has come to a loss of ",
        case(learning_rate=3.0),
    ),
    "rate too high, not finite": Row(
        "rate too high",
        learned_nothing(AWFUL * np.nan, learning_rate=0.1),
        "the learning rate is too high",
        "Adam at 0.1 has come to logits that are not finite",
        learned_nothing(AWFUL, learning_rate=0.1, optimizer="SGD"),
    ),
    "rate too high, and weak for another reason": Row(
        "rate too high",
        learned_nothing(layers=layers(dead=0.95), learning_rate=0.1),
        "the learning rate is too high",
        "Adam at 0.1 has come to dead units",
        case(logits_for(misread(LABELS, 0.6)), best_accuracy=0.42, learning_rate=0.1),
    ),
    "rate too low": Row(
        "rate too low",
        learned_nothing(learning_rate=1e-6, layers=[Layer("a", 0.1, 0.004), Layer("b", 0.1, 1e-5)]),
        "the learning rate is too low, or training too short",
        "200 steps at 1e-06 changed the weights by 0.004 of their norm at most",
        learned_nothing(learning_rate=1e-6, layers=[Layer("a", 0.1, 0.02), Layer("b", 0.1, 1e-5)]),
    ),
    "good with little training": Row(
        "rate too low",
        learned_nothing(layers=[Layer("a", 0.1, 0.004)]),
        "the learning rate is too low, or training too short",
        "changed the weights by 0.004 of their norm",
        case(layers=[Layer("a", 0.1, 0.004)]),
    ),
    "nine steps": Row(
        "rate too low",
        learned_nothing(FREQUENCIES, step=9, layers=[Layer("a", 0.1, 1e-5)]),
        "the learning rate is too low, or training too short",
        "9 steps at 0.001",
        learned_nothing(FREQUENCIES, step=9, layers=[Layer("a", 0.1, 0.004)]),
    ),
    "uphill": Row(
        "uphill",
        learned_nothing(AWFUL, train_loss=50.0, readings=RISING),
        "the loss is driven up",
        "the loss rose at every look: 2.9, 4.1, 11, 60, 700; knowing nothing costs 2.3",
        learned_nothing(AWFUL, train_loss=50.0, readings=course(2.4, 700, 60, 11, 12, 13)),
    ),
    "uphill to infinity": Row(
        "uphill",
        learned_nothing(AWFUL * np.nan, readings=[*RISING, *course(np.nan)]),
        "the loss is driven up",
        "the loss rose at every look",
        learned_nothing(AWFUL, train_loss=50.0, readings=RISING[:4]),  # too few looks
    ),
    "wrong labels": Row(
        "wrong labels",
        VALIDATED_WORSE,
        "labels of the training file are wrong in part",
        "60.0% were right at best; with each class read as in the test set, 90.9% would have been",
        case(
            logits_for(misread(LABELS, 0.1)), best_accuracy=0.8, validation_counts=[20] * 10
        ),
    ),
    "validated long before": Row(
        "wrong labels",
        VALIDATED_WORSE,
        "labels of the training file are wrong in part",
        "60.0% were right at best",
        case(
            logits_for(misread(LABELS, 0.1)), best_accuracy=0.6, validation_counts=[20] * 10,
            readings=[look | {"step": 50} for look in course(1.0)],
        ),
    ),
    "a class that the test does not ask for": Row(
        "wrong labels",
        VALIDATED_WORSE,
        "labels of the training file are wrong in part",
        "60.0% were right at best",
        case(
            logits_for(np.where(LABELS == 3, 2, LABELS)), np.where(LABELS == 3, 2, LABELS),
            best_accuracy=0.6, validation_counts=[20] * 10,
        ),
    ),
    "one image": Row(
        "raw range",
        learned_nothing(raw=Fingerprint.of(np.repeat(DIGITS.train_images[:1], 9, axis=0))),
        "the training images are all the same",
        "9 of them, from all over the file, do not differ",
        learned_nothing(raw=Fingerprint.of(DIGITS.train_images[:2])),
    ),
    "labels, where one class was nearly all": Row(
        "unrelated labels",
        learned_nothing(),
        "the labels have nothing to do with the images",
        "no better than the class frequencies'",
        learned_nothing(class_counts=[10, 1900, *[10] * 8], best_accuracy=0.956),
    ),
    "shuffled, as sure as in training": Row(
        "shuffled",
        case(UNSURE, SHUFFLED_LABELS, best_accuracy=0.75),
        "the answers belong to other images",
        "as many as by chance",
        Case(UNSURE, SHUFFLED_LABELS),
    ),
    "unrelated labels": Row(
        "unrelated labels",
        learned_nothing(),
        "the labels have nothing to do with the images",
        "200 steps changed the weights by 0.6 of their norm, and the answers depend on",
        learned_nothing(best_accuracy=0.4),
    ),
    "labels, or augmentation": Row(
        "unrelated labels",
        learned_nothing(augmented=True),
        "nothing to do with what the network is fed: shuffled, misaligned, or augmentation leaves",
        "no better than the class frequencies'",
        learned_nothing(augmented=True, best_accuracy=0.4),
    ),
    "weights that did not move": Row(
        "unrelated labels",
        learned_nothing(),
        "the labels have nothing to do with the images",
        "no better than the class frequencies'",
        learned_nothing(layers=[Layer("a", 0.1, 0.03)]),
    ),
    "answers that do not depend on the image": Row(
        "unrelated labels",
        learned_nothing(),
        "the labels have nothing to do with the images",
        "no better than the class frequencies'",
        learned_nothing(FREQUENCIES),
    ),
    "nine steps, and nothing learned yet": Row(
        "unrelated labels",
        learned_nothing(),
        "the labels have nothing to do with the images",
        "no better than the class frequencies'",
        learned_nothing(step=9),
    ),
    "ten images are too few to be sure": Row(
        "unrelated labels",
        learned_nothing(),
        "the labels have nothing to do with the images",
        "no better than the class frequencies'",
        learned_nothing(CHANCE[:10], LABELS[:10]),
    ),
    "not finite": Row(
        "not finite",
        learned_nothing(GOOD * np.nan),
        "the network has diverged: its logits are not finite",
        "those of 100.0% of the images",
        case(with_one(GOOD, 1e30)),
    ),
    "one row of a thousand": Row(
        "not finite",
        case(with_one(GOOD, np.inf)),
        "some images are answered with values that are not finite",
        "1 of 1,000, in rows 5; the network is not broken as a whole",
        case(GOOD),
    ),
    "dead": Row(
        "dead",
        learned_nothing(best_accuracy=0.25, layers=layers(dead=0.9)),
        "dead ReLUs",
        "90% after 2.weight",
        learned_nothing(best_accuracy=0.25, layers=layers(dead=0.89)),
    ),
    "dead, and well all the same": Row(
        "dead",
        learned_nothing(FREQUENCIES, layers=layers(dead=1.0)),
        "dead ReLUs",
        "100% after 2.weight",
        case(layers=layers(dead=1.0)),
    ),
    "untrained": Row(
        "untrained",
        Case(VAGUE, LABELS),
        "the weights look initial: an untrained network answers so",
        "accuracy 1",
        learned_nothing(VAGUE),  # these were trained
    ),
    "vague, and better than chance": Row(
        "untrained",
        Case(VAGUE, LABELS),
        "the weights look initial",
        "a mean confidence of 1",
        Case(VAGUE + 0.2 * np.eye(10)[LABELS], LABELS),
    ),
    "class frequencies": Row(
        "class frequencies",
        learned_nothing(FREQUENCIES_OF_1),
        "the network has learned only how often each class occurs",
        "of probability between images and are the training labels' shares: 100.0% of them",
        learned_nothing(
            FREQUENCIES_OF_1 + np.where(np.arange(1000) % 2, 3, 0)[:, None] * np.eye(10)[3]
        ),
    ),
    "frequencies of nobody knows what": Row(
        "class frequencies",
        learned_nothing(FREQUENCIES_OF_1),
        "the network has learned only how often each class occurs",
        "the training labels' shares",
        Case(FREQUENCIES_OF_1, LABELS),  # a bare file holds no training labels
    ),
    "class frequencies of unbalanced training": Row(
        "class frequencies",
        Case(
            np.tile(np.log([0.82, *[0.02] * 9]), (1000, 1)),
            LABELS,
            Symptoms(class_counts=[820, *[20] * 9], step=500),
        ),
        "the classes are not as frequent in training",
        "82% of the training labels are class 0",
        Case(
            np.tile(np.log([0.82, *[0.02] * 9]), (1000, 1)), LABELS,
            Symptoms(class_counts=[9] * 10),
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_the_cause_is_named_first_with_figures_and_advice(row: Row) -> None:
    first, *others = diagnose(row.ill)
    assert row.cause in first.cause
    assert row.figures in first.figures
    assert len(first.advice) > 20
    assert str(first).startswith(f"{first.cause}: {first.figures}. {first.advice}.")
    assert others == []
    assert unexplained(row.ill, [first]) is None


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_what_is_just_not_it_is_not_named(row: Row) -> None:
    findings = diagnose(row.near)
    named = [finding.cause for finding in findings]
    named += [item.cause for finding in findings for item in finding.consequences]
    assert not [cause for cause in named if row.cause in cause]


def test_every_rule_is_tested() -> None:
    names = [rule.name for rule in RULES]
    assert {row.rule for row in ROWS.values()} == set(names)
    assert len(set(names)) == len(names)


def test_what_follows_from_what_has_no_ring_and_no_unknown_name() -> None:
    explained = {rule.name: set(rule.explains) for rule in RULES}
    assert set().union(*explained.values()) <= set(explained)
    TopologicalSorter(explained).prepare()


def test_a_consequence_is_said_as_one() -> None:
    """Raw pixels, which kill the units, which leave nothing but the class frequencies."""
    raw = Fingerprint.of(EXPECTED * 255)
    ill = learned_nothing(
        FREQUENCIES_OF_1, trained_on=raw, seen=raw, learning_rate=0.9, optimizer="SGD",
        layers=layers(dead=0.99),
    )  # fmt: skip
    (cause,) = diagnose(ill)
    assert cause.cause == "in training, the pixels were not scaled"
    assert [item.cause.partition(":")[0] for item in cause.consequences] == [
        "the learning rate is too high", "dead ReLUs",
        "the network has learned only how often each class occurs",
    ]  # fmt: skip
    assert "And so dead ReLUs" in str(cause)


def test_of_two_causes_that_which_explains_more_comes_first() -> None:
    ill = learned_nothing(FREQUENCIES_OF_1, layers=layers(dead=0.99), repeat_difference=0.1)
    assert [finding.cause.partition(":")[0] for finding in diagnose(ill)] == [
        "dead ReLUs", "dropout was left on",
    ]  # fmt: skip


def test_a_healthy_model_needs_no_cause() -> None:
    for healthy in (case(), case(GOOD.astype(np.float64)), case(logits_for(LABELS))):
        assert diagnose(healthy) == []
        assert unexplained(healthy, []) is None
        assert not healthy.wrong


@pytest.mark.parametrize("missed", [0.02, 0.2], ids="misses {}".format)
@pytest.mark.parametrize("share", [0.5, 0.8, 0.9, 0.95, 0.99], ids="majority {}".format)
def test_a_healthy_model_of_two_classes_needs_no_cause_however_rare_one_is(
    share: float, missed: float
) -> None:
    """Right on all but a few, be a class as rare as it will: accuracy is far above chance."""
    labels = (np.arange(5000) >= share * 5000).astype(int)
    lost = np.random.default_rng(2).random(5000) < missed
    predicted = np.where((labels == 1) & lost, 0, labels)
    counts = np.bincount(labels).tolist()
    best = float((predicted == labels).mean())
    healthy = case(logits_for(predicted, 2), labels, class_counts=counts, best_accuracy=best)
    assert [finding.cause for finding in diagnose(healthy)] == []


def test_a_healthy_model_of_a_hundred_unbalanced_classes_needs_no_cause() -> None:
    labels = np.random.default_rng(3).choice(100, 5000, p=np.arange(1, 101) / 5050)
    predicted = misread(labels, 0.15, 100)
    counts = np.bincount(labels, minlength=100).tolist()
    healthy = case(logits_for(predicted, 100), labels, class_counts=counts, best_accuracy=0.86)
    assert diagnose(healthy) == []


def test_a_weak_model_gets_no_cause_that_its_figures_do_not_show() -> None:
    weak = case(logits_for(misread(LABELS, 0.6)), best_accuracy=0.42)
    assert weak.ill
    assert diagnose(weak) == []
    assert str(unexplained(weak, [])).startswith("the cause is not in these files")


def test_what_is_worse_than_in_training_has_a_cause_or_it_is_said_that_it_is_not_here() -> None:
    look = {"broken": 0, "loss": 0.2, "gain": 0.86}
    fallen = case(logits_for(misread(LABELS, 0.15)), validation_counts=[400] * 10, readings=[look])
    assert fallen.fallen
    assert diagnose(fallen) == []
    assert "--images" in str(unexplained(fallen, []))
    bare = Case(logits_for(np.where(LABELS == 9, 4, LABELS)), LABELS)
    assert bare.signs == ["never predicts 1 of 10 classes (9)"]
    assert diagnose(bare) == []
    assert unexplained(bare, []) == (
        "the cause is not in these files; give me the run directory of its training, with "
        "symptoms.json"
    )


def test_a_difference_that_chance_explains_is_none() -> None:
    """The best of many epochs, on forty images, is better than it is worth."""
    predicted = misread(LABELS, 0.12)
    assert not case(logits_for(predicted), best_accuracy=0.97, validation_counts=[4] * 10).fallen
    assert case(logits_for(predicted), best_accuracy=0.97, validation_counts=[400] * 10).fallen


def test_a_young_network_may_not_use_all_classes_yet() -> None:
    half = logits_for(LABELS % 5)
    assert case(half, best_accuracy=0.5).signs
    young = case(half, best_accuracy=0.5, step=9)
    assert not young.signs
    assert diagnose(young) == []
    assert case(logits_for(0 * LABELS), best_accuracy=0.1, step=9).signs


def test_without_symptoms_only_what_the_answers_can_tell() -> None:
    """And what the answers tell is told."""
    alone = {rule.name for rule in RULES if set(rule.needs) <= {LABELS_KNOWN, SCORES}}
    said = set()
    for row in ROWS.values():
        bare = Case(row.ill.logits, row.ill.labels)
        with np.errstate(all="ignore"):
            said |= {rule.name for rule in RULES if rule.match(bare) is not None}
    assert said == alone


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_without_its_evidence_a_cause_is_not_named(row: Row) -> None:
    (rule,) = (rule for rule in RULES if rule.name == row.rule)
    if LABELS_KNOWN in rule.needs:
        unlabelled = Case(row.ill.logits, None, row.ill.symptoms)
        diagnose(unlabelled)  # without an error
        assert rule.match(unlabelled) is None
    if set(rule.needs) - {LABELS_KNOWN, SCORES}:
        assert rule.match(Case(row.ill.logits, row.ill.labels)) is None


def test_classes_alone_tell_of_names_and_order_only() -> None:
    said = logits_for(LABELS[::-1])
    found = diagnose(Case(said, LABELS, classes_only=True))
    assert [item.cause for item in found] == ["labels are shifted by 1"] or found
    for row in ROWS.values():
        diagnose(Case(row.ill.logits, row.ill.labels, row.ill.symptoms, classes_only=True))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf], ids=str)
@pytest.mark.parametrize("changes", [{}, {"learning_rate": 3.0}, {"train_loss": np.nan}], ids=str)
def test_logits_that_are_not_finite_are_a_finding_and_no_error(
    value: float, changes: dict[str, float]
) -> None:
    for logits in (with_one(GOOD, value), np.full_like(GOOD, value)):
        for known in (Symptoms(), sound(**changes), sound(**changes, best_accuracy=0.1)):
            assert diagnose(Case(logits, LABELS, known))
            assert diagnose(Case(logits, None, known))


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_pixels_of_training_are_the_first_cause_of_whatever_follows(row: Row) -> None:
    symptoms = dataclasses.replace(row.ill.symptoms, trained_on=SCALED_TWICE, intended=AS_INTENDED)
    first, *_ = diagnose(Case(row.ill.logits, row.ill.labels, symptoms))
    assert first.cause == "in training, the pixels were scaled twice" or row.rule in (
        "softmax over the batch", "missing classes", "raw range", "stale", "permuted", "misaligned",
    )  # fmt: skip


def test_accuracy_that_something_else_explains_is_not_put_down_to_stale_weights() -> None:
    poor = logits_for(misread(LABELS, 0.5))
    same, inverted = case(poor), case(poor, seen=Fingerprint.of(1 - OTHERS))
    assert diagnose(same) == []
    assert [f.cause.partition(":")[0] for f in diagnose(inverted)] == ["the pixels were inverted"]


def test_what_is_known_of_a_case() -> None:
    known = Case(GOOD, LABELS)
    probabilities = np.exp(GOOD) / np.exp(GOOD).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.exp(known.log_probabilities), probabilities, rtol=1e-4)
    as_given = Case(SOFTMAX, LABELS)  # probabilities are taken for what they are
    np.testing.assert_allclose(np.exp(as_given.log_probabilities), SOFTMAX, rtol=1e-4)
    assert known.accuracy == (GOOD.argmax(axis=1) == LABELS).mean()
    expected = -np.log(probabilities[np.arange(1000), LABELS]).mean()
    assert known.loss == pytest.approx(expected, rel=1e-4)
    assert as_given.loss == pytest.approx(expected, rel=1e-4)
    assert known.entropy == pytest.approx(np.log(10))
    assert Case(GOOD).accuracy is Case(GOOD).loss is None
    of_training = Case(GOOD, LABELS, Symptoms(class_counts=[91, *[1] * 9]))
    assert of_training.training_shares is not None
    assert of_training.training_shares[0] == 0.91
    # Counts of other classes than the network has are not this network's.
    assert Case(GOOD, LABELS, Symptoms(class_counts=[5, 5])).training_shares is None


FULL = sound(collapsed_at=(0, 8), signs=["every ReLU unit after 2.weight is dead"])


@pytest.mark.parametrize(
    "symptoms",
    [FULL, Symptoms()],
    ids=["full", "empty"],
)
def test_symptoms_are_read_as_they_were_written(symptoms: Symptoms, tmp_path: Path) -> None:
    symptoms.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [SYMPTOMS_FILE]
    assert Symptoms.load(tmp_path / SYMPTOMS_FILE) == symptoms


def test_what_is_not_finite_is_saved_as_null(tmp_path: Path) -> None:
    layer = Layer("layer 1", initial_deviation=0.1, change=float("nan"))
    Symptoms(train_loss=float("inf"), layers=[layer]).save(tmp_path)
    text = (tmp_path / SYMPTOMS_FILE).read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    read = Symptoms.load(tmp_path / SYMPTOMS_FILE)
    assert read.train_loss is None
    assert np.isnan(read.layers[0].change)


def without(name: str) -> dict[str, Any]:
    values = dataclasses.asdict(FULL)
    del values[name]
    return values


DAMAGED: dict[str, Any] = {
    "empty": "",
    "no JSON": "{half",
    "a list": [],
    "null": None,
    "a number": 3,
    "a key is missing": without("layers"),
    "a fingerprint is missing": without("seen"),
    "an unknown key": dataclasses.asdict(FULL) | {"mood": "fine"},
    "no layers": dataclasses.asdict(FULL) | {"layers": None},
    "an unknown key of a layer": dataclasses.asdict(FULL) | {"layers": [{"name": "a", "x": 1}]},
    "a layer is a number": dataclasses.asdict(FULL) | {"layers": [1]},
    "half a fingerprint": dataclasses.asdict(FULL) | {"seen": {"layout": [], "mean": 1}},
    "a fingerprint is text": dataclasses.asdict(FULL) | {"raw": "images"},
    "half a place": dataclasses.asdict(FULL) | {"collapsed_at": [1]},
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_damaged_symptoms_are_refused_by_name(content: Any, tmp_path: Path) -> None:
    path = tmp_path / SYMPTOMS_FILE
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RunRecordError, match=r"symptoms\.json: cannot be read as symptoms \("):
        Symptoms.load(path)


def test_bytes_and_absent_symptoms_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / SYMPTOMS_FILE
    with pytest.raises(RunRecordError, match=r"symptoms\.json: cannot be read as symptoms \("):
        Symptoms.load(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RunRecordError, match=r"symptoms\.json: cannot be read as symptoms \("):
        Symptoms.load(path)


def test_the_symptoms_of_a_model_stand_beside_it_or_one_folder_up(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "checkpoints"
    folder.mkdir(parents=True)
    assert Symptoms.beside(folder / "best.ckpt") is None
    FULL.save(tmp_path / "run")
    assert Symptoms.beside(folder / "best.ckpt") == FULL
    assert Symptoms.beside(tmp_path / "run" / "model.keras") == FULL
    assert Symptoms.beside(tmp_path / "model.keras") is None
    (tmp_path / "run" / SYMPTOMS_FILE).write_text("{half")
    assert Symptoms.beside(folder / "best.ckpt") is None


def test_the_page_on_diagnosis_lists_every_cause_with_its_evidence() -> None:
    page = (ROOT / "docs" / "diagnosis.md").read_text(encoding="utf-8")
    rows = [
        tuple(c.strip() for c in line.split("|")[1:-1]) for line in page.splitlines() if "|" in line
    ]
    said = {rule.name: rule for rule in RULES}
    listed = {row[0]: row[1:] for row in rows if row[0] in said}
    assert list(listed) == list(said)
    for name, (evidence, when, without) in listed.items():
        rule = said[name]
        assert without
        assert evidence == (", ".join(item.name for item in rule.needs) or "the answers alone")
        expected = "always" if rule.also_of_sound_models else "wrong"
        assert when == ("training" if rule.of_training else expected)
    assert all(item.name in page and item.where in " ".join(page.split()) for item in EVIDENCE)


def test_images_of_other_classes_are_not_other_pixels() -> None:
    """Trained on ones above all, and asked for every digit: the images look otherwise anyhow."""
    order = np.argsort(DIGITS.train_labels != 1, kind="stable")[:160]
    trained = (DIGITS.train_images[order] / 255).astype(np.float32)
    counts = np.bincount(DIGITS.train_labels[order], minlength=10)
    predicted = np.where(np.arange(1000) % 5 < 3, 1, LABELS)
    told = diagnose(
        Case(
            logits_for(predicted),
            LABELS,
            sound(
                class_counts=counts.tolist(),
                trained_on=Fingerprint.of(trained),
                intended=Fingerprint.of(trained),
                seen=Fingerprint.of(OTHERS),
                best_accuracy=0.94,
                validation_counts=(counts // 10 + 1).tolist(),
            ),
        )
    )
    assert not any("pixels" in finding.cause for finding in told), told


def test_grey_levels_are_told_whatever_the_images_show() -> None:
    order = np.argsort(DIGITS.train_labels != 1, kind="stable")[:160]
    trained = (DIGITS.train_images[order] / 255).astype(np.float32)
    counts = np.bincount(DIGITS.train_labels[order], minlength=10)
    told = diagnose(
        Case(
            logits_for(np.ones_like(LABELS)),
            LABELS,
            sound(
                class_counts=counts.tolist(),
                trained_on=Fingerprint.of(trained),
                intended=Fingerprint.of(trained),
                seen=Fingerprint.of(OTHERS / 255),
            ),
        )
    )
    assert any(f.cause.startswith("the pixels were scaled twice") for f in told), told


def stored(most: int) -> dict[str, Any]:
    """What is known of pixels where the file has grey levels 0 to `most`, divided by 255."""
    raw, others = ((images * most).round() for images in (EXPECTED, OTHERS))
    fed = Fingerprint.of((raw / 255).astype(np.float32))
    return {
        "raw": Fingerprint.of(raw.astype(np.uint8)),
        "intended": Fingerprint.of(raw / 255),
        "trained_on": fed,
        "seen": Fingerprint.of((others / 255).astype(np.float32)),
    }


@pytest.mark.parametrize("most", [1, 2, 3, 7, 15, 16, 31])
@pytest.mark.parametrize("logits", [GOOD, CHANCE], ids=["good", "at chance"])
def test_a_file_of_few_grey_levels_is_named_however_well_it_is_learned(
    most: int, logits: np.ndarray
) -> None:
    (finding,) = diagnose(case(logits, **stored(most)))
    assert finding.cause.startswith(f"the file's pixels are 0 to {most}")


@pytest.mark.parametrize("most", [100, 127, 200, 255])
def test_a_file_that_is_merely_dim_is_left_alone(most: int) -> None:
    assert diagnose(case(**stored(most))) == []


COUNTS: dict[str, list[int]] = {
    "one in two": [900, *[100] * 9],
    "one class, nearly alone": [6, 6, 6, 2000, *[6] * 6],
    "two frequent ones": [900, 900, *[20] * 8],
    "half of them rare": [*[400] * 5, *[15] * 5],
    "the first one rare": [5, 5, 5, 5, *[300] * 6],
    "by rank": [2 ** (10 - c) for c in range(10)],
}


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("steps", [9, 2000])
def test_a_model_that_leans_to_what_was_frequent_is_told_why(name: str, steps: int) -> None:
    """Classes are read the better the more often they were shown, else as the likeliest."""
    counts = np.array(COUNTS[name])
    recall = 0.97 * (counts / counts.max()) ** 0.3
    rng = np.random.default_rng(5)
    top = int(counts.argmax())
    answers = np.where(rng.random(1000) < recall[LABELS], LABELS, top)
    best = float(counts / counts.sum() @ np.where(np.arange(10) == top, 1, recall))
    validated = (counts // 10 + 1).tolist()
    known: dict[str, Any] = {
        "class_counts": COUNTS[name],
        "validation_counts": validated,
        "step": steps,
    }
    found = diagnose(case(logits_for(answers), best_accuracy=best, **known))
    assert [finding.cause for finding in found] == [
        "the classes are not as frequent in training as in the test set"
    ]
    even: dict[str, Any] = {
        "class_counts": [100] * 10,
        "validation_counts": [20] * 10,
        "step": steps,
    }
    assert diagnose(case(logits_for(answers), best_accuracy=best, **even)) == []


def test_a_network_that_still_learns_is_not_called_broken() -> None:
    """Weak after 120 steps, in the second half of which the loss fell from 2 to 1.6."""
    losses = dict(zip((1, 16, 60, 90, 120), (2.4, 2.2, 2.0, 1.8, 1.6), strict=True))
    looks = [
        {"broken": 0, "loss": loss, "blind_loss": 2.3, "gain": 0.1, "step": step}
        for step, loss in losses.items()
    ]
    weak = logits_for(misread(LABELS, 0.6))
    known: dict[str, Any] = {"step": 120, "best_accuracy": 0.4, "readings": looks}
    learning = case(weak, **known)
    assert learning.weak
    assert not learning.wrong
    assert learning.unfinished == (2.0, 1.6)
    flat = [look | {"loss": max(look["loss"], 1.9)} for look in looks]
    rising = [look | {"loss": 1.9} if look["step"] == 90 else look for look in flat]
    for course_of in (flat, rising, looks[3:], [*looks, looks[-1] | {"broken": 3}]):
        assert case(weak, **(known | {"readings": course_of})).wrong
    others: list[dict[str, Any]] = [{"best_accuracy": 0.9}, {"class_counts": [140, 0] * 5}]
    for other in others:  # they have a cause of their own
        assert case(weak, **(known | other)).wrong
    missing = case(logits_for(np.where(LABELS < 4, 2, misread(LABELS, 0.6))), **known)
    assert missing.signs == []  # it need not use every class yet


def test_classes_under_other_names_are_no_other_order() -> None:
    """Of fifty, one in fifty is right by chance; but what is answered still tells the class."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 50, 2000)
    answered = np.where(rng.random(2000) < 0.6, (labels + 7) % 50, rng.integers(0, 50, 2000))
    assert diagnose(Case(2 * logits_for(answered, 50), labels)) == []
    shuffled = rng.permutation(labels)
    assert "other images" in diagnose(Case(2 * logits_for(shuffled, 50), labels))[0].cause
