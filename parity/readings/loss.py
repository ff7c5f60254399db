"""Why two sides get another loss from the same logits and labels."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from parity.arrays import Array, Table
from parity.readings import binary, class_weights, losses, penalty, regression
from parity.readings.case import Case
from parity.readings.cause import Cause
from parity.readings.change import Change
from parity.readings.losses import classes_of
from parity.readings.paths import LINEAR, PLACES
from parity.readings.readings import Reading, compare, parted
from parity.readings.rounding import epsilon, usable

LABELS, LOGITS, LOSS = "labels", "logits", "loss"
OF_A = " of A"
LOGITS_OF_A = LOGITS + OF_A
"""Where A's are others than B's: a layer before the loss differs, and yet the loss may be one."""
ROUNDING = 32
"""Units of the last place that a loss may be off by, of which weights were solved."""
REPORTED = "reported loss"
POOLED = (*LINEAR, "the largest over the places of")
ADVICE = {
    **losses.ADVICE,
    **class_weights.ADVICE,
    **penalty.ADVICE,
    **regression.ADVICE,
    REPORTED: "report what is trained, or nothing: the training is the same",
}


def explain(case: Case) -> list[Cause]:
    """Name what either side computes; empty where one of the losses is none that is known.

    Args:
        case: `given` has ``labels``, integers [B], ``logits`` of both sides, float [B, C], or of B
            where there are `LOGITS_OF_A`, and, as
            far as they are known, the outputs [B, ...] of layers (of A by names that end in `OF_A`,
            where they are others) and the weights; `a` and `b` have
            the ``loss`` and, where they are known, its gradients by name.
    """
    case = _by_place(case)
    logits, labels = case.given[LOGITS], case.given[LABELS]
    sides = case.a[LOSS], case.b[LOSS]
    if not usable(logits, labels, *sides) or sides[0] == sides[1]:
        return []
    if regression.fits(logits, labels) and not _one_hot(labels):
        return _of_numbers(case) or _by_either_gradients(case, _allowed(case))
    if logits.ndim != 2:
        return []
    scores, truth = np.asarray(logits, np.float64), classes_of(labels)
    if truth.shape != scores.shape[:1] or not 0 <= truth.min() <= truth.max() < scores.shape[1]:
        return []
    allowed = _allowed(case)
    inputs = _layers(case)
    of_a = np.asarray(case.given.get(LOGITS_OF_A, logits), np.float64)
    if of_a.shape != scores.shape or not usable(of_a):
        return []

    def readings(seen: Array) -> Iterator[Reading]:
        first = seen is sides[0]
        own, table = (of_a, case.a) if first else (scores, case.b)
        gradients, layers = _gradients(table), inputs[not first]
        yield from losses.candidates(own, truth, float(seen))
        yield from class_weights.ignoring(own, truth)
        yield from class_weights.readings(own, truth, layers, gradients)
        for terms in penalty.penalties(gradients, case.given, own.shape[1]):
            for reading in (
                *losses.candidates(own, truth, float(seen) - terms.loss),
                *class_weights.readings(own, truth, layers, terms.without),
            ):
                yield terms.beside(reading)

    causes = compare("loss", sides, readings, ADVICE, allowed, case.names)
    change = _change(case)
    if change is not None and not change.parted:
        said = "; only the number differs that is reported: all gradients agree"
        causes = [replace(cause, text=cause.text + said) for cause in causes]
    if not causes and regression.fits(logits, labels):
        causes = _of_numbers(case)
    return causes or _by_either_gradients(case, allowed)


def _by_place(case: Case) -> Case:
    """The same with one row for each place, where samples have a class in each, int [B, T]."""
    labels = case.given[LABELS]
    if labels.ndim != 2 or labels.shape[1] < 2 or case.given[LOGITS].ndim != 3:
        return case
    given: dict[str, Array] = {LABELS: labels.ravel()}
    for name, values in case.given.items():
        score = name in (LOGITS, LOGITS_OF_A)
        turned = score and values.ndim == 3 and values.shape[:2] != labels.shape
        rows = values.swapaxes(1, 2) if turned else values  # torch's scores are [B, C, T]
        if name != LABELS:
            placed = rows.ndim == 3 and rows.shape[:2] == labels.shape
            given[name] = rows.reshape(-1, rows.shape[-1]) if placed else values
    return replace(case, given=given)


def _one_hot(labels: Array) -> bool:
    """Whether targets are rows that name a class each."""
    if labels.ndim != 2 or labels.shape[1] < 2:
        return False
    return bool(((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) == 1).all())


def _allowed(case: Case) -> float:
    """What rounding makes of a loss."""
    sides = case.a[LOSS], case.b[LOSS]
    largest = max(1.0, *(abs(float(side)) for side in sides))
    return ROUNDING * epsilon(case.given[LOGITS]) * largest


def _of_numbers(case: Case) -> list[Cause]:
    """The same of targets that are numbers."""
    of_b = np.asarray(case.given[LOGITS], np.float64)
    of_a = np.asarray(case.given.get(LOGITS_OF_A, of_b), np.float64)
    targets = np.asarray(case.given[LABELS], np.float64)
    if of_a.shape != of_b.shape or not usable(of_a):
        return []
    sides = case.a[LOSS], case.b[LOSS]

    inputs = _layers(case)

    def readings(seen: Array) -> Iterator[Reading]:
        first = seen is sides[0]
        own, table = (of_a, case.a) if first else (of_b, case.b)
        yield from regression.candidates(own, targets)
        rows = own.reshape(len(own), -1)
        truth = targets.reshape(rows.shape)
        yield from binary.readings(rows, truth, inputs[not first], _gradients(table), float(seen))

    advice = ADVICE | binary.ADVICE
    return compare("loss", sides, readings, advice, _allowed(case), case.names)


def _layers(case: Case) -> tuple[Table, Table]:
    """What may enter the last layer, of A and of B: A's own outputs where they are known."""
    count = len(case.given[LABELS])
    every = {name: x for name, x in case.given.items() if x.ndim > 1 and len(x) == count}
    deep = {name: x for name, x in every.items() if x.ndim > 2}
    every |= {f"{words} {n}": PLACES[words](x) for n, x in deep.items() for words in POOLED}
    of_a = {name: x for name, x in every.items() if name.endswith(OF_A) and name != LOGITS_OF_A}
    of_b = {name: x for name, x in every.items() if not name.endswith(OF_A)}
    return of_a or of_b, of_b


