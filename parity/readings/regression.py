"""Losses of numbers: what a recorded loss may be of predictions and targets (NumPy)."""

from collections.abc import Iterator

import numpy as np

from parity.arrays import Array, Floats
from parity.readings.readings import Reading
from parity.readings.rows import softmax

ERROR, REDUCTION = "kind of error", "reduction of the errors"
DELTA, BROADCAST = "where an error turns linear", "errors broadcast"
ADVICE = {
    ERROR: "take the same loss on both sides",
    REDUCTION: (
        "add up and divide alike: reduction='mean' in torch is over all numbers, as Keras' is"
    ),
    DELTA: "give both the same delta (beta in torch's SmoothL1Loss, which also divides by it)",
    BROADCAST: "give predictions and targets the same shape: [B] against [B, 1] becomes [B, B]",
}
ENTROPIES = "binary cross-entropies of logits"
DELTAS = (0.05, 0.1, 0.2, 0.25, 0.5, 1.0, 1.345, 1.35, 1.5, 2.0, 3.0, 5.0, 10.0)
SHARES = (0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95)
FUZZ = 1e-7
"""Keras' epsilon."""
Kind = tuple[dict[str, str], str, Floats]
"""Traits, words, and the error of each number."""


def fits(predicted: Array, targets: Array) -> bool:
    """Whether the targets are numbers for these predictions, [B, ...]."""
    numbers = np.issubdtype(targets.dtype, np.floating) or predicted.size == len(predicted)
    alike = len(targets) == len(predicted) and targets.size == predicted.size
    return bool(numbers and alike and targets.size)


def candidates(predicted: Floats, targets: Floats) -> Iterator[Reading]:
    """What a recorded loss may be, the usual first.

    Args:
        predicted: What the network gives, float64 [B, ...].
        targets: As many numbers.
    """
    count = len(predicted)
    rows = predicted.reshape(count, -1)
    truth = targets.reshape(count, -1)
    usual = {REDUCTION: "their mean", BROADCAST: "of each against its own"}
    for traits, words, errors in _kinds(rows, truth):
        total, size = float(errors.sum()), errors.size
        ways = {
            "their mean": total / size,
            "their sum": total,
            "half of their mean": total / size / 2,
            "half of their sum": total / 2,
        }
        if size > count:
            ways["their sum over the columns and mean over the batch"] = total / count
        for reduction, value in ways.items():
            yield _reading({**usual, **traits, REDUCTION: reduction}, words, reduction, value)
        root = np.sqrt(max(total / size, 0.0))
        said = "the root of their mean"
        yield _reading({**usual, **traits, REDUCTION: said}, words, said, float(root))
    if rows.shape[1] == 1 and count > 1:
        for words, errors in (
            ("squared errors", (rows - truth.T) ** 2),
            ("absolute errors", np.abs(rows - truth.T)),
        ):
            said = "of each against the targets of all"
            value = float(errors.mean())
            traits = {**usual, ERROR: words, BROADCAST: said}
            yield _reading(traits, f"{words} {said}", "their mean", value)


def _reading(traits: dict[str, str], words: str, reduction: str, value: float) -> Reading:
    return Reading(traits, np.array(value), f"computes {words}, {reduction} ({value:.6g})")


def _kinds(x: Floats, y: Floats) -> Iterator[Kind]:
    """Errors of predictions and targets, [B, N]."""
    error = x - y
    size = np.abs(error)
    plain: dict[str, Floats] = {
        "squared errors": error**2,
        "absolute errors": size,
        "logarithms of the errors' cosh": np.logaddexp(error, -error) - np.log(2),
        "squared errors of log(1 + x)": (
            np.log1p(np.maximum(x, FUZZ)) - np.log1p(np.maximum(y, FUZZ))
        ) ** 2,
        "squared errors of log(1 + max(x, 0))": (
            np.log1p(np.maximum(x, 0)) - np.log1p(np.maximum(y, 0))
        ) ** 2,
        "absolute errors in percent": 100 * size / np.maximum(np.abs(y), FUZZ),
        "Poisson losses x - y log x": x - y * np.log(x + FUZZ),
        "Poisson losses exp(x) - y x": np.exp(x) - y * x,
        "hinge losses": np.maximum(1 - x * y, 0),
        "squared hinge losses": np.maximum(1 - x * y, 0) ** 2,
    }  # fmt: skip
    for words, values in plain.items():
        yield {ERROR: words}, words, values
    for delta in DELTAS:
        huber = np.where(size <= delta, error**2 / 2, delta * (size - delta / 2))
        turned = {DELTA: f"at {delta:g}"}
        yield {ERROR: "Huber losses", **turned}, f"Huber losses of delta {delta:g}", huber
        if delta != 1:
            words = f"smooth absolute errors of beta {delta:g}"
            yield {ERROR: "smooth absolute errors", **turned}, words, huber / delta
    for share in SHARES:
        words = f"quantile losses of {share:g}"
        yield {ERROR: words}, words, np.maximum(-share * error, (1 - share) * error)
    lengths = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
    if x.shape[1] > 1:
        cosine = ((x * y).sum(axis=1) / np.maximum(lengths, 1e-12))[:, None]
        yield {ERROR: "cosine similarity"}, "negative cosines of the rows", -cosine
        yield {ERROR: "cosine similarity"}, "1 minus cosines of the rows", 1 - cosine
    if y.min() >= 0 and y.max() <= 1:
        yield from _of_shares(x, y)


def _of_shares(x: Floats, y: Floats) -> Iterator[Kind]:
    """Losses of targets between 0 and 1."""
    yield {ERROR: ENTROPIES}, ENTROPIES, np.logaddexp(0, x) - y * x
    certain = np.clip(x, FUZZ, 1 - FUZZ)
    words = "binary cross-entropies of probabilities"
    yield {ERROR: words}, words, -(y * np.log(certain) + (1 - y) * np.log(1 - certain))
    words = "squared errors of the sigmoid"
    yield {ERROR: words}, words, (1 / (1 + np.exp(-x)) - y) ** 2
    if x.shape[1] > 1:
        words = "squared errors of the softmax"
        yield {ERROR: words}, words, (softmax(x) - y) ** 2
