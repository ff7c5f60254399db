"""What is known of one model, and what can be said of it."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.watch.collapse import entropy, signs_of_collapse
from parity.watch.symptoms import Symptoms

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

BARELY_MOVED = 0.01
"""Change of the weights, relative to their norm, that a training exceeds in a hundred steps."""


@dataclass(frozen=True)
class Finding:
    """A cause by name, the figures that point to it, and what to change."""

    cause: str
    figures: str
    advice: str

    def __str__(self) -> str:
        return f"{self.cause}: {self.figures}. {self.advice}."


@dataclass(frozen=True)
class Case:
    """What is known of one model.

    Attributes:
        logits: float [N, C], the answers.
        labels: int64 [N], the truth, or None.
        symptoms: What was measured besides; empty for a bare prediction file.
        classes_only: Whether only classes are known: then the logits merely say which.
    """

    logits: NDArray[np.floating[Any]]
    labels: Ints | None = None
    symptoms: Symptoms = field(default_factory=Symptoms)
    classes_only: bool = False

    @property
    def classes(self) -> int:
        """C."""
        return int(self.logits.shape[1])

    @cached_property
    def finite(self) -> bool:
        """Whether every logit is."""
        return bool(np.isfinite(self.logits).all())

    @cached_property
    def log_probabilities(self) -> Floats:
        """Natural logarithms, float [N, C]."""
        logits = self.logits.astype(np.float64)
        shifted = logits - logits.max(axis=1, keepdims=True)
        result: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return result

    @cached_property
    def spread(self) -> float:
        """Range of a class's probability over the images, largest of all classes."""
        return float(np.ptp(np.exp(self.log_probabilities), axis=0).max())

    @cached_property
    def predicted(self) -> Ints:
        """Class with the largest logit, int64 [N]."""
        return np.asarray(self.logits.argmax(axis=1), np.int64)

    @cached_property
    def frequencies(self) -> Floats | None:
        """Class frequencies, float [C]: of the training labels where they are known."""
        counts = self.symptoms.class_counts
        if counts is not None and len(counts) == self.classes:
            return np.array(counts) / sum(counts)
        if self.labels is None:
            return None
        return np.bincount(self.labels, minlength=self.classes) / len(self.labels)

    @cached_property
    def entropy(self) -> float:
        """Loss of a model that knows the class frequencies and nothing else, in nats."""
        even = np.ones(self.classes) / self.classes
        return entropy(even if self.frequencies is None else self.frequencies)

    @cached_property
    def accuracy(self) -> float | None:
        """Share of the images that are read right."""
        return None if self.labels is None else float((self.predicted == self.labels).mean())

    @cached_property
    def loss(self) -> float | None:
        """Cross-entropy in nats."""
        if self.labels is None or not self.finite or self.classes_only:
            return None
        return float(-self.log_probabilities[np.arange(len(self.labels)), self.labels].mean())

    @cached_property
    def signs(self) -> list[str]:
        """Of collapse, in plain words."""
        with np.errstate(all="ignore"):  # what is not finite is a sign
            return signs_of_collapse(
                self.predicted,
                self.classes,
                labels=self.labels,
                logits=None if self.classes_only else self.logits,
                probabilities=None if self.classes_only else np.exp(self.log_probabilities),
            )

    @cached_property
    def sick(self) -> bool:
        """Collapsed, or less than half way from the majority class to all right."""
        if not self.finite or self.accuracy is None or self.labels is None:
            return bool(self.signs)
        majority = np.bincount(self.labels).max() / len(self.labels)
        return bool(self.accuracy < majority + (1 - majority) / 2)


def dead_from(case: Case, share: float, *, at_start: bool = False) -> list[str]:
    """Layers of which at least `share` of the ReLU units is dead, now or before training."""
    return [
        layer.name
        for layer in case.symptoms.layers
        if (value := layer.dead_at_start if at_start else layer.dead) is not None and value >= share
    ]
