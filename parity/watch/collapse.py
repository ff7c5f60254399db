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
        support: Images of a class from which on it must be predicted, unless it is rarer than a
            quarter of an even share: good models may miss what is rare.
        images: Images from which on a model must beat the answer "always the majority class".
        handful: Images below which one answer for all may be a plateau of any length: the four of
            an exclusive or are told apart after thousands of steps.
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
        balanced_gain: Mean recall above chance, up to which rare classes are not known.
    """

    top_share: float = 0.5
    top_share_excess: float = 0.3
    spread: float = 0.05
    support: int = 30
    images: int = 100
    handful: int = 32
    steps: int = 100
    patience: int = 1000
    training_spread: float = 0.02
    broken: float = 0.01
    smothered: float = 0.95
    diverged: float = 3.0
    balanced_gain: float = 0.05


def signs_of_collapse(
    predicted: NDArray[np.int64],
    classes: int,
    *,
    labels: NDArray[np.int64] | None = None,
    logits: NDArray[np.floating[Any]] | None = None,
    probabilities: NDArray[np.floating[Any]] | None = None,
    frequencies: NDArray[np.floating[Any]] | None = None,
    limits: CollapseLimits | None = None,
) -> list[str]:
    """Every sign that a model has collapsed, in plain words; none for a healthy model.

    Args:
        predicted: int64 [N], the predicted classes.
        classes: Number of classes, C.
        labels: int64 [N]; without them only what needs no truth is judged.
        logits: float [N, C], if there are any.
        probabilities: float [N, C], if there are any.
        frequencies: float [C], of the classes in training, which an unsure model falls back on.
        limits: When a sign is believed.
    """
    limits = limits or CollapseLimits()
    outputs = {"logits": logits, "probabilities": probabilities}
    if broken := [sign for name in outputs for sign in _broken(name, outputs[name], limits)]:
        return broken
    signs = [] if _sees(predicted, labels) else _constant(probabilities, limits)
    counts = np.bincount(predicted, minlength=classes)
    top = int(counts.argmax())
    share = counts[top] / len(predicted)
    if labels is None:
        if share > 1 - limits.top_share_excess and len(predicted) >= limits.images:
            signs.append(f"{share:.2%} of the predictions are class {top}")
        return signs
    return signs + _against(labels, counts, predicted, frequencies, limits)


def _sees(predicted: NDArray[np.int64], labels: NDArray[np.int64] | None) -> bool:
    """Whether answers are right so often that, however vague, they do depend on the image."""
    if labels is None:
        return False
    majority = np.bincount(labels).max() / len(labels)
    return bool((predicted == labels).mean() >= (1 + majority) / 2)


def _against(
    labels: NDArray[np.int64],
    counts: NDArray[np.int64],
    predicted: NDArray[np.int64],
    frequencies: NDArray[np.floating[Any]] | None,
    limits: CollapseLimits,
) -> list[str]:
    """Signs that the truth shows; counts int64 [C] are of the predictions."""
    signs = []
    classes, top = len(counts), int(counts.argmax())
    share = counts[top] / len(predicted)
    support = np.bincount(labels, minlength=classes)
    label_shares = support / len(labels)
    usual = label_shares[top] if frequencies is None else max(label_shares[top], frequencies[top])
    if share > limits.top_share and share - usual > limits.top_share_excess:
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
    several = (support > 0).sum() > 1
    if several and len(labels) >= limits.images and accuracy <= label_shares.max():
        signs.append(
            f"accuracy {accuracy:.2%} does not beat always answering class "
            f"{int(support.argmax())} ({label_shares.max():.2%})"
        )
    return signs


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


def entropy(shares: NDArray[np.floating[Any]]) -> float:
    """Of shares float [C] that add up to 1, in nats."""
    some = shares[shares > 0]
    return max(0.0, -float((some * np.log(some)).sum()))
