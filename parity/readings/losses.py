"""Losses that people compute from logits and labels, and what a recorded loss may be (NumPy)."""

from collections.abc import Iterator

import numpy as np

from parity.arrays import Array, Floats, Ints
from parity.readings.readings import Reading
from parity.readings.rows import log_softmax, softmax

KERAS_FUZZ = 1e-7
"""Keras clips probabilities to this distance from 0 and 1."""
MOST_DIVIDED = 512
"""Largest divisor that is looked for, as batches are: among larger ones rounding finds one."""
STEEPEST = 10.0
"""Largest gamma of a focal loss that is looked for; 2 is usual (Lin et al. 2017)."""
USUAL, MEAN = "cross-entropy", "its mean over the batch"
REDUCTION, SMOOTHING, FOCAL = "loss reduction", "label smoothing", "focal loss"
TEMPERATURE = "temperature in the loss"
TEMPERATURES = (
    0.05, 0.07, 0.1, 0.2, 0.25, 0.5, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 100,
)  # fmt: skip
"""Round figures by which people divide logits."""
TWICE, PROBABILITIES = "softmax applied twice", "logits taken for probabilities"
ABSOLUTE, DIVERGENCE = "absolute error", "Kullback-Leibler divergence"
BROADCAST, LOGARITHM = "loss broadcast", "epsilon in the logarithm"
ENTROPY = "CrossEntropyLoss in torch, SparseCategoricalCrossentropy(from_logits=True) in Keras"
ADVICE = {
    REDUCTION: "reduction='mean' in torch, reduction='sum_over_batch_size' in Keras",
    SMOOTHING: "give both the same label_smoothing=",
    TEMPERATURE: "divide the logits by the same figure on both sides, inside the loss or before it",
    FOCAL: "give both the same gamma and alpha, or take cross-entropy on both sides",
    TWICE: "take the softmax out of the network or tell the loss: from_logits=False in Keras",
    PROBABILITIES: "from_logits=True in Keras, CrossEntropyLoss on logits in torch",
    "logarithm to base 2": "take natural logarithms on both sides",
    "no log-softmax": "CrossEntropyLoss in torch in place of NLLLoss on logits",
    "no logarithm": "CrossEntropyLoss in torch in place of NLLLoss on softmax",
    "order of the classes": "number the classes alike on both sides",
    "labels off by one": "number the labels from 0 on both sides",
    "binary cross-entropy": ENTROPY,
    "squared error": ENTROPY,
    ABSOLUTE: ENTROPY,
    DIVERGENCE: ENTROPY,
    LOGARITHM: "take log_softmax of logits on both sides, which needs no epsilon",
    BROADCAST: "give scores and labels the same shape: [B] against [B, 1] becomes [B, B]",
}
"""Name of a cause -> how to align the sides."""
Kind = tuple[str, str, Floats]
"""Name of a cause, empty for the usual; what is computed of an image, in words; of each image."""


def classes_of(labels: Array) -> Ints:
    """Classes, int64 [B], of labels [B], [B, 1] or one-hot [B, C]."""
    rows = np.asarray(labels).reshape(len(labels), -1)
    classes = rows[:, 0] if rows.shape[1] == 1 else rows.argmax(axis=1)
    return classes.astype(np.int64)


def _kinds(logits: Floats, labels: Ints) -> Iterator[Kind]:
    """Losses of each image, [B], the usual one first; logits are float64 [B, C], labels in 0..C-1.

    Yields one at a time, since few are looked at.
    """
    count, classes = logits.shape
    rows = np.arange(count)
    logs, chances = log_softmax(logits), softmax(logits)
    truth = np.eye(classes)[labels]
    binary = "binary cross-entropy"
    yield "", USUAL, -logs[rows, labels]
    yield "logarithm to base 2", f"{USUAL} in bits (base 2)", -logs[rows, labels] / np.log(2)
    twice = f"{USUAL} of logits that went through softmax twice"
    yield TWICE, twice, -log_softmax(chances)[rows, labels]
    clipped = np.clip(logits, KERAS_FUZZ, 1 - KERAS_FUZZ)
    clipped = -np.log(clipped / clipped.sum(axis=1, keepdims=True))
    yield PROBABILITIES, f"{USUAL} of {PROBABILITIES}", clipped[rows, labels]
    shares = np.clip(logits / logits.sum(axis=1, keepdims=True), KERAS_FUZZ, 1 - KERAS_FUZZ)
    divided = f"{USUAL} of logits divided by their sum"
    yield PROBABILITIES, divided, -np.log(shares)[rows, labels]
    yield from _by_a_figure(logits, labels)
    unlogged = "the negative logit of the label (no softmax)"
    yield "no log-softmax", unlogged, -logits[rows, labels]
    unscaled = "the negative probability of the label (no logarithm)"
    yield "no logarithm", unscaled, -chances[rows, labels]
    for where, step in (("high", 1), ("low", -1)):
        words = f"{USUAL} with the labels one too {where}"
        yield "labels off by one", words, -logs[rows, (labels + step) % classes]
    words = f"{USUAL} with the classes in reverse"
    yield "order of the classes", words, -logs[rows, classes - 1 - labels]
    each = np.logaddexp(0, logits) - truth * logits
    yield binary, f"{binary} of each class's logit", each.sum(axis=1)
    certain = np.clip(chances, KERAS_FUZZ, 1 - KERAS_FUZZ)
    each = -(truth * np.log(certain) + (1 - truth) * np.log(1 - certain))
    yield binary, f"{binary} of each class's probability", each.sum(axis=1)
    fuzzy, certain = (np.clip(x, KERAS_FUZZ, 1) for x in (truth, chances))
    divergence = (fuzzy * np.log(fuzzy / certain)).sum(axis=1)
    yield DIVERGENCE, "Kullback-Leibler divergence from the labels, as Keras does", divergence
    for what, scores in (("probabilities", chances), ("logits", logits)):
        yield ABSOLUTE, f"absolute error of the {what}", np.abs(scores - truth).sum(axis=1)
        error = ((scores - truth) ** 2).sum(axis=1)
        yield "squared error", f"squared error of the {what}", error
        every = (scores**2).sum(axis=1) - 2 * scores @ truth.mean(axis=0) + 1
        yield BROADCAST, f"squared error of the {what} {_EVERY}", every
    yield BROADCAST, f"{USUAL} {_EVERY}", -logs @ truth.mean(axis=0)
    every = (np.logaddexp(0, logits) - truth.mean(axis=0) * logits).sum(axis=1)
    yield BROADCAST, f"{binary} {_EVERY}", every