def _by_either_gradients(case: Case, allowed: float) -> list[Cause]:
    return _by_gradients(case, allowed) or _by_gradients(case.swapped, allowed)


def _gradients(table: Table) -> Table:
    return {name: gradient for name, gradient in table.items() if name != LOSS}


def _change(case: Case) -> Change | None:
    """From A's gradients to B's, where they are known of the same tensors."""
    a, b = _gradients(case.a), _gradients(case.b)
    shapes = [{name: tensor.shape for name, tensor in table.items()} for table in (a, b)]
    if not a or shapes[0] != shapes[1] or not usable(*a.values(), *b.values()):
        return None
    return Change.of(Case(case.names, case.given, a, b))


def _by_gradients(case: Case, allowed: float) -> list[Cause]:
    """What the gradients show of B's loss: a penalty, a factor, or no difference at all."""
    change = _change(case)
    if change is None:
        return []
    own, seen = case.a[LOSS], case.b[LOSS]
    pair = float(own), float(seen)
    if change.parted and not any(change.few.explained(r) for r, _ in _changed(change.few, *pair)):
        return []
    for reading, loss in _changed(change, *pair):
        if not change.parted or change.explained(reading):
            of_b = Reading(reading.traits, np.array(loss))
            both = Reading({}, own), of_b
            causes = parted("loss", (own, seen), both, ADVICE, allowed, case.names)
            if causes:
                return causes
    return []


def _changed(change: Change, own: float, seen: float) -> Iterator[tuple[Reading, float]]:
    """B's gradients and its loss, from A's."""
    for reading, added in penalty.readings(change):
        yield reading, own + added
    if not change.parted:
        words = "reports another number, though all gradients agree"
        yield change.reading(REPORTED, words, {}), seen
    ratio = seen / own if own else 0.0
    if ratio > 1:
        words = f"multiplies loss and gradients by {ratio:.6g}"
        scaled = {name: ratio * tensor for name, tensor in change.a.items()}
        yield change.reading(class_weights.SCALED, words, scaled), seen
