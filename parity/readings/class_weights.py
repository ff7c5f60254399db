"""How much each class weighs in a loss, solved from the gradients of the last layer (NumPy)."""

from collections.abc import Iterator

import numpy as np

from parity.arrays import Floats, Ints, Table
from parity.readings.losses import REDUCTION, SMOOTHING, USUAL
from parity.readings.readings import Reading
from parity.readings.rounding import noise, worst
from parity.readings.rows import log_softmax, softmax

WEIGHTS, IGNORED, SCALED = "class weights", "ignored class", "loss scaled"
ADVICE = {
    WEIGHTS: (
        "give both the same class weights and the same divisor: torch's CrossEntropyLoss(weight=) "
        "divides by their sum over the batch, Keras' class_weight by the batch size"
    ),
    IGNORED: "give both the same ignore_index (torch), ignore_class (Keras), and the same divisor",
    SCALED: "multiply both by the same figure, or neither: sample weights, loss / n",
}
SAME = 1e-9
"""Relative difference of two weights that are the same."""


def readings(logits: Floats, labels: Ints, inputs: Table, gradients: Table) -> Iterator[Reading]:
    """Cross-entropy with a weight for each class, as one side's gradients show it.

    Of logits float64 [B, C] and labels int64 [B]; `inputs`, by name, [B, I], may enter the last
    layer.

    With weight s of an image, the gradient by its logits is ``s * (softmax - one-hot)``; the
    gradient by the last kernel is ``inputs.T`` times that, which gives more equations than classes.
    Labels smoothed by e add a term: ``s e (one-hot - 1 / C)`` where an image has a weight (Keras),
    ``e / C`` times the sum over classes j of ``w_j (softmax - one-hot of j)`` where a logarithm has
    one (torch).
    """
    classes = np.unique(labels)
    errors = softmax(logits) - np.eye(logits.shape[1])[labels]
    hard = [errors * (labels == c)[:, None] for c in classes]
    for x in inputs.values():
        flat = np.asarray(x, np.float64).reshape(len(x), -1)
        for gradient in gradients.values():
            found = np.asarray(gradient, np.float64)
            if found.shape == (logits.shape[1], flat.shape[1]) != found.shape[::-1]:
                found = found.T
            if found.shape != (flat.shape[1], logits.shape[1]):
                continue
            weights = solve(hard, flat, found)
            if weights is not None:
                yield _reading(logits, labels, classes, weights)
            else:
                yield from _smoothed(logits, labels, hard, flat, found)


def ignoring(logits: Floats, labels: Ints) -> Iterator[Reading]:
    """Cross-entropy without the images of one class, which the loss alone tells: padding, say."""
    classes = np.unique(labels)
    for c in classes:
        left = np.where(classes == c, 0.0, 1.0)
        for count in (int((labels != c).sum()), len(labels)):
            if count:
                yield _reading(logits, labels, classes, left / count)


def solve(errors: list[Floats], inputs: Floats, gradient: Floats) -> Floats | None:
    """By how much each error [B, C] counts in the gradient [I, C], if they explain it."""
    basis = np.stack([(inputs.T @ error).ravel() for error in errors], axis=1)
    if basis.shape[0] <= basis.shape[1]:
        return None
    solved, _, rank, _ = np.linalg.lstsq(basis, gradient.ravel(), rcond=None)
    if rank < len(errors) or not solved.any():
        return None
    largest = float(np.abs(basis).sum(axis=1).max() * np.abs(solved).max())
    near = worst(basis @ solved, gradient.ravel()) <= noise(gradient, scale=largest)
    return np.asarray(solved) if near else None


