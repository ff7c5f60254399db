"""Binary cross-entropy with smoothed targets, with weights, or focal (NumPy)."""

from collections.abc import Iterator

import numpy as np

from parity.arrays import Floats, Table
from parity.readings.class_weights import WEIGHTS, solve
from parity.readings.losses import FOCAL, SMOOTHING
from parity.readings.readings import Reading
from parity.readings.regression import BROADCAST, ENTROPIES, ERROR, REDUCTION

GAMMAS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0)
ALPHAS = (None, 0.1, 0.2, 0.25, 0.5, 0.75, 0.8, 0.9)
"""Of a focal loss, whose authors take 2 and 0.25 (Lin et al. 2017): a weight of the positives."""
NEARLY = 1e-12
"""Relative difference from a round number that a solved one may have: thousands of roundings."""
MEAN = "their mean"
USUAL = {ERROR: ENTROPIES, REDUCTION: MEAN, BROADCAST: "of each against its own"}
ADVICE = {
    WEIGHTS: (
        "give both the same weights of the two classes: pos_weight= in torch's BCEWithLogitsLoss, "
        "class_weight={0: ..., 1: ...} in Keras"
    )
}


def readings(
    logits: Floats, targets: Floats, inputs: Table, gradients: Table, seen: float
) -> Iterator[Reading]:
    """What a recorded loss may be of logits of a class each, the usual apart.

    Args:
        logits: float64 [B, N].
        targets: Of the same shape, between 0 and 1.
        inputs: What may enter the last layer, by name, [B, ...].
        gradients: Of the side, by tensor.
        seen: The recorded loss, from which the smoothing is solved.
    """
    if targets.min() < 0 or targets.max() > 1:
        return
    sums = {MEAN: logits.size, "their sum": 1}
    plain = np.logaddexp(0, logits) - targets * logits
    for reduction, divisor in sums.items():
        hard, slope = float(plain.sum()), float(((targets - 0.5) * logits).sum())
        figure = round((seen * divisor - hard) / slope, 3) if slope else 0.0
        if 0 < figure < 1:
            words = f"with label smoothing {figure:g}"
            yield _reading({SMOOTHING: words}, words, reduction, (hard + figure * slope) / divisor)
    # 1 minus the probability of the target, without the cancellation
    missing = np.exp(-np.logaddexp(0, (2 * targets - 1) * logits))
    for gamma in GAMMAS:
        for alpha in ALPHAS:
            share = 1.0 if alpha is None else np.where(targets > 0.5, alpha, 1 - alpha)
            total = float((share * missing**gamma * plain).sum())
            words = f"focal with gamma {gamma:g}" + (f" and alpha {alpha:g}" if alpha else "")
            for reduction, divisor in sums.items():
                yield _reading({FOCAL: words}, words, reduction, total / divisor)
    if set(np.unique(targets)) == {0.0, 1.0}:
        yield from _weighted(logits, targets, plain, inputs, gradients)


def _weighted(
    logits: Floats, targets: Floats, plain: Floats, inputs: Table, gradients: Table
) -> Iterator[Reading]:
    """A weight for either target of each label, solved from the gradient of the last kernel."""
    labels = logits.shape[1]
    errors = 1 / (1 + np.exp(-logits)) - targets
    for x in inputs.values():
        flat = np.asarray(x, np.float64).reshape(len(x), -1)
        for gradient in gradients.values():
            if gradient.size != flat.shape[1] * labels or gradient.ndim < 2:
                continue
            columns = np.asarray(gradient, np.float64).reshape(-1, labels)
            each = [
                _of_label(errors[:, [n]], targets[:, [n]], flat, columns[:, [n]])
                for n in range(labels)
            ]
            found = np.stack([solved for solved in each if solved is not None] or [np.zeros(2)])
            if len(found) < labels or (found <= 0).any():
                continue
            weights = _meant(found * logits.size)
            value = float((plain * np.where(targets > 0.5, weights[:, 1], weights[:, 0])).mean())
            negative, positive = (_listed(share) for share in weights.T)
            words = f"with weights {negative} (target 0) and {positive} (target 1)"
            yield _reading({WEIGHTS: words}, words, MEAN, value)


def _of_label(errors: Floats, targets: Floats, x: Floats, gradient: Floats) -> Floats | None:
    """How much its targets 0 and 1 weigh, [2]: one that is not in the batch as the other."""
    seen = [value for value in (0.0, 1.0) if (targets == value).any()]
    found = solve([errors * (targets == value) for value in seen], x, gradient)
    return None if found is None else np.resize(found, 2)


def _meant(weights: Floats) -> Floats:
    """Round numbers where they are nearly such: solved ones have lost some digits."""
    figures = np.array([float(f"{weight:.6g}") for weight in weights.flat]).reshape(weights.shape)
    return np.where(np.abs(figures - weights) <= NEARLY * np.abs(weights), figures, weights)


def _listed(weights: Floats) -> str:
    """Of the labels in turn; one figure where all are the same."""
    figures = [f"{weight:.6g}" for weight in weights]
    return figures[0] if len(set(figures)) == 1 else ", ".join(figures)


def _reading(traits: dict[str, str], words: str, reduction: str, value: float) -> Reading:
    said = f"computes binary cross-entropies {words}, {reduction} ({value:.6g})"
    return Reading({**USUAL, **traits, REDUCTION: reduction}, np.array(value), said)
