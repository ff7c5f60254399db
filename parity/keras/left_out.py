"""Classes that a loss leaves out, though the samples are trained on (NumPy only)."""

import numpy as np

from parity.arrays import Array, Ints
from parity.keras.held_out import BELOW, FEW

DOUBTED = 0.3
"""Part of a class's frequency below which its mean probability shows that it counts for little."""
KNOWN = 0.6
"""Mean recall from which on the network has learned the other classes."""


def left_out(labels: Ints, logits: Array, accuracy: float) -> list[int]:
    """Classes that the network never answers and hardly believes in, while it knows the others.

    A crossentropy brings the mean probability of a class to its share of the samples, each as often
    as it weighs: its gradient for a bias of the last layer is the difference of the two.

    Args:
        labels: Of samples that are trained on, int64 [N].
        logits: Of the network, [N, C].
        accuracy: Of the training, as Keras tells it: that of other samples is another.
    """
    rows = np.exp(logits - logits.max(axis=1, keepdims=True).astype(np.float64))
    believed = (rows / rows.sum(axis=1, keepdims=True)).mean(axis=0)
    counts, predicted = np.bincount(labels, minlength=len(believed)), logits.argmax(axis=1)
    answered = np.bincount(predicted, minlength=len(believed)) > 0
    out = (counts >= FEW) & ~answered & (believed < DOUBTED * counts / len(labels))
    right, others = predicted == labels, np.flatnonzero(~out & (counts > 0))
    known = others.size and np.mean([right[labels == name].mean() for name in others]) >= KNOWN
    same = abs(right.mean() - accuracy) <= BELOW
    return [int(name) for name in np.flatnonzero(out)] if known and same else []
