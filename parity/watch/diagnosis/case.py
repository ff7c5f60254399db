"""What is known of one model, and how it does."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.watch.collapse import CollapseLimits, entropy, signs_of_collapse
from parity.watch.diagnosis.figures import SURE, Floats, above_majority, log_softmax, standard_error
from parity.watch.symptoms import Symptoms

Ints = NDArray[np.int64]

LIMITS = CollapseLimits()
FALLEN = 0.03
"""Loss of accuracy against training, beyond chance, that needs a cause. Measured on MNIST and on
the embedded digits: up to 0.02 against the validation images of the best epoch."""
STILL_FALLING = 0.1
"""Part of its loss that a network loses in the second half of its steps while it still learns."""


@dataclass(frozen=True)
class Finding:
    """A cause by name, the figures that point to it, what to change, and what follows from it."""

    cause: str
    figures: str
    advice: str
    consequences: tuple["Finding", ...] = ()

    def __str__(self) -> str:
        text = f"{self.cause}: {self.figures}. {self.advice}."
        return text + "".join(
            f" And so {item.cause} ({item.figures})." for item in self.consequences
        )


@dataclass(frozen=True)
class Case:
    """What is known of one model.

    Attributes:
        logits: float [N, C], the answers.
        labels: int64 [N], the truth, or None.
        symptoms: What was measured besides; empty for a bare prediction file.
        classes_only: Whether only classes are known: then the logits merely say which.
        names: Of the classes, where the file names them.
    """

    logits: NDArray[np.floating[Any]]
    labels: Ints | None = None
    symptoms: Symptoms = field(default_factory=Symptoms)
    classes_only: bool = False
    names: tuple[str, ...] | None = None

    @property
    def classes(self) -> int:
        """C."""
        return int(self.logits.shape[1])

    @cached_property
    def finite(self) -> bool:
        """Whether every logit is."""
        return bool(np.isfinite(self.logits).all())

    @cached_property
    def are_probabilities(self) -> bool:
        """Whether each row is what a softmax gives: between 0 and 1, adding up to 1."""
        if not self.finite or self.logits.min() < -1e-6 or self.logits.max() > 1 + 1e-6:
            return False
        return bool(np.abs(self.logits.sum(axis=1, dtype=np.float64) - 1).max() < 1e-3)

    @cached_property
    def log_probabilities(self) -> Floats:
        """Natural logarithms, float [N, C]."""
        logits = self.logits.astype(np.float64)
        if self.are_probabilities:
            clipped: Floats = np.log(logits.clip(1e-30))
            return clipped
        return log_softmax(logits)

    @cached_property
    def spread(self) -> float:
        """Range of a class's probability over the images, largest of all classes."""
        return float(np.ptp(np.exp(self.log_probabilities), axis=0).max())

    @cached_property
    def predicted(self) -> Ints:
        """Class with the largest logit, int64 [N]."""
        return np.asarray(self.logits.argmax(axis=1), np.int64)

    @cached_property
    def training_shares(self) -> Floats | None:
        """Share of each class among the training images, float [C], where it is known."""
        return self._shares(self.symptoms.class_counts)

    @cached_property
    def validation_shares(self) -> Floats | None:
        """Share of each class among the validation images, float [C], where it is known."""
        return self._shares(self.symptoms.validation_counts)

    def _shares(self, counts: list[int] | None) -> Floats | None:
        """None also where the classes are not the network's."""
        if counts is None or len(counts) != self.classes or not sum(counts):
            return None
        return np.array(counts) / sum(counts)

    @cached_property
    def label_shares(self) -> Floats | None:
        """Share of each class among the images that were answered, float [C]."""
        if self.labels is None:
            return None
        return np.bincount(self.labels, minlength=self.classes) / len(self.labels)

    @cached_property
    def entropy(self) -> float:
        """Loss of a model that knows the class frequencies and nothing else, in nats."""
        known = (self.training_shares, self.label_shares, np.ones(self.classes) / self.classes)
        return entropy(next(shares for shares in known if shares is not None))

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
    def learned(self) -> bool:
        """Whether, when it was last looked at, training had got half way to all right."""
        shares = next(
            (s for s in (self.validation_shares, self.training_shares) if s is not None), None
        )
        if shares is None or self.symptoms.best_accuracy is None:
            return False
        half_way = above_majority(shares, 0.5)
        if not self.symptoms.readings:
            return self.symptoms.best_accuracy >= half_way
        last = self.symptoms.readings[-1]
        return not last["broken"] and bool(last["gain"] + shares.max() >= half_way)

    @property
    def young(self) -> bool:
        """Whether training ended before it can be judged: at once, or while it still learned."""
        return 0 < self.symptoms.step < LIMITS.steps or self.still_learning

    @property
    def still_learning(self) -> bool:
        """Whether more steps of the same are all that a weak network is known to lack."""
        if self.fallen or not self.weak or self.unfinished is None:
            return False
        trained, labels = self.training_shares, self.labels
        if trained is None or labels is None:
            return True
        return bool((trained[labels[labels < len(trained)]] > 0).all())

    @cached_property
    def signs(self) -> list[str]:
        """Of collapse, in plain words; a young network need not use all classes yet."""
        return self._signs()

    def _signs(self, frequencies: Floats | None = None) -> list[str]:
        many = 2**60
        limits = CollapseLimits(support=many, images=many) if self.young else LIMITS
        with np.errstate(all="ignore"):  # what is not finite is a sign
            return signs_of_collapse(
                self.predicted,
                self.classes,
                labels=self.labels,
                logits=None if self.classes_only else self.logits,
                probabilities=None if self.classes_only else np.exp(self.log_probabilities),
                frequencies=frequencies,
                limits=limits,
            )

    @property
    def collapsed_as_trained(self) -> bool:
        """Whether the signs are more than what the training classes make of a sound network.

        None knows a class that it was not shown, and one that is unsure of an image answers with
        a class that was frequent.
        """
        if self.labels is None or self.training_shares is None:
            return bool(self.signs)
        shares = np.append(self.training_shares, np.zeros(max(0, int(self.labels.max()) + 1)))
        known = shares[self.labels] > 0
        if not known.any():
            return bool(self.signs)
        asked = replace(self, logits=self.logits[known], labels=self.labels[known])
        return bool(asked._signs(self.training_shares))

    @cached_property
    def fallen(self) -> bool:
        """Whether it does worse than in training, by more than chance allows."""
        best, accuracy = self.symptoms.best_accuracy, self.accuracy
        if best is None or accuracy is None or self.labels is None:
            return False
        validated = sum(self.symptoms.validation_counts or [100])
        chance = standard_error((best + accuracy) / 2, len(self.labels), validated)
        return best - accuracy > FALLEN + SURE * chance

    @cached_property
    def weak(self) -> bool:
        """Whether it is less than half way to all right, from the majority class as from chance."""
        if self.accuracy is None or self.label_shares is None:
            return False
        by_chance = float(self.label_shares[self.predicted].mean())  # Cohen's kappa (1960)
        return self.accuracy < min(above_majority(self.label_shares, 0.5), (1 + by_chance) / 2)

    @property
    def ill(self) -> bool:
        """Whether it is weak, though it had the time to learn."""
        return self.weak and not self.young

    @cached_property
    def unfinished(self) -> tuple[float, float] | None:
        """Losses half way and at the end of a training that was still learning when it ended."""
        readings = [reading for reading in self.symptoms.readings if not reading["broken"]]
        half = [r for r in readings if 2 * r.get("step", 0) <= self.symptoms.step]
        if not half or len(readings) < len(self.symptoms.readings):
            return None
        losses = [r["loss"] for r in readings[len(half) - 1 :] if r["loss"] is not None]
        fell = len(losses) > 1 and bool((np.diff(losses) < 0).all())
        if not fell or losses[-1] > min(
            (1 - STILL_FALLING) * losses[0], readings[-1]["blind_loss"]
        ):
            return None
        return losses[0], losses[-1]

    @cached_property
    def wrong(self) -> bool:
        """Whether something needs a cause."""
        return bool(self.signs) or self.fallen or self.ill


def dead_from(case: Case, share: float, *, at_start: bool = False) -> list[str]:
    """Layers of which at least `share` of the ReLU units is dead, now or before training."""
    return [
        layer.name
        for layer in case.symptoms.layers
        if (value := layer.dead_at_start if at_start else layer.dead) is not None and value >= share
    ]