def _by_a_figure(logits: Floats, labels: Ints) -> Iterator[Kind]:
    """Cross-entropy with a round figure within: a temperature, an epsilon in the logarithm."""
    rows, chances = np.arange(len(labels)), softmax(logits)
    for figure in TEMPERATURES:
        cooled = -log_softmax(logits / figure)[rows, labels]
        yield TEMPERATURE, f"{USUAL} of logits divided by {figure:g}", cooled
        words = f"{USUAL} of logits divided by {figure:g}, times {figure**2:g}"
        yield TEMPERATURE, words, figure**2 * cooled
    for exponent in range(3, 16):
        epsilon = 10.0**-exponent
        added = -np.log(chances + epsilon)[rows, labels]
        yield LOGARITHM, f"{USUAL} with epsilon {epsilon:g} added in the logarithm", added
        inside = -np.log(np.clip(chances, epsilon, 1 - epsilon))[rows, labels]
        yield LOGARITHM, f"{USUAL} of probabilities kept {epsilon:g} from 0 and 1", inside


_EVERY = "of each image against the label of every image"


def candidates(logits: Floats, labels: Ints, seen: float) -> Iterator[Reading]:
    """What a recorded loss may be; label smoothing, gamma and divisors are solved from it.

    Args:
        logits: float64 [B, C].
        labels: int64 [B], each in 0..C-1.
        seen: The recorded loss.
    """
    count, classes = logits.shape
    divisors = {
        MEAN: count,
        "its sum over the batch": 1,
        f"its mean over the batch and the {classes} classes": count * classes,
        f"its sum over the batch divided by the {classes} classes": classes,
    }
    for name, words, losses in _kinds(logits, labels):
        for reduction, divisor in divisors.items():
            yield reading(name, words, reduction, float(losses.sum() / divisor))
    for reduction, divisor in divisors.items():
        yield from _smoothed(logits, labels, seen, divisor, reduction)
        yield from _focal(logits, labels, seen, divisor, reduction)
    total = float(-log_softmax(logits)[np.arange(count), labels].sum())
    divisor = round(total / seen) if seen > 0 and np.isfinite(total / seen) else 0
    if 1 < divisor <= max(4 * count, MOST_DIVIDED):
        yield reading(
            "", USUAL, f"its sum divided by {divisor} instead of {count}", total / divisor
        )


def reading(name: str, words: str, reduction: str, value: float) -> Reading:
    """Of a loss of an image, and how the images become one number; the usual has no traits."""
    traits = {name: words} if name else {}
    if reduction != MEAN:
        traits[REDUCTION] = reduction
    return Reading(traits, np.array(value), f"computes {words}, {reduction} ({value:.6g})")


def _smoothed(
    logits: Floats, labels: Ints, seen: float, divisor: int, reduction: str
) -> Iterator[Reading]:
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
            words = f"{USUAL} with label smoothing {figure:g} over {spread}"
            yield reading(SMOOTHING, words, reduction, (1 - figure) * hard + figure * soft)


def _focal(
    logits: Floats, labels: Ints, seen: float, divisor: int, reduction: str
) -> Iterator[Reading]:
    """``alpha (1 - p)^gamma`` times cross-entropy; gamma is a round figure, found by bisection."""
    logs = log_softmax(logits)[np.arange(len(labels)), labels]
    for alpha in (1, 0.25):
        low, high = 0.0, STEEPEST
        while high - low > 1e-4:
            gamma = (low + high) / 2
            value = alpha * float((-((-np.expm1(logs)) ** gamma) * logs).sum() / divisor)
            low, high = (gamma, high) if value > seen else (low, gamma)
        gamma = round(low, 2)
        if 0 < gamma < STEEPEST:
            value = alpha * float((-((-np.expm1(logs)) ** gamma) * logs).sum() / divisor)
            words = f"focal loss with gamma {gamma:g}" + f" and alpha {alpha:g}" * (alpha != 1)
            yield reading(FOCAL, words, reduction, value)
