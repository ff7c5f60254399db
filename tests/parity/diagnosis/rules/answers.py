"""Rows of the rules on answers that are alike."""

import numpy as np

from parity.watch.diagnosis import Case
from parity.watch.symptoms import Symptoms
from tests.parity.diagnosis.cases import (
    CHANCE,
    FREQUENCIES_OF_1,
    GOOD,
    LABELS,
    VAGUE,
    Row,
    case,
    layers,
    learned_nothing,
)

ROWS = {
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
