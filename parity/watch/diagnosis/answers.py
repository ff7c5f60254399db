"""Causes in how it answers: which weights, in which mode, through which last layer."""

import numpy as np

from parity.watch.diagnosis.case import Case, Finding
from parity.watch.diagnosis.inputs import test_pixels


def stale(case: Case) -> Finding | None:
    """The weights that answered are not those that were trained."""
    layers = case.symptoms.layers
    if any(layer.change > 0 and layer.evaluated_change == 0 for layer in layers):
        figures = "the weights that answered are the initial ones, though training changed them"
    else:
        best, accuracy = case.symptoms.best_accuracy, case.accuracy
        unexplained = (
            case.symptoms.seen is not None
            and not case.symptoms.repeat_difference
            and test_pixels(case) is None
            and permuted(case) is None
        )
        if best is None or accuracy is None or not unexplained or best - accuracy < 0.2:
            return None
        figures = (
            f"{best:.1%} of the validation images were right in training, {accuracy:.1%} now, on "
            "pixels of the same kind"
        )
    return Finding(
        "stale weights: another model answered than was trained",
        figures,
        "Load the checkpoint that this training wrote",
    )


def not_repeatable(case: Case) -> Finding | None:
    """Two answers to the same images."""
    difference = case.symptoms.repeat_difference
    if difference is None or not difference > 1e-3:
        return None
    return Finding(
        "dropout was left on: the model answers in training mode",
        f"the same images, asked twice, give logits that differ by up to {difference:.2g}",
        "Call eval() (torch) or leave training=False (Keras) before predicting",
    )


def squashed(case: Case) -> Finding | None:
    """Logits that have been through a softmax or a sigmoid."""
    low, high = float(case.logits.min()), float(case.logits.max())
    if not case.finite or low < -1e-6 or high > 1 + 1e-6 or high == low:
        return None
    off = float(np.abs(case.logits.sum(axis=1) - 1).max())
    name = "softmax" if off < 1e-3 else "sigmoid"
    return Finding(
        f"{name} is applied twice: once in the network, once in the loss",
        f"the logits lie between {low:.3g} and {high:.3g}"
        + (f" and add up to 1 within {off:.1g}" if name == "softmax" else ""),
        "Leave the last layer without an activation, or tell the loss that it gets probabilities",
    )


def rectified(case: Case) -> Finding | None:
    """Logits that have been through a ReLU."""
    zeros = float((case.logits == 0).mean())
    if not case.finite or case.logits.min() < 0 or zeros < 0.02:
        return None
    return Finding(
        "ReLU is applied to the logits",
        f"none is negative, and {zeros:.1%} of them are exactly 0",
        "Leave the last layer without an activation",
    )


def permuted(case: Case) -> Finding | None:
    """Right answers under wrong names."""
    if case.labels is None or case.accuracy is None or not case.finite:
        return None
    table = np.zeros((case.classes, case.classes))
    np.add.at(table, (case.labels, case.predicted), 1)
    answer = table.argmax(axis=1)
    present = np.flatnonzero(table.sum(axis=1) > 0)
    moved = present[answer[present] != present]
    if len(present) < 2 or len(moved) == 0 or len(set(answer[present])) < len(present):
        return None
    if table[moved, answer[moved]].sum() < 0.75 * table[moved].sum():
        return None
    renamed = float(table[present, answer[present]].sum() / table.sum())
    steps = {int((answer[c] - c) % case.classes) for c in present}
    if len(steps) == 1:
        what = f"labels are shifted by {steps.pop()}"
    elif len(moved) == 2:
        what = f"classes {moved[0]} and {moved[1]} are swapped"
    else:
        what = f"classes {', '.join(map(str, moved.tolist()))} are permuted"
    return Finding(
        what,
        f"{case.accuracy:.1%} right as they are, {renamed:.1%} once the answers are renamed",
        "Compare the labels of training and test: same numbering, same order of the classes",
    )


def class_frequencies(case: Case) -> Finding | None:
    """The same answer to every image: how often each class occurs."""
    if not case.finite or case.frequencies is None:
        return None
    mean = np.exp(case.log_probabilities).mean(axis=0)
    if case.spread > 0.1 or np.abs(mean - case.frequencies).max() > 0.05:
        return None
    top = int(mean.argmax())
    return Finding(
        "the network has learned only how often each class occurs",
        f"its logits are the logarithm of the class frequencies and vary by {case.spread:.2g} of "
        f"probability between images: whatever it sees, it answers with class {top}, which "
        f"{case.frequencies[top]:.2%} of the training labels are",
        "Find out why it cannot see its inputs; the causes above come first",
    )
