"""Causes in what a loss makes of single classes: weights and one that is ignored."""

from dataclasses import replace

import numpy as np

from parity.watch.check.cause import Belief, Cause, Change, Match, Remedy
from parity.watch.check.head import fitting
from parity.watch.check.parts import ROWS
from parity.watch.check.program import Array, Program

ONE_SIDED = (0.97, 0.99)
"""Share that one class has of all weighted samples, from which on the others may be given up, and
mostly are."""
UNEVEN, HEAVIER = 2.0, 1.5
"""Ratio of the frequencies of classes from which on they are uneven, and of the weight of the most
frequent one to that of the rarest from which on weights add to that."""
IGNORED = 0.01
"""Share of the samples from which on it is no accident that their class is ignored."""


def weights(program: Program) -> Match | None:
    """Weights of classes that leave only one to be learned, or are the wrong way round."""
    loss, counts = program.loss, _counts(program)
    if loss is None or counts is None:
        return None
    weighted = counts * loss.weights
    if not weighted.sum() > 0:
        return None
    shares, top = weighted / weighted.sum(), int(weighted.argmax())
    frequencies = counts / counts.sum()
    turned = _turned(frequencies, np.array(loss.weights))
    if not turned and shares[top] < max(ONE_SIDED[0], frequencies[top]):
        return None
    remedy = _plain(program, "with all classes weighted alike")
    if turned and remedy is not None:
        changes, words = remedy.changes | Change.BALANCED, "with classes drawn equally often"
        remedy = replace(remedy, changes=changes, words=words)
    return Match(
        "the weights of the classes are the wrong way round: frequent ones weigh most"
        if turned
        else f"the weights of the classes leave only class {top} to be learned",
        f"{frequencies[top]:.1%} of the targets are class {top}, and {shares[top]:.2%} of "
        f"what {loss.name} adds up: weights {', '.join(f'{w:.3g}' for w in loss.weights[:5])}",
        "Weight each class by the inverse of its frequency, len(y) / (classes * counts), or leave "
        "the weights out",
        Belief.LIKELY if turned or shares[top] >= ONE_SIDED[1] else Belief.MAYBE,
        remedy,
    )


def weightless(program: Program) -> Match | None:
    """Classes of which nothing is learned, for their weight."""
    loss, counts = program.loss, _counts(program)
    if loss is None or counts is None:
        return None
    shares = counts / counts.sum()
    names = np.flatnonzero((np.array(loss.weights) == 0) & (shares >= IGNORED))
    if not names.size:
        return None
    return Match(
        f"the loss leaves out class {', '.join(map(str, names))}: its samples weigh nothing",
        f"the weight is 0, and {shares[names].sum():.0%} of the targets are of this class",
        program.words(torch="Look at weight= of the loss", keras="Look at class_weight")
        + " and at how it was computed",
        Belief.LIKELY,
        _plain(program, "with all classes weighted alike"),
    )


def _counts(program: Program) -> Array | None:
    """Targets of each class, where the loss has a weight for each."""
    loss, found = program.loss, program.classes
    if loss is None or found is None or len(found) < ROWS or not program.fair or found.min() < 0:
        return None
    counts = np.bincount(found, minlength=len(loss.weights)).astype(np.float64)
    return counts if len(loss.weights) == len(counts) and (counts > 0).sum() > 1 else None


def _turned(frequencies: Array, weights: Array) -> bool:
    """Whether of uneven classes the most frequent weighs more than the rarest."""
    weights, frequencies = weights[frequencies > 0], frequencies[frequencies > 0]
    top, last = frequencies.argmax(), frequencies.argmin()
    uneven = frequencies[top] >= UNEVEN * frequencies[last]
    return bool(uneven and weights.min() > 0 and weights[top] >= HEAVIER * weights[last])


def ignored(program: Program) -> Match | None:
    """A class that counts for nothing."""
    loss, found, columns = program.loss, program.labels, program.columns
    if loss is None or loss.ignored is None or found is None or columns is None:
        return None
    share = float((found == loss.ignored).mean())
    if not 0 <= loss.ignored < columns or share < IGNORED:
        return None
    return Match(
        f"{loss.name} ignores class {loss.ignored}",
        f"ignore_index={loss.ignored}, and {share:.0%} of the targets are this class",
        "Leave ignore_index out: it is for places without a class, as padding is",
        remedy=_plain(program, "with no class ignored"),
    )


def _plain(program: Program, words: str) -> Remedy | None:
    remedy = fitting(program)
    return None if remedy is None else replace(remedy, words=words)


CAUSES = (
    Cause("weights", weights, explains=("imbalance", "weightless")),
    Cause("weightless", weightless),
    Cause("ignored", ignored),
)
