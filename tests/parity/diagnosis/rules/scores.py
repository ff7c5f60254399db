"""Rows of the rules on what scores are."""

import numpy as np

from parity.watch.diagnosis import Case
from tests.parity.diagnosis.cases import (
    COLUMNS,
    GOOD,
    LABELS,
    SIGMOID,
    SMALLEST,
    SOFTMAX,
    SQUASHED_LOSS,
    TWICE,
    Row,
    case,
    misread,
    renamed,
    with_one,
)

VOTES = 0.6 * np.eye(10)[misread(LABELS, 0.04)] + 0.4 * np.eye(10)[(LABELS + 3) % 10]
"""Of trees, for two classes of ten."""

ROWS = {
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
    "softmax of votes, none of them sure": Row(
        "doubled",
        Case(np.exp(VOTES) / np.exp(VOTES).sum(axis=1, keepdims=True), LABELS),
        "softmax is applied twice to the answers",
        "undone once, every row is again between 0 and 1, with one of 60%",
        Case(VOTES, LABELS),
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
    "cut scores": Row(
        "clipped",
        case((GOOD + 2).clip(-0.3, 0.3)),
        "the scores are cut to -0.3 to 0.3",
        "of the images have two classes or more at exactly 0.3, of which the first is answered",
        case(GOOD.round().clip(-1, 1)),
    ),
}  # fmt: skip
