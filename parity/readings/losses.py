"""Losses that people compute from logits and labels, and what a recorded loss may be (NumPy)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parity.readings.activations import log_softmax, softmax
from parity.readings.rounding import Floats

KERAS_FUZZ = 1e-7
"""Keras clips probabilities to this distance from 0 and 1."""

MOST_DIVIDED = 512
"""Largest divisor that is looked for, as batches are: among larger ones rounding finds one."""


@dataclass(frozen=True)
class Loss:
    """A loss of one batch.

    Attributes:
        kind: What is computed of an image, in words.
        reduction: How the images become one number, in words.
        value: That number.
    """

    kind: str
    reduction: str
    value: float


USUAL = "cross-entropy"
MEAN = "its mean over the batch"


def per_image(logits: Floats, labels: NDArray[np.int64]) -> dict[str, Floats]:
    """Losses of each image, [B], by what they are called; the usual one first.

    Args:
        logits: float64 [B, C].
        labels: int64 [B], each in 0..C-1.
    """
    count, classes = logits.shape
    rows = np.arange(count)
    logs, chances = log_softmax(logits), softmax(logits)
    truth = np.eye(classes)[labels]
    clipped = np.clip(logits, KERAS_FUZZ, 1 - KERAS_FUZZ)
    shares = np.clip(logits / logits.sum(axis=1, keepdims=True), KERAS_FUZZ, 1 - KERAS_FUZZ)
    certain = np.clip(chances, KERAS_FUZZ, 1 - KERAS_FUZZ)
    binary = -(truth * np.log(certain) + (1 - truth) * np.log(1 - certain))
    return {
        USUAL: -logs[rows, labels],
        "cross-entropy in bits (logarithm to base 2)": -logs[rows, labels] / np.log(2),
        "cross-entropy of logits that went through softmax twice": (
            -log_softmax(chances)[rows, labels]
        ),
        "cross-entropy of logits taken for probabilities": (
            -np.log(clipped / clipped.sum(axis=1, keepdims=True))[rows, labels]
        ),
        "cross-entropy of logits divided by their sum": -np.log(shares)[rows, labels],
        "the negative logit of the label (no softmax)": -logits[rows, labels],
        "the negative probability of the label (no logarithm)": -chances[rows, labels],
        "cross-entropy with the labels one too high": -logs[rows, (labels + 1) % classes],
        "cross-entropy with the labels one too low": -logs[rows, (labels - 1) % classes],
        "binary cross-entropy of each class's logit": (
            np.logaddexp(0, logits) - truth * logits
        ).sum(axis=1),
        "binary cross-entropy of each class's probability": binary.sum(axis=1),
        "squared error of the probabilities": ((chances - truth) ** 2).sum(axis=1),
        "squared error of the logits": ((logits - truth) ** 2).sum(axis=1),
    }


def candidates(logits: Floats, labels: NDArray[np.int64], seen: float) -> Iterator[Loss]:
    """What a recorded loss may be; label smoothing and divisors are solved from it."""
    count, classes = logits.shape
    divisors = {
        MEAN: count,
        "its sum over the batch": 1,
        f"its mean over the batch and the {classes} classes": count * classes,
        f"its sum over the batch divided by the {classes} classes": classes,
    }
    for kind, losses in per_image(logits, labels).items():
        for reduction, divisor in divisors.items():
            yield Loss(kind, reduction, float(losses.sum() / divisor))
    for reduction, divisor in divisors.items():
        yield from _smoothed(logits, labels, seen, divisor, reduction)
    total = float(-log_softmax(logits)[np.arange(count), labels].sum())
    divisor = round(total / seen) if seen > 0 and np.isfinite(total / seen) else 0
    if 1 < divisor <= max(4 * count, MOST_DIVIDED):
        yield Loss(USUAL, f"its sum divided by {divisor} instead of {count}", total / divisor)


def _smoothed(
    logits: Floats, labels: NDArray[np.int64], seen: float, divisor: int, reduction: str
) -> Iterator[Loss]:
    """Label smoothing by a round figure: any loss can be had with some figure."""
    logs = log_softmax(logits)
    hard = float(-logs[np.arange(len(labels)), labels].sum() / divisor)
    even = float(-logs.mean(axis=1).sum() / divisor)
    classes = logits.shape[1]
    others = (classes * even - hard) / (classes - 1) if classes > 1 else hard
    for soft, spread in ((even, "all classes"), (others, "the other classes")):
        if soft == hard:
            continue
        figure = round((seen - hard) / (soft - hard), 3)
        if 0 < figure < 1:
            kind = f"cross-entropy with label smoothing {figure:g} over {spread}"
            yield Loss(kind, reduction, (1 - figure) * hard + figure * soft)
