"""Causes in how it answers: which weights, in which mode, through which last layer."""

import numpy as np

from parity.watch.diagnosis import rule
from parity.watch.diagnosis.case import SURE, Case, log_softmax, standard_error
from parity.watch.diagnosis.rule import Match, Rule

CONSTANT = 0.05
"""Range of each class's probability over the images below which all get the same answer."""


def stale(case: Case) -> Match | None:
    """The weights that answered are the initial ones, though others were trained."""
    layers = case.symptoms.layers
    if not any(layer.change > 0 and layer.evaluated_change == 0 for layer in layers):
        return None
    return Match(
        "stale weights: another model answered than was trained",
        "the weights that answered are the initial ones, though training changed them",
    )


def not_repeatable(case: Case) -> Match | None:
    """Two answers to the same images."""
    difference = case.symptoms.repeat_difference
    assert difference is not None
    scale = float(np.abs(case.logits).mean()) if case.finite else 1.0
    if not difference > 1e-3 * max(1.0, scale):
        return None
    return Match(
        "dropout was left on: the model answers in training mode",
        f"the same images, asked twice, give logits that differ by up to {difference:.2g}",
    )


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
    logits = case.logits.astype(np.float64)
    if not case.finite or logits.min() < 0 or case.are_probabilities or len(logits) < 2:
        return None
    sums = logits.sum(axis=0)
    batches = max(1, round(float(sums.mean())))
    if np.abs(sums - batches).max() > 1e-3 * batches or np.ptp(logits) == 0:
        return None
    rows = logits.sum(axis=1)
    return Match(
        "the softmax was taken over the images of a batch instead of over the classes",
        f"each column adds up to {batches}"
        + (f", once for each of {batches:,} batches" if batches > 1 else "")
        + f", and the rows to {rows.min():.2g} to {rows.max():.2g} instead of 1",
    )


def rectified(case: Case) -> Match | None:
    """Logits that have been through a ReLU."""
    zeros = float((case.logits == 0).mean())
    if not case.finite or case.logits.min() < 0 or zeros < 0.02:
        return None
    totals = case.logits.sum(axis=1, dtype=np.float64)
    if np.ptp(totals) < 1e-3 * totals.max():
        return None  # shares or votes, which add up to the same for each image
    return Match(
        "ReLU is applied to the logits", f"none is negative, and {zeros:.1%} of them are exactly 0"
    )


def untrained(case: Case) -> Match | None:
    """What a network says before its first step: vague, and its own in what it prefers."""
    shares, accuracy = case.label_shares, case.accuracy
    assert case.labels is not None
    assert shares is not None
    assert accuracy is not None
    trained = any(layer.change > 0 for layer in case.symptoms.layers)
    if not case.finite or trained or case.classes < 3:
        return None
    probabilities = np.exp(case.log_probabilities)
    vague = float(-(probabilities * case.log_probabilities).sum(axis=1).mean())
    even = float(np.log(case.classes))
    count = len(case.labels)
    by_chance = float(np.bincount(case.predicted, minlength=case.classes) / count @ shares)
    at_chance = abs(accuracy - by_chance) < SURE * standard_error(by_chance, count)
    own = float(np.abs(probabilities.mean(axis=0) / shares.clip(1 / count) - 1).max())
    if not at_chance or vague < 0.75 * even or case.spread < 1e-3 or own < 0.1 or count < 100:
        return None
    preferred = np.flatnonzero(np.bincount(case.predicted, minlength=case.classes) > 0)
    assert case.loss is not None
    return Match(
        "the weights look initial: an untrained network answers so",
        f"accuracy {accuracy:.1%} where chance gives {by_chance:.1%}; a mean confidence of "
        f"{probabilities.max(axis=1).mean():.0%}, and a loss of {case.loss:.3g} where knowing "
        f"nothing costs {even:.3g}; it answers with "
        f"{len(preferred)} of {case.classes} classes ({', '.join(map(str, preferred[:10]))})",
    )


def class_frequencies(case: Case) -> Match | None:
    """The same answer to every image: how often each class occurs in training."""
    frequencies = case.training_shares
    assert frequencies is not None
    if not case.finite or case.spread >= CONSTANT:
        return None
    mean = np.exp(case.log_probabilities).mean(axis=0)
    counts = np.bincount(case.predicted, minlength=case.classes)
    top = int(counts.argmax())
    if np.abs(mean - frequencies).max() > 0.05 or counts[top] < 0.95 * counts.sum():
        return None
    return Match(
        "the network has learned only how often each class occurs",
        f"its answers vary by {case.spread:.2g} of probability between images and are the training "
        f"labels' shares: {counts[top] / counts.sum():.1%} of them are class {top}, which "
        f"{frequencies[top]:.2%} of the training labels are",
    )


RULES = (
    Rule(
        "stale",
        (rule.LAYERS,),
        stale,
        "Load the checkpoint that this training wrote",
        explains=("untrained", "class frequencies"),
    ),
    Rule(
        "not repeatable",
        (rule.REPEAT,),
        not_repeatable,
        "Call eval() (torch) or leave training=False (Keras) before predicting",
        also_of_sound_models=True,
    ),
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
        "untrained",
        (rule.SCORES, rule.LABELS),
        untrained,
        "Load the weights that training wrote, before predicting",
        explains=("class frequencies",),
    ),
    Rule(
        "class frequencies",
        (rule.SCORES, rule.TRAINING_CLASSES),
        class_frequencies,
        "Find out why it cannot see its inputs: pixels, dead units, a layer that is cut off",
    ),
)