def _smoothed(
    logits: Floats, labels: Ints, hard: list[Floats], inputs: Floats, gradient: Floats
) -> Iterator[Reading]:
    """Smoothed labels, where an image or a logarithm has the weight of its class."""
    classes, every = np.unique(labels), np.eye(logits.shape[1])
    count, logs = len(every), -log_softmax(logits)
    by_image = [(every[labels] - 1 / count) * (labels == c)[:, None] for c in classes]
    solved = solve(hard + by_image, inputs, gradient)
    if solved is not None and (figure := _figure(*np.split(solved, 2)[::-1])):
        # Once more with the round figure, for weights that are exact enough for the loss.
        errors = [h + figure * s for h, s in zip(hard, by_image, strict=True)]
        weights = solve(errors, inputs, gradient)
        if weights is not None:
            of_image = weights[np.searchsorted(classes, labels)]
            soft = float((of_image * logs.mean(axis=1)).sum())
            words = f"with label smoothing {figure:g}"
            yield _softened(_reading(logits, labels, classes, weights), figure, soft, words)
    by_logarithm = [softmax(logits) - one for one in every]
    solved = solve(hard + by_logarithm, inputs, gradient)
    if solved is None:
        return
    harder, softer = np.split(solved, [len(classes)])
    figure = _figure(count * softer[classes], harder + count * softer[classes])
    if figure:
        errors = [figure / count * error for error in by_logarithm]
        for c, error in zip(classes, hard, strict=True):
            errors[c] = errors[c] + (1 - figure) * error
        weights = solve(errors, inputs, gradient)
        if weights is not None:
            soft = float((logs @ weights).sum() / count)
            words = f"with label smoothing {figure:g}, weighted too"
            yield _softened(
                _reading(logits, labels, classes, weights[classes]), figure, soft, words
            )


def _figure(part: Floats, whole: Floats) -> float | None:
    """Their one ratio, rounded, where it is the same for all classes that are not ignored."""
    counted = np.abs(whole) > SAME * np.abs(whole).max()
    ratios = part[counted] / whole[counted]
    if np.ptp(ratios) > 1e-6 or np.abs(part[~counted]).sum() > SAME:
        return None
    return round(float(ratios.mean()), 3) or None


def _softened(hard: Reading, figure: float, soft: float, words: str) -> Reading:
    """The reading of hard labels, with so much of the loss of even ones."""
    value = (1 - figure) * hard.values + figure * soft
    said = f"{hard.words.rpartition(' (')[0]}, {words} ({float(value):.6g})"
    return Reading({SMOOTHING: words, **hard.traits}, value, said)


def _reading(logits: Floats, labels: Ints, classes: Ints, weights: Floats) -> Reading:
    """What the weights of an image of each class say."""
    of_image = weights[np.searchsorted(classes, labels)]
    losses = -log_softmax(logits)[np.arange(len(labels)), labels]
    value, total = float((of_image * losses).sum()), float(of_image.sum())
    ignored = np.abs(weights) <= SAME * np.abs(weights).max()
    left = weights[~ignored]
    even = bool(np.ptp(left) <= SAME * np.abs(left).max())
    by_sum = abs(total - 1) <= SAME and (ignored.any() or not even)
    divisor = "the number of images that are left" if even else "the sum of the weights"
    divided = f"divided by {divisor if by_sum else 'the batch size'}"
    shown = left * (1 / left.min() if by_sum else len(labels))
    said = ", ".join(f"{c}: {w:.4g}" for c, w in zip(classes[~ignored], shown, strict=True))
    traits = {}
    if ignored.any():
        gone = ", ".join(str(c) for c in classes[ignored])
        traits[IGNORED] = f"without images of class {gone}"
    if not even:
        traits[WEIGHTS] = f"with weights of the classes {said}"
    elif not by_sum and abs(left[0] - 1) <= SAME:
        divided, traits[REDUCTION] = "its sum over the batch", "summed"
    elif not by_sum and abs(shown[0] - 1) > SAME:
        traits[SCALED] = f"times {shown[0]:.6g}"
    words = " ".join([f"computes {USUAL}", *traits.values()])
    traits = {name: f"{what}, {divided}" for name, what in traits.items()}
    return Reading(traits, np.array(value), f"{words}, {divided} ({value:.6g})")
