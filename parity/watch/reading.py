"""What one look at a network in training says, and the signs of collapse in it (numpy only)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.watch.collapse import CollapseLimits, entropy


@dataclass(frozen=True)
class Reading:
    """One look at what a network in training says of labelled images.

    Where logits are not finite only `images` and `broken` mean anything.

    Attributes:
        images: How many there were.
        broken: Of those, how many have logits that are not finite.
        top_class: Class that is predicted most.
        top_share: Its share of the predictions.
        classes: Number of classes that are predicted at all.
        entropy: Of the predicted classes' shares: 0 for a single class, 1 for all alike.
        spread: Range of a class's probability over the images, largest of all classes.
        gain: Accuracy above that of always answering the majority class.
        balanced_gain: Mean of the classes' recalls above that of always answering one class; a
            loss that weights rare classes aims at it.
        loss: Cross-entropy in nats.
        blind_loss: That of knowing the class frequencies and nothing else, in nats.
    """

    images: int
    broken: int
    top_class: int = 0
    top_share: float = 0.0
    classes: int = 0
    entropy: float = 0.0
    spread: float = 0.0
    gain: float = 0.0
    balanced_gain: float = 0.0
    loss: float = 0.0
    blind_loss: float = 0.0

    @classmethod
    def of(cls, labels: NDArray[np.int64], logits: NDArray[np.floating[Any]]) -> "Reading":
        """Measure logits float [N, C] against labels int64 [N]."""
        images, columns = logits.shape
        broken = int((~np.isfinite(logits)).any(axis=1).sum())
        if broken:
            return cls(images, broken)
        values = logits.astype(np.float64)
        values -= values.max(axis=1, keepdims=True)
        probabilities = np.exp(values)
        totals = probabilities.sum(axis=1, keepdims=True)
        probabilities /= totals
        predicted = logits.argmax(axis=1)
        shares = np.bincount(predicted, minlength=columns) / images
        frequencies = np.bincount(labels, minlength=columns) / images
        right, present = predicted == labels, np.unique(labels)
        return cls(
            images,
            broken,
            top_class=int(shares.argmax()),
            top_share=float(shares.max()),
            classes=int((shares > 0).sum()),
            entropy=entropy(shares) / float(np.log(columns)),
            spread=float(np.ptp(probabilities, axis=0).max()),
            gain=float(right.mean() - frequencies.max()),
            balanced_gain=float(np.mean([right[labels == n].mean() for n in present]))
            - 1 / max(len(present), 1),
            loss=float((np.log(totals[:, 0]) - values[np.arange(images), labels]).mean()),
            blind_loss=entropy(frequencies),
        )

    def signs(self, *, settled: bool, limits: CollapseLimits | None = None) -> list[str]:
        """Signs that the network has collapsed; none for one that is merely slow.

        A slow learner may well predict a single class, or miss some, for epochs; but its outputs
        depend on the images from the first step on, and its loss is not far above that of knowing
        nothing.

        Args:
            settled: Whether it has had the time to tell images apart.
            limits: When a sign is believed.
        """
        limits = limits or CollapseLimits()
        if self.broken:
            return [f"logits of {self.broken:,} of {self.images:,} images are not finite"]
        alike = self.blind_loss == 0  # a single class has nothing to tell apart
        if not settled or alike or self.images < limits.handful:
            return []
        answer = f"{self.top_share:.2%} of the predictions are class {self.top_class}"
        if self.spread < limits.training_spread:
            return [
                f"{answer}: the probabilities differ by {self.spread:.2g} at most between images"
            ]
        blind = self.gain <= 0 and self.balanced_gain <= limits.balanced_gain
        if self.loss > limits.diverged * self.blind_loss and blind:
            return [
                f"{answer}, and the loss of {self.loss:.3g} is far above the "
                f"{self.blind_loss:.3g} of knowing only the class frequencies"
            ]
        return []


def dead_layers(dead: dict[str, float]) -> list[str]:
    """A sign for each layer whose ReLU units, by share, are all 0 for every image: no gradient."""
    return [
        f"every ReLU unit after {layer} is dead: 0 for every image"
        for layer, share in dead.items()
        if share == 1
    ]


def smothered(dead: dict[str, float], reading: Reading, limits: CollapseLimits) -> list[str]:
    """A sign for each layer that has hardly a living ReLU unit, where one class is answered.

    Args:
        dead: Share of dead units by layer.
        reading: What the network answers at the same time.
        limits: When it is believed.
    """
    if reading.broken or reading.gain > 0 or reading.top_share < limits.smothered:
        return []
    return [
        f"{share:.1%} of the ReLU units after {layer} are dead, and {reading.top_share:.2%} of the "
        f"predictions are class {reading.top_class}"
        for layer, share in dead.items()
        if share >= limits.smothered
    ]
