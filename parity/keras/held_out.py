"""Whether Keras has held out classes that it trains on nothing of, as `validation_split` may."""

import numpy as np

from parity.arrays import Array, Ints
from parity.watch.diagnosis import Finding

FEW = 5
"""Samples of a class from which on it says something that none is recognised."""
MOST = 0.45
"""Share of the samples that is held out at most."""
BELOW = 0.1
"""By how much samples that are trained on may be read worse than the training says."""


class HeldOut:
    """The validation of a training."""

    def __init__(self) -> None:
        self.batches = 0
        self._said = False

    def look(
        self, labels: Ints, ids: Ints, logits: Array, accuracy: float, steps: int
    ) -> Finding | None:
        """What `never_trained` finds, once.

        Args: as there, but for
            logits: Of the network, [N, C].
            steps: Batches of an epoch of training.
        """
        if self._said or not self.batches:
            return None
        whole = self.batches + steps
        predicted = logits.argmax(axis=1)
        found = never_trained(labels, ids, predicted, accuracy, self.batches / whole, 1 / whole)
        self._said = found is not None
        return found


def never_trained(
    labels: Ints, ids: Ints, predicted: Ints, accuracy: float, share: float, slack: float
) -> Finding | None:
    """Classes that lie at the end of the samples only, and of which the network knows nothing.

    Keras holds out the last samples, before it shuffles.

    Args:
        labels: Of all samples in their order, int64 [M].
        ids: Which of them the network was asked for, int64 [N].
        predicted: What it answered, int64 [N].
        accuracy: Of the training, as Keras tells it.
        share: Of the samples that are held out, as the numbers of batches tell.
        slack: By how much it may be off.
    """
    asked, held = labels[ids], min(share + slack, MOST)
    start = len(labels) * (1 - held)
    unknown = [
        int(name)
        for name in np.unique(asked)
        if (asked == name).sum() >= FEW
        and np.flatnonzero(labels == name)[0] >= start
        and not (predicted == name).any()
    ]
    trained = (predicted == asked)[ids < len(labels) * (1 - share - slack)]
    if not unknown or not trained.size or trained.mean() < accuracy - BELOW:
        return None
    names = ", ".join(map(str, unknown))
    count = int(np.isin(labels, unknown).sum())
    return Finding(
        "what is held out for validation is of classes that the training never sees",
        f"all {count:,} samples of class {names} lie in the last {share:.0%}, and the network "
        f"never answers {names}; of those before it reads {trained.mean():.0%}",
        "Shuffle before fit, which shuffles only what validation_split has left: "
        "order = np.random.permutation(len(x)); x, y = x[order], y[order]",
    )
