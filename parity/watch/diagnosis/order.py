"""Causes in what belongs to what: names of classes, and the order of labels and answers."""

import numpy as np

from parity.watch.diagnosis import rule
from parity.watch.diagnosis.case import Case, Ints
from parity.watch.diagnosis.figures import (
    SURE,
    above_majority,
    depend,
    factor_for,
    sharpened,
    standard_error,
)
from parity.watch.diagnosis.rule import Match, Rule
from parity.watch.diagnosis.slips import SHIFTS, orders, slips

ALIKE = 0.5
"""Standard deviation of how often two classes are thought of together, by what it would be of
independent ones, below which all are alike. Measured on MNIST and others: 0.6 to 3 of networks that
have learned, 0.2 to 0.4 of those that have learned shuffled labels by heart, to which no class is
like another."""
UNLIKE = 0.7
"""The same, beyond which a network has learned, however unsure it is. Measured on MNIST, digits and
20 blobs: 0.8 to 1.1 of networks that have; of 174 that could not, trained on shuffled labels or on
noise or not at all, none above 0.7 named all classes evenly."""
SHARP = 0.9
"""Mean confidence at which that is measured: how sure a network is of itself says nothing of it."""
AS_OFTEN = 0.1
"""Total variation between the classes that a sound model of 80 % names and those that occur."""


def permuted(case: Case) -> Match | None:
    """Right answers under wrong names."""
    assert case.labels is not None
    if not case.finite:
        return None
    assert case.label_shares is not None
    table = np.zeros((case.classes, case.classes))
    np.add.at(table, (case.labels, case.predicted), 1)
    answer = table.argmax(axis=1)
    majority = float(case.label_shares.max())
    chance = SURE * standard_error(majority, len(case.labels))
    if case.classes == 2 and 1 - (case.accuracy or 0.0) > majority + chance:
        answer = np.array([1, 0])  # also where one class is rare, and mostly not seen
    present = np.flatnonzero(table.sum(axis=1) > 0)
    moved = present[answer[present] != present]
    ends = [np.clip(present + step, present[0], present[-1]) for step in (1, -1)]
    cut = len(present) > 3 and any((answer[present] == to).all() for to in ends)
    apart = cut or len(set(answer[present])) == len(present)
    if len(present) < 2 or len(moved) == 0 or not apart:
        return None
    renamed_right = table[moved, answer[moved]].sum()
    if renamed_right < 0.75 * table[moved].sum() or renamed_right < SHIFTS:
        return None
    renamed = float(table[present, answer[present]].sum() / table.sum())
    closed = set(answer[moved]) == set(moved)
    if len(moved) == 1:  # one class that is taken for another, which is not asked for
        return None
    steps = {int((answer[c] - c) % case.classes) for c in moved}
    names = ", ".join(map(str, moved.tolist()))
    how = ""
    if len(steps) == 1 and (len(moved) > 2 or not closed):
        more = steps.pop()
        step = min(more, case.classes - more)
        what = f"labels are shifted by {step}"
        how = f": the answers are {step} {'more' if step == more else 'less'}"
        how += ", as far as they go" if cut else ""
    elif not closed:
        others = ", ".join(map(str, answer[moved].tolist()))
        what = f"classes have other names: {names} are answered as {others}"
    elif len(moved) == 2:
        what = f"classes {moved[0]} and {moved[1]} are swapped"
    else:
        what = f"classes {names} are permuted"
    return Match(
        what,
        f"{case.accuracy:.1%} right as they are, {renamed:.1%} once the answers are renamed{how}",
    )


def misaligned(case: Case) -> Match | None:
    """Right answers to other images: labels and answers have slipped against each other."""
    assert case.labels is not None
    assert case.label_shares is not None
    assert case.accuracy is not None
    count = len(case.labels)
    chance = SURE * standard_error(0.5, count)
    least = max(above_majority(case.label_shares, 0.5), case.accuracy + 0.2 + chance)
    if count < 2 * SHIFTS or not case.finite or least > 1:
        return None
    right = orders(case.predicted, case.labels) | slips(case.predicted, case.labels, least)
    if not case.classes_only:
        swapped = case.logits.reshape(case.classes, count).argmax(axis=0)
        right["by class: reshaped where axes were to be swapped"] = float(
            (swapped == case.labels).mean()
        )
    name = max(right, key=lambda name: right[name], default="")
    if right.get(name, 0.0) < least:
        return None
    return Match(
        "the answers belong to other images than the labels",
        f"{case.accuracy:.1%} are right as they stand, {right[name]:.1%} once the answers are read "
        f"as given {name}",
    )


