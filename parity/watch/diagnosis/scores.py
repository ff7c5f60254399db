"""Causes in the last layer: what was done to the scores, or left out."""

import numpy as np

from parity.watch.classes import softmaxed_batches
from parity.watch.diagnosis import rule
from parity.watch.diagnosis.case import Case, Ints
from parity.watch.diagnosis.figures import SURE, Floats, above_majority, log_softmax
from parity.watch.diagnosis.rule import Match, Rule

EXPECTED = 20
"""Answers that are right by chance, of which it is none that next to none is."""


def squashed(case: Case) -> Match | None:
    """Outputs of a softmax or sigmoid, trained by a loss that took them for logits.

    Such a loss cannot fall below that of outputs that are 1 for the right class and 0 for the
    others, log(1 + (C - 1) / e), nor, on average, below log C where the answer is wrong.
    """
    low, high = float(case.logits.min()), float(case.logits.max())
    loss, accuracy = case.symptoms.train_loss, case.symptoms.train_accuracy
    assert case.labels is not None
    assert loss is not None
    assert accuracy is not None
    if not case.finite or low < -1e-6 or high > 1 + 1e-6 or high - low < 0.5:
        return None
    floor = np.log(1 + (case.classes - 1) / np.e)
    least = floor * accuracy + np.log(case.classes) * (1 - accuracy)
    rows = np.arange(len(case.labels))
    as_logits = -log_softmax(case.logits.astype(np.float64))[rows, case.labels].mean()
    total = case.logits.sum(axis=1, keepdims=True, dtype=np.float64).clip(1e-30)
    share = (case.logits / total)[rows, case.labels].clip(1e-30)
    as_they_are = -np.log(share).mean()
    chance = SURE * float(np.log(share).std()) / np.sqrt(len(share))
    nearer = loss > (as_logits + as_they_are) / 2 and loss - as_they_are > 0.3 + chance
    if not nearer or loss < least - 0.05:
        return None
    name = "softmax" if case.are_probabilities else "sigmoid"
    return Match(
        f"{name} is applied twice: once in the network, once in the loss",
        f"the logits lie between {low:.3g} and {high:.3g}"
        + (" and each row adds up to 1" if name == "softmax" else "")
        + f", and the training loss of {loss:.3g} is that of taking them for logits "
        f"({as_logits:.3g}), not that of probabilities ({as_they_are:.3g})",
    )


def softmax_over_batch(case: Case) -> Match | None:
    """Columns that add up to 1 where rows should."""
    if case.are_probabilities or (batches := softmaxed_batches(case.logits)) is None:
        return None
    rows = case.logits.sum(axis=1, dtype=np.float64)
    return Match(
        "the softmax was taken over the images of a batch instead of over the classes",
        f"each column adds up to {batches}"
        + (f", once for each of {batches:,} batches" if batches > 1 else "")
        + f", and the rows to {rows.min():.2g} to {rows.max():.2g} instead of 1",
    )


def rectified(case: Case) -> Match | None:
    """Logits that have been through a ReLU: any number of zeros in a row, and small values too.

    Rows with as many zeros each, and other values besides the largest, were cut to the largest few,
    or shifted so that the smallest is 0. Shares, votes and exponentials are rounded to 0.
    """
    logits = case.logits.astype(np.float64)
    zeros = (logits == 0).sum(axis=1)
    if not case.finite or logits.min() < 0 or zeros.mean() < 0.02 * case.classes:
        return None
    totals = logits.sum(axis=1)
    alike = zeros.min() == zeros.max() != case.classes - 1
    if alike or logits.max() <= 1 or np.ptp(totals) < 1e-3 * totals.max():
        return None
    some = logits[logits > 0]
    if (some == some.round()).all() or (some < 1e-3 * np.median(some)).mean() > 0.05:
        return None
    return Match(
        "ReLU is applied to the logits",
        f"none is negative, and {zeros.mean() / case.classes:.1%} of them are exactly 0",
    )


def clipped(case: Case) -> Match | None:
    """Scores cut to a range, so that several classes share the largest.

    Between the two ends, where many lie, hardly two scores are equal: they are no votes or steps.
    """
    low, high = case.logits.min(), case.logits.max()
    inside = case.logits[(case.logits > low) & (case.logits < high)]
    if not case.finite or case.classes < 3 or len(inside) < 100:
        return None
    tied = float(((case.logits == high).sum(axis=1) > 1).mean())
    at_low = float((case.logits == low).mean())
    if tied < 0.1 or at_low < 0.01 or len(np.unique(inside)) < 0.5 * len(inside):
        return None
    return Match(
        f"the scores are cut to {low:.3g} to {high:.3g}",
        f"{tied:.1%} of the images have two classes or more at exactly {high:.3g}, of which the "
        f"first is answered, and {at_low:.1%} of all scores are exactly {low:.3g}",
    )


