"""Why two sides get another loss from the same logits and labels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.readings.cause import Cause
from parity.readings.losses import Loss, candidates
from parity.readings.readings import Names
from parity.readings.rounding import Floats, closes, epsilon, usable

ROUNDING = 8
"""Units of the last place that a loss may be off by."""
MISTAKES = {
    "label smoothing": ("label smoothing", "give both the same label_smoothing="),
    "twice": (
        "softmax applied twice",
        "take the softmax out of the network or tell the loss: from_logits=False in Keras",
    ),
    "taken for": (
        "logits taken for probabilities",
        "from_logits=True in Keras, CrossEntropyLoss on logits in torch",
    ),
    "divided by their sum": (
        "logits taken for probabilities",
        "from_logits=True in Keras, CrossEntropyLoss on logits in torch",
    ),
    "base 2": ("logarithm to base 2", "take natural logarithms on both sides"),
    "no softmax": ("no log-softmax", "CrossEntropyLoss in torch in place of NLLLoss on logits"),
    "no logarithm": ("no logarithm", "CrossEntropyLoss in torch in place of NLLLoss on softmax"),
    "one too": ("labels off by one", "number the labels from 0 on both sides"),
    "binary": (
        "binary cross-entropy",
        "CrossEntropyLoss in torch, SparseCategoricalCrossentropy(from_logits=True) in Keras",
    ),
    "squared": (
        "squared error",
        "CrossEntropyLoss in torch, SparseCategoricalCrossentropy(from_logits=True) in Keras",
    ),
}
"""Words of a kind of loss -> the cause's name and what aligns the sides."""
REDUCTION = (
    "loss reduction",
    "reduction='mean' in torch, reduction='sum_over_batch_size' in Keras",
)


def explain(
    logits: NDArray[Any], labels: NDArray[Any], a: float, b: float, names: Names
) -> list[Cause]:
    """Name what either side computes; empty where one of the losses is none that is known.

    Args:
        logits: Of both sides, float [B, C].
        labels: Integers [B].
        a: Side A's loss of the batch.
        b: Side B's.
        names: Of A and B.
    """
    if not usable(logits, labels, np.array([a, b])) or logits.ndim != 2 or a == b:
        return []
    scores, truth = np.asarray(logits, np.float64), np.asarray(labels, np.int64)
    if truth.shape != scores.shape[:1] or not 0 <= truth.min() <= truth.max() < scores.shape[1]:
        return []
    unit = ROUNDING * epsilon(logits)
    of_a, of_b = (_read(scores, truth, seen, unit) for seen in (a, b))
    if of_a is None or of_b is None:
        return []
    gap = abs((a - of_a.value) - (b - of_b.value))
    if (of_a.kind, of_a.reduction) == (of_b.kind, of_b.reduction):
        return []
    if not closes(abs(a - b), gap, unit * max(1.0, abs(a), abs(b))):
        return []
    return [_cause(of_a, of_b, gap, names)]


def _read(logits: Floats, labels: NDArray[np.int64], seen: float, unit: float) -> Loss | None:
    """The first loss, the usual ones come first, that gives what was seen."""
    allowed = unit * max(1.0, abs(seen))
    with np.errstate(all="ignore"):  # logits taken for probabilities have no logarithm
        known = candidates(logits, labels, seen)
        return next((loss for loss in known if abs(loss.value - seen) <= allowed), None)


def _cause(of_a: Loss, of_b: Loss, gap: float, names: Names) -> Cause:
    parted = [
        mistake
        for words, mistake in MISTAKES.items()
        if of_a.kind != of_b.kind and (words in of_a.kind or words in of_b.kind)
    ]
    if of_a.reduction != of_b.reduction:
        parted.append(REDUCTION)
    kinds, advice = (dict.fromkeys(words) for words in zip(*parted, strict=True))
    said, against = (f"{loss.kind}, {loss.reduction} ({loss.value:.6g})" for loss in (of_a, of_b))
    text = (
        f"loss: {names[0]} computes {said}, {names[1]} {against}; to align them, "
        + " and ".join(advice)
    )
    return Cause(" and ".join(kinds), gap, text)