def shuffled(case: Case) -> Match | None:
    """A model that names each class as often as it occurs, and is right by chance only."""
    shares, accuracy = case.label_shares, case.accuracy
    assert case.labels is not None
    assert shares is not None
    assert accuracy is not None
    count = len(case.labels)
    if not case.finite or case.classes < 3 or count < 200:
        return None
    predicted = np.bincount(case.predicted, minlength=case.classes) / count
    by_chance = float(predicted @ shares)
    if abs(accuracy - by_chance) >= SURE * standard_error(by_chance, count):
        return None
    if depend(case.predicted, case.labels):
        return None  # answers to these images, whatever their classes are called
    if case.classes_only:
        more = "more exactly than answers would that have nothing to do with these images"
        even = _evenly(case.predicted, case.labels)
        return _of_other_images(more, accuracy) if even else None
    together, again = _together(case)
    told = again > 0.5
    if told and together < ALIKE:
        return None  # labels that had nothing to do with the images, learned by heart
    sure_of_itself = float(np.exp(case.log_probabilities).max(axis=1).mean())
    surer = sure_of_itself - accuracy > 0.1 + SURE * standard_error(sure_of_itself, count)
    # Who has learned, and is fed what it was trained on, need not be sure of itself.
    pixels = None not in (case.symptoms.trained_on, case.symptoms.seen)
    known = (pixels and case.learned and case.fallen) or (
        told and together > ALIKE + 0.1 and sure_of_itself > 0.6
    )
    likened = told and together > UNLIKE and shares.max() < 0.5  # by chance, few are right
    alike = np.abs(predicted - shares).sum() / 2 < (AS_OFTEN if known else 0.03)
    if not alike or not (likened or (surer and (known or sure_of_itself > 0.8))):
        return None
    evidence = (
        f"with a mean confidence of {sure_of_itself:.0%}" if surer
        else "and some classes are thought of together far more often than others, which a network "
        "must have learned"
    )  # fmt: skip
    return _of_other_images(evidence, accuracy)


def _of_other_images(evidence: str, accuracy: float) -> Match:
    return Match(
        "the answers belong to other images than the labels",
        f"each class is answered as often as it occurs, {evidence}, and yet {accuracy:.1%} are "
        "right, as many as by chance",
    )


def _evenly(predicted: Ints, labels: Ints) -> bool:
    """Whether each class is answered as often as it occurs, more exactly than by chance.

    The lower tail of Pearson's chi-squared test: answers that know nothing of the labels are at
    least as uneven as a multinomial draw. Its cube root is nearly normal (Wilson and Hilferty,
    1931).
    """
    asked, said = (np.bincount(v, minlength=predicted.max() + 1) for v in (labels, predicted))
    if len(asked) > len(said) or (said[asked == 0] > 0).any():
        return False
    there = asked > 0
    freedom = max(int(there.sum()) - 1, 1)
    uneven = float(((said - asked)[there] ** 2 / asked[there]).sum()) / freedom
    error = 2 / (9 * freedom)
    return bool(np.cbrt(uneven) < 1 - error - SURE * np.sqrt(error))


def _together(case: Case) -> tuple[float, float]:
    """How unlike pairs of classes are in how often they are thought of together: see `ALIKE`.

    What rare and frequent classes make of it is left out, and so is the temperature. And the
    correlation of that between halves of the images; 0 of fewer than five classes.
    """
    if case.classes < 5:
        return 0.0, 0.0
    upper = np.triu_indices(case.classes, 1)
    logits = case.log_probabilities
    some = logits[:: max(1, len(logits) // 5000)]
    factor = factor_for(some, lambda shares: float(shares.max(axis=1).mean()), SHARP, 10.0)
    shares = sharpened(logits, factor)
    halves = []
    for rows in (slice(0, None, 2), slice(1, None, 2)):
        table = np.eye(case.classes)[case.predicted[rows]].T @ shares[rows]
        table += table.T
        np.fill_diagonal(table, 0)
        total = table.sum(axis=0)
        expected = (np.outer(total, total) / total.sum())[upper]
        halves.append((table[upper] - expected) / np.sqrt(expected * expected.mean()))
    both = (halves[0] + halves[1]) / 2
    return float(np.sqrt((both**2).mean())), float(np.corrcoef(halves)[0, 1])


RULES = (
    Rule(
        "permuted",
        (rule.LABELS,),
        permuted,
        "Compare the labels of training and test: same numbering, same order of the classes",
        explains=("misaligned", "shuffled", "unrelated labels"),
        also_of_sound_models=True,
    ),
    Rule(
        "misaligned",
        (rule.LABELS,),
        misaligned,
        "Read labels and answers in the same order: shuffle neither when predicting",
        explains=("shuffled", "unrelated labels"),
        also_of_sound_models=True,
    ),
    Rule(
        "shuffled",
        (rule.LABELS,),
        shuffled,
        "Read labels and answers in the same order: shuffle neither when predicting",
        also_of_sound_models=True,
    ),
)
