"""Rows of the rules on which class and which image is which."""

import numpy as np

from parity.watch.diagnosis import Case
from tests.parity.diagnosis.cases import (
    CERTAIN,
    LABELS,
    RNG,
    SHUFFLED_LABELS,
    UNSURE,
    Row,
    case,
    logits_for,
    misread,
    renamed,
)

SHUFFLED = logits_for(np.random.default_rng(9).permutation(misread(SHUFFLED_LABELS, 0.03)))
ROWS = {
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
        Case(logits_for(misread(np.sort(SHUFFLED_LABELS), 0.1)), SHUFFLED_LABELS),
        "the answers belong to other images than the labels",
        "as given sorted by class",
        Case(CERTAIN[SHUFFLED_LABELS.argsort()], np.sort(SHUFFLED_LABELS)),
    ),
    "reshaped in place of transposed": Row(
        "misaligned",
        Case(CERTAIN.T.reshape(-1, 10), SHUFFLED_LABELS),
        "the answers belong to other images than the labels",
        "by class: reshaped where axes were to be swapped",
        Case(CERTAIN.T.reshape(-1, 10), SHUFFLED_LABELS, classes_only=True),
    ),
    "labels in any order": Row(
        "shuffled",
        Case(logits_for(np.random.default_rng(9).permutation(SHUFFLED_LABELS)), SHUFFLED_LABELS),
        "the answers belong to other images than the labels",
        "each class is answered as often as it occurs, with a mean confidence of 9",
        Case(logits_for(misread(SHUFFLED_LABELS, 0.7)), SHUFFLED_LABELS),
    ),
    "classes in any order": Row(
        "shuffled",
        Case(SHUFFLED, SHUFFLED_LABELS, classes_only=True),
        "the answers belong to other images than the labels",
        "more exactly than answers would that have nothing to do with these images",
        Case(logits_for(np.random.default_rng(2).choice(SHUFFLED_LABELS, 1000)), SHUFFLED_LABELS,
             classes_only=True),
    ),
    "shuffled, as sure as in training": Row(
        "shuffled",
        case(UNSURE, SHUFFLED_LABELS, best_accuracy=0.75),
        "the answers belong to other images",
        "as many as by chance",
        Case(UNSURE, SHUFFLED_LABELS),
    ),
}  # fmt: skip
