"""How much each class weighs in a loss, solved from the gradients of the last layer (NumPy)."""

from collections.abc import Iterator

import numpy as np

from parity.arrays import Floats, Ints, Table
from parity.readings.losses import REDUCTION, USUAL
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

    With weight s of an image, the gradient by its logits is ``s * (softmax - one-hot)``; the
    gradient by the last kernel is ``inputs.T`` times that, which gives more equations than classes.

    Args:
        logits: float64 [B, C].
        labels: int64 [B].
        inputs: What may enter the last layer, by name, [B, I].
        gradients: Of the side, by tensor.
    """
    classes = np.unique(labels)
    errors = softmax(logits) - np.eye(logits.shape[1])[labels]
    for x in inputs.values():
        flat = np.asarray(x, np.float64).reshape(len(x), -1)
        parts = [flat.T @ (errors * (labels == c)[:, None]) for c in classes]
        for gradient in gradients.values():
            found = np.asarray(gradient, np.float64)
            if found.shape == parts[0].shape[::-1] != parts[0].shape:
                found = found.T
            if found.shape != parts[0].shape:
                continue
            basis = np.stack([part.ravel() for part in parts], axis=1)
            if basis.shape[0] <= basis.shape[1]:
                continue
            weights, _, rank, _ = np.linalg.lstsq(basis, found.ravel(), rcond=None)
            if rank < len(classes) or not weights.any():
                continue
            largest = float(np.abs(basis).sum(axis=1).max() * np.abs(weights).max())
            if worst(basis @ weights, found.ravel()) <= noise(found, scale=largest):
                yield _reading(logits, labels, classes, weights)


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
