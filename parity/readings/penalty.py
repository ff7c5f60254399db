"""Terms of the weights in the loss, L1 and L2, as gradients show them (NumPy)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from parity.arrays import Floats, Table
from parity.readings.cause import listed
from parity.readings.change import Change, factor, flat
from parity.readings.readings import Reading
from parity.readings.rounding import noise, usable, worst
from parity.readings.trace import Trace

L1, L2 = "L1 penalty", "L2 penalty"
BOTH = "L1 and L2 penalty"
ROUNDED = 2.0**-24 / 10
"""A weaker one nobody writes: Keras on TensorFlow rounds the factor of a penalty to float32."""
ADVICE = dict.fromkeys((L1, L2, BOTH), "give both the penalty, on the same tensors, or neither")


@dataclass(frozen=True)
class Penalty:
    """Terms of the weights that a side adds to its loss.

    Attributes:
        name: Of the cause.
        words: What the side does, a verb phrase.
        loss: What they add to the loss.
        without: The side's gradients less theirs.
    """

    name: str
    words: str
    loss: float
    without: Table

    def beside(self, reading: Reading) -> Reading:
        """A side whose loss is another reading's and this."""
        traits = {**reading.traits, self.name: self.words}
        return Reading(traits, reading.values + self.loss, f"{reading.words}, and {self.words}")


def readings(change: Change) -> Iterator[tuple[Reading, float]]:
    """B as A with a multiple of the weights added to its gradients, of their signs, or of both.

    Yields:
        The gradients that follow, and what such a penalty adds to the loss.
    """
    names = [name for name in change.parted if name in change.weights]
    if not names:
        return
    weights = {name: change.weights[name] for name in names}
    basis = np.stack([flat(weights), np.sign(flat(weights))], axis=1)
    seen = flat({name: change.b[name] - change.a[name] for name in names})
    for columns in ([0], [1], [0, 1]):
        solved = np.zeros(2)
        solved[columns] = np.linalg.lstsq(basis[:, columns], seen, rcond=None)[0]
        if (solved < 0).any() or not solved[columns].all():
            continue
        squares, magnitudes = map(float, solved)
        name, words = _said(squares, magnitudes, listed(names))
        added = {n: change.a[n] + squares * w + magnitudes * np.sign(w) for n, w in weights.items()}
        every = flat(weights)
        loss = squares / 2 * float((every**2).sum()) + magnitudes * float(np.abs(every).sum())
        yield change.reading(name, words, added), loss


def penalties(gradients: Table, weights: Table, classes: int) -> Iterator[Penalty]:
    """Penalties beside a loss that softmax leaves unchanged by the same number on all logits.

    `gradients` are those of one side by tensor, of `weights`; there are so many logits of an image.

    The gradients of such a loss by the logits of an image add up to 0, and so do those by the last
    kernel over its classes: what they add up to instead is the penalty's.
    """
    for last, gradient in gradients.items():
        known = np.asarray(gradient, np.float64)
        if known.ndim != 2 or last not in weights:
            continue
        kernel = np.asarray(weights[last], np.float64)
        for axis in (axis for axis, size in enumerate(known.shape) if size == classes):
            yield from _beside(known, kernel, axis, last, gradients, weights)


def _beside(
    gradient: Floats, kernel: Floats, axis: int, last: str, gradients: Table, weights: Table
) -> Iterator[Penalty]:
    seen = gradient.sum(axis=axis)
    basis = np.stack([kernel.sum(axis=axis), np.sign(kernel).sum(axis=axis)], axis=1)
    allowed = noise(gradient) * gradient.shape[axis]
    if np.abs(seen).max() <= allowed:
        return
    for columns in ([0], [1], [0, 1]):
        solved = np.zeros(2)
        solved[columns] = np.linalg.lstsq(basis[:, columns], seen, rcond=None)[0]
        several = len(seen) > len(columns) + 1
        if not several or (solved <= 0)[columns].any() or worst(basis @ solved, seen) > allowed:
            continue
        squares, magnitudes = map(float, solved)
        known = [name for name in gradients if name in weights]
        kernels = [name for name in known if np.ndim(weights[name]) > 1]
        for names in (known, kernels, [last]):
            name, words = _said(squares, magnitudes, listed(names))
            some = {n: np.asarray(weights[n], np.float64) for n in names}
            every = flat(some)
            loss = squares / 2 * float((every**2).sum()) + magnitudes * float(np.abs(every).sum())
            without = {
                n: gradients[n] - squares * w - magnitudes * np.sign(w) for n, w in some.items()
            }
            yield Penalty(name, words, loss, {**gradients, **without})


def as_decay(a: Trace, b: Trace) -> tuple[Trace, Trace] | None:
    """Both sides' steps, an L2 penalty in one side's gradients left to its optimiser.

    None where there is none: at the first step, of the same weights, the gradients do not differ
    by a multiple of these.
    """
    ours, theirs = a.gradients[0], b.gradients[0]
    shapes = [{name: np.shape(g) for name, g in table.items()} for table in (ours, theirs)]
    if shapes[0] != shapes[1] or not usable(*ours.values(), *theirs.values()):
        return None
    apart = {name: np.asarray(theirs[name] - ours[name], np.float64) for name in ours}
    allowed = noise(*ours.values(), *theirs.values())
    names = [name for name in ours if worst(ours[name], theirs[name]) > allowed]
    if not names:
        return None
    weights, seen = (flat({n: np.asarray(t[n], np.float64) for n in names})
                     for t in (a.before[0], apart))  # fmt: skip
    share = factor(weights, seen)
    if not share or worst(share * weights, seen) > allowed:
        return None
    return (_without(a, names, -share), b) if share < 0 else (a, _without(b, names, share))


def _without(side: Trace, names: list[str], share: float) -> Trace:
    pairs = zip(side.gradients, side.before, strict=True)
    less = [g | {n: g[n] - (share * w[n]).astype(g[n].dtype) for n in names} for g, w in pairs]
    return replace(side, gradients=less)


def _said(squares: float, magnitudes: float, names: str) -> tuple[str, str]:
    """The name of the cause, and what the side does."""
    terms, settings = [], []
    if squares:
        terms.append(f"{squares:.4g} * w")
        settings.append(f"weight_decay={squares:.4g} in torch, L2({squares / 2:.4g}) in Keras")
    if magnitudes:
        terms.append(f"{magnitudes:.4g} * sign(w)")
        settings.append(f"L1({magnitudes:.4g}) in Keras")
    note = f" ({', '.join(settings)})"
    if max(squares, magnitudes) < ROUNDED:
        note = ", what float32 rounds off a penalty"
    words = f"adds {' + '.join(terms)} to the gradients of {names}{note}"
    return BOTH if len(terms) > 1 else L2 if squares else L1, words