def doubled(case: Case) -> Match | None:
    """Softmax of a softmax: undone once, the answers are probabilities, of which some are near 0.

    For q that adds up to 1, log softmax(q) is q less a number that is the same for all classes.
    That of a sigmoid spans 1 at most, and nearly so in most rows.
    """
    assert case.accuracy is not None
    if not case.finite or case.classes < 3:
        return None
    logarithms = case.log_probabilities
    if not case.are_probabilities and np.abs(np.exp(case.logits).sum(axis=1) - 1).max() > 0.05:
        return None  # logits
    undone = logarithms + ((1 - logarithms.sum(axis=1)) / case.classes)[:, None]
    confidence = float(np.exp(logarithms).max(axis=1).mean())
    span = np.ptp(logarithms, axis=1)
    if case.accuracy - confidence < 0.3:
        return None
    if undone.min() < -0.01 and span.max() < 1.001 and np.median(span) > 0.9:
        return Match(
            "softmax is applied to the answers of a sigmoid",
            f"{case.accuracy:.1%} are right, with a mean confidence of {confidence:.0%}; the "
            f"logarithms of a row's answers span {np.median(span):.3g}, and never more than 1",
        )
    if undone.min() < -0.01 or np.median(undone.min(axis=1)) > 0.1 / (case.classes - 1):
        return None  # no row falls below 0, and nearly all reach it
    return Match(
        "softmax is applied twice to the answers",
        f"{case.accuracy:.1%} are right, with a mean confidence of {confidence:.0%}; undone once, "
        f"every row is again between 0 and 1, with one of {undone.max(axis=1).mean():.0%}",
    )


def negated(case: Case) -> Match | None:
    """Right by the smallest score: of distances, and where a network sees ink as paper."""
    assert case.labels is not None
    assert case.accuracy is not None
    assert case.label_shares is not None
    if not case.finite or case.classes < 3:
        return None
    if case.classes_only:
        return _avoided(case, case.labels, case.label_shares)
    smallest = float((case.logits.argmin(axis=1) == case.labels).mean())
    half_way = above_majority(case.label_shares, 0.5)
    if smallest < half_way or case.accuracy > 1 / case.classes or len(case.labels) < 20:
        return None
    return Match(
        "the smallest score names the class: the scores' sign is wrong, or the pixels are inverted",
        f"{case.accuracy:.1%} are right by the largest score, {smallest:.1%} by the smallest",
    )


def _avoided(case: Case, labels: Ints, shares: Floats) -> Match | None:
    """Hardly ever the true class, where many would be by chance, and no other in its place.

    The likeliest but one is right of 2 to 9 % of MNIST's images; where classes have other names,
    each is answered by one other nearly always.
    """
    table = np.zeros((case.classes, case.classes))
    np.add.at(table, (labels, case.predicted), 1)
    by_chance = float(table.sum(axis=0) @ shares)
    right = int(np.trace(table))
    asked = table[table.sum(axis=1) > 0]
    together = float((asked.max(axis=1) / asked.sum(axis=1)).mean())
    if by_chance < EXPECTED or right > by_chance / 20 or together > 0.8:
        return None
    return Match(
        "the true class is avoided: the least likely one is answered (argmin for argmax), or the "
        "sign of scores or loss is wrong",
        f"{right:,} of {len(labels):,} are right, where {by_chance:,.0f} would be by chance, "
        f"and no renaming explains it: a class's commonest answer is {together:.0%} of its answers",
    )


RULES = (
    Rule(
        "squashed",
        (rule.SCORES, rule.LABELS, rule.TRAINING_LOSS),
        squashed,
        "Leave the last layer without an activation, or tell the loss that it gets probabilities",
        also_of_sound_models=True,
    ),
    Rule(
        "softmax over the batch",
        (rule.SCORES,),
        softmax_over_batch,
        "Take the softmax over the last axis: dim=1 in torch, axis=-1 in Keras and NumPy",
        explains=("untrained", "class frequencies", "rectified"),
        also_of_sound_models=True,
    ),
    Rule(
        "rectified",
        (rule.SCORES,),
        rectified,
        "Leave the last layer without an activation",
        also_of_sound_models=True,
    ),
    Rule(
        "clipped",
        (rule.SCORES,),
        clipped,
        "Leave the last layer without a clip, hard tanh or other activation that saturates",
        also_of_sound_models=True,
    ),
    Rule(
        "doubled",
        (rule.SCORES, rule.LABELS),
        doubled,
        "Take the softmax once: not behind a model that ends in one, or in a sigmoid",
        also_of_sound_models=True,
    ),
    Rule(
        "negated",
        (rule.LABELS,),
        negated,
        "Turn the sign of what is smallest for the right class, such as distances, energies or "
        "negative logarithms; if these are logits, look at the ink and paper of the images "
        "(--images), and at the sign of the loss",
        explains=("untrained",),
    ),
)
