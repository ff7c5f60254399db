"""Rows of the rules on classes and labels."""

import numpy as np

from parity.watch.symptoms import Layer
from tests.parity.diagnosis.cases import (
    CHANCE,
    FREQUENCIES,
    LABELS,
    LEANING,
    VALIDATED_WORSE,
    Row,
    case,
    course,
    learned_nothing,
    logits_for,
    misread,
)

ROWS = {
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
    "labels, where one class was nearly all": Row(
        "unrelated labels",
        learned_nothing(),
        "the labels have nothing to do with the images",
        "no better than the class frequencies'",
        learned_nothing(class_counts=[10, 1900, *[10] * 8], best_accuracy=0.956),
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
}  # fmt: skip
