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
    """

    top_share: float = 0.5
    top_share_excess: float = 0.3
    spread: float = 0.05
    support: int = 30
    images: int = 100


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
