"""The one definition of collapse (numpy only): a model that no longer looks at its inputs.

Used by the judge on finished runs and, through the same function, by whoever watches a training.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

COLLAPSED = 3
"""Exit code of the judge, and of a training that the guard has stopped."""


@dataclass(frozen=True)
class CollapseLimits:
    """When a sign of collapse is believed.

    Attributes:
        top_share: Share of the most predicted class above which one class has taken over. Measured
            on MNIST: collapsed models 0.57 to 1.00, healthy ones 0.114 at most.
        top_share_excess: By how much that share must exceed the class's share of the labels, so
            that a good model of unbalanced data is left alone.
        spread: Range of a class's probability over the images, largest of all classes, below which
            the outputs do not depend on the inputs. Measured: all-1s models stay below 0.01,
            healthy ones reach 1.
        support: Images of a class from which on it must be predicted at least once, unless it is
            rarer than a quarter of an even share: good models may miss what is rare.
        images: Images from which on a model must beat the answer "always the majority class".
        steps: Updates after which a network that is fed other pixels than it should be must tell
            images apart.
        patience: Updates after which any network must. Most do from the start; deep sigmoid
            networks stay on a plateau for hundreds of steps.
        training_spread: As `spread`, for networks in training. Measured on MNIST after an epoch:
            all-1s networks 0.0012 at most.
        broken: Share of the images up to which outputs that are not finite are those of a few odd
            images, and not of a network that has diverged.
        smothered: Share of dead ReLU units in a layer from which on the few that are left cannot
            tell images apart, if nearly all get the same answer. Measured on the embedded digits,
            inverted and not scaled: 0.96 to 0.996, and 99 % of one class for as long as it trains.
        diverged: Loss, as a multiple of the class frequencies' entropy, from which on a network
            that does not beat the majority class has diverged.
    """

    top_share: float = 0.5
    top_share_excess: float = 0.3
    spread: float = 0.05
    support: int = 30
    images: int = 100
    steps: int = 100
    patience: int = 1000
    training_spread: float = 0.02
    broken: float = 0.01
    smothered: float = 0.95
    diverged: float = 3.0


def signs_of_collapse(
    predicted: NDArray[np.int64],
    classes: int,
    *,
    labels: NDArray[np.int64] | None = None,
    logits: NDArray[np.floating[Any]] | None = None,
    probabilities: NDArray[np.floating[Any]] | None = None,
    limits: CollapseLimits | None = None,
) -> list[str]:
    """Every sign that a model has collapsed, in plain words; none for a healthy model.

    Args:
        predicted: int64 [N], the predicted classes.
        classes: Number of classes, C.
        labels: int64 [N]; without them only what needs no truth is judged.
        logits: float [N, C], if there are any.
        probabilities: float [N, C], if there are any.
        limits: When a sign is believed.
    """
    limits = limits or CollapseLimits()
    outputs = {"logits": logits, "probabilities": probabilities}
    if broken := [sign for name in outputs for sign in _broken(name, outputs[name], limits)]:
        return broken
    signs = _constant(probabilities, limits)
    counts = np.bincount(predicted, minlength=classes)
    top = int(counts.argmax())
    share = counts[top] / len(predicted)
    if labels is None:
        if share > 1 - limits.top_share_excess and len(predicted) >= limits.images:
            signs.append(f"{share:.2%} of the predictions are class {top}")
        return signs
    support = np.bincount(labels, minlength=classes)
    label_shares = support / len(labels)
    if share > limits.top_share and share - label_shares[top] > limits.top_share_excess:
        signs.append(
            f"{share:.2%} of the predictions are class {top}, "
            f"which {label_shares[top]:.2%} of the labels are"
        )
    expected = (support >= limits.support) & (label_shares >= 0.25 / classes)
    unused = np.flatnonzero((counts == 0) & expected).tolist()
    if unused:
        names = ", ".join(map(str, unused[:10])) + (", ..." if len(unused) > 10 else "")
        signs.append(f"never predicts {len(unused)} of {classes} classes ({names})")
    accuracy = float((predicted == labels).mean())
    if len(labels) >= limits.images and accuracy <= label_shares.max():
        signs.append(
            f"accuracy {accuracy:.2%} does not beat always answering class "
            f"{int(support.argmax())} ({label_shares.max():.2%})"
        )
    return signs


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
        return cls(
            images,
            broken,
            top_class=int(shares.argmax()),
            top_share=float(shares.max()),
            classes=int((shares > 0).sum()),
            entropy=entropy(shares) / float(np.log(columns)),
            spread=float(np.ptp(probabilities, axis=0).max()),
            gain=float((predicted == labels).mean() - frequencies.max()),
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
        if not settled or self.blind_loss == 0:  # a single class has nothing to tell apart
            return []
        answer = f"{self.top_share:.2%} of the predictions are class {self.top_class}"
        if self.spread < limits.training_spread:
            return [
                f"{answer}: the probabilities differ by {self.spread:.2g} at most between images"
            ]
        if self.loss > limits.diverged * self.blind_loss and self.gain <= 0:
            return [
                f"{answer}, and the loss of {self.loss:.3g} is far above the "
                f"{self.blind_loss:.3g} of knowing only the class frequencies"
            ]
        return []


def entropy(shares: NDArray[np.floating[Any]]) -> float:
    """Of shares float [C] that add up to 1, in nats."""
    some = shares[shares > 0]
    return max(0.0, -float((some * np.log(some)).sum()))


def dead_layers(dead: dict[str, float]) -> list[str]:
    """A sign for each layer whose ReLU units, by share, are all 0 for every image: no gradient."""
    return [
        f"every ReLU unit after {layer} is dead: 0 for every image"
        for layer, share in dead.items()
        if share == 1
    ]


def _broken(
    name: str, outputs: NDArray[np.floating[Any]] | None, limits: CollapseLimits
) -> list[str]:
    bad = 0 if outputs is None else int((~np.isfinite(outputs)).any(axis=1).sum())
    if outputs is None or bad <= limits.broken * len(outputs):
        return []
    return [f"{name} of {bad:,} of {len(outputs):,} images are not finite"]


def _constant(probabilities: NDArray[np.floating[Any]] | None, limits: CollapseLimits) -> list[str]:
    if probabilities is None or len(probabilities) < 2:
        return []
    finite = probabilities[np.isfinite(probabilities).all(axis=1)]
    spread = float(np.ptp(finite, axis=0).max())
    if spread >= limits.spread:
        return []
    return [f"the probabilities hardly depend on the image: they differ by {spread:.2g} at most"]


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
