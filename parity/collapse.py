"""The one definition of collapse (numpy only): a model that no longer looks at its inputs.

Used by the judge on finished runs and, through the same function, by whoever watches a training.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


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
        training_spread: As `spread`, for networks in training. Measured: slow learners 0.03 or
            more, all-1s networks 0.01 at most.
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
    signs = []
    for name, outputs in (("logits", logits), ("probabilities", probabilities)):
        if outputs is not None and not np.isfinite(outputs).all():
            bad = int((~np.isfinite(outputs)).any(axis=1).sum())
            signs.append(f"{name} of {bad:,} of {len(outputs):,} images are not finite")
    if signs:
        return signs
    if probabilities is not None and len(probabilities) > 1:
        spread = float(np.ptp(probabilities, axis=0).max())
        if spread < limits.spread:
            signs.append(
                f"the probabilities hardly depend on the image: they differ by {spread:.2g} at most"
            )
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


def signs_while_training(
    labels: NDArray[np.int64],
    logits: NDArray[np.floating[Any]],
    *,
    settled: bool,
    limits: CollapseLimits | None = None,
) -> list[str]:
    """Signs that a network in training has collapsed; none for one that is merely slow.

    A slow learner may well predict a single class, or miss some, for epochs; but its outputs depend
    on the images from the first step on, and its loss is not far above that of knowing nothing.

    Args:
        labels: int64 [N], of validation images.
        logits: float [N, C], what the network says of them.
        settled: Whether it has had the time to tell images apart.
        limits: When a sign is believed.
    """
    limits = limits or CollapseLimits()
    finite = np.isfinite(logits)
    if not finite.all():
        bad = int((~finite).any(axis=1).sum())
        return [f"logits of {bad:,} of {len(logits):,} images are not finite"]
    if not settled or len(np.unique(labels)) < 2:
        return []
    values = logits.astype(np.float64)
    values -= values.max(axis=1, keepdims=True)
    probabilities = np.exp(values)
    totals = probabilities.sum(axis=1, keepdims=True)
    probabilities /= totals
    spread = float(np.ptp(probabilities, axis=0).max())
    counts = np.bincount(logits.argmax(axis=1), minlength=logits.shape[1])
    top = int(counts.argmax())
    answer = f"{counts[top] / len(labels):.2%} of the predictions are class {top}"
    if spread < limits.training_spread:
        return [f"{answer}: the probabilities differ by {spread:.2g} at most between images"]
    frequencies = np.bincount(labels, minlength=logits.shape[1]) / len(labels)
    entropy = -float((frequencies * np.log(np.where(frequencies > 0, frequencies, 1))).sum())
    loss = float((np.log(totals[:, 0]) - values[np.arange(len(labels)), labels]).mean())
    accuracy = float((logits.argmax(axis=1) == labels).mean())
    if loss > limits.diverged * entropy and accuracy <= frequencies.max():
        return [
            f"{answer}, and the loss of {loss:.3g} is far above the {entropy:.3g} of knowing only "
            "the class frequencies"
        ]
    return []


def dead_layers(dead: dict[str, float]) -> list[str]:
    """A sign for each layer all of whose ReLU units are 0 for every image: no gradient passes.

    Args:
        dead: Share of dead units by layer.
    """
    return [
        f"every ReLU unit after {layer} is dead: 0 for every image"
        for layer, share in dead.items()
        if share == 1
    ]
