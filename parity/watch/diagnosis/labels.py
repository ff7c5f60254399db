"""Causes in the classes and labels that go in."""

import numpy as np

from parity.watch.diagnosis import rule
from parity.watch.diagnosis.case import Case
from parity.watch.diagnosis.figures import SURE, Floats, above_majority, standard_error
from parity.watch.diagnosis.rule import Match, Rule

EXPECTED = 10
"""Training images of a class, were it as frequent as in the test set, of which it is no chance that
there is none: 1 in 20,000."""
OTHER_CLASSES = 0.25
"""Total variation between class shares from which on they differ by more than sampling does."""
BETTER = 0.1
"""By how much more is read right of test images than of validation images where these are harder,
or their labels wrong. Test images come from other hands, and are read 0.02 better or worse."""
ASKED = 5
"""Test images of a class that tell how it is read."""


def missing_classes(case: Case) -> Match | None:
    """Classes to be told apart of which training had no image."""
    trained, asked = case.training_shares, case.label_shares
    assert trained is not None
    assert asked is not None
    count = sum(case.symptoms.class_counts or [])
    missing = np.flatnonzero((trained == 0) & (asked * count > EXPECTED)).tolist()
    if not missing:
        return None
    return Match(
        "training images of some classes are missing",
        f"classes {', '.join(map(str, missing))} occur in the test set, "
        f"and {np.count_nonzero(trained)} of {case.classes} in training",
    )


def class_shares(case: Case) -> Match | None:
    """Classes are so much rarer or more frequent in training that this explains the accuracy.

    Validation images come from the same file as the training images. Where each class is read as
    well as in the test set, their accuracy must be that of training's class shares.
    """
    trained, asked = case.training_shares, case.label_shares
    assert case.labels is not None
    assert trained is not None
    assert asked is not None
    if _distance(trained, asked) < OTHER_CLASSES:
        return None
    figures = _most_unlike(trained, asked, "the training labels", "the test's")
    expected = float(trained @ _recall(case))
    best = case.symptoms.best_accuracy
    frequent = np.bincount(case.predicted, minlength=case.classes)[trained.argmax()]
    leans = frequent / len(case.labels) - asked[trained.argmax()] > 0.05
    if best is not None and not case.signs:
        validated = sum(case.symptoms.validation_counts or [100])
        off = abs(expected - best)
        if off > 0.05 + SURE * standard_error(best, validated):
            return None
        figures += (
            f"; with each class read as in the test set, {expected:.1%} of the validation images "
            f"would be right, and {best:.1%} of them were"
        )
    elif not leans:
        return None
    return Match("the classes are not as frequent in training as in the test set", figures)


def validation_classes(case: Case) -> Match | None:
    """Validation images of other classes than the training images."""
    trained, validated = case.training_shares, case.validation_shares
    assert trained is not None
    assert validated is not None
    if _distance(trained, validated) < 2 * OTHER_CLASSES:
        return None
    return Match(
        "the validation images are of other classes than the training images",
        _most_unlike(trained, validated, "the training labels", "the validation labels"),
    )


def wrong_labels(case: Case) -> Match | None:
    """Far more is right of the test images than ever was of those kept back from training."""
    validated, best = case.validation_shares, case.symptoms.best_accuracy
    assert case.labels is not None
    assert validated is not None
    assert best is not None
    asked = np.bincount(case.labels, minlength=case.classes)
    readings = case.symptoms.readings
    seen_last = readings[-1].get("step", 0) if readings else case.symptoms.step
    if validated[asked < ASKED].sum() > 0 or seen_last < case.symptoms.step:
        return None  # or it has learned since it was validated
    expected = float(validated @ _recall(case))
    count = sum(case.symptoms.validation_counts or [])
    chance = standard_error((expected + best) / 2, len(case.labels), count)
    if expected - best < BETTER + SURE * chance:
        return None
    return Match(
        "labels of the training file are wrong in part, or its images harder than the test's",
        f"of the validation images, which come from that file, {best:.1%} were right at best; with "
        f"each class read as in the test set, {expected:.1%} would have been",
    )


def other_classes(case: Case) -> bool:
    """Whether classes are so much rarer or more frequent in training than here."""
    trained, asked = case.training_shares, case.label_shares
    if trained is None or asked is None:
        return False
    return _distance(trained, asked) >= OTHER_CLASSES


def _distance(first: Floats, second: Floats) -> float:
    """Total variation: the share of the images that would have to change their class."""
    return float(np.abs(first - second).sum() / 2)


def _recall(case: Case) -> Floats:
    """Share of each class's images that are read right, [C]; 0 of a class that has none."""
    assert case.labels is not None
    right = np.bincount(case.labels, case.predicted == case.labels, case.classes)
    result: Floats = right / np.bincount(case.labels, minlength=case.classes).clip(1)
    return result


def _most_unlike(first: Floats, second: Floats, name: str, other: str) -> str:
    top = int(np.abs(first - second).argmax())
    return f"{first[top]:.0%} of {name} are class {top}, {second[top]:.0%} of {other}"


def unrelated_labels(case: Case) -> Match | None:
    """A sound training that has learned nothing, although it had the time to."""
    symptoms, trained = case.symptoms, case.training_shares
    assert case.labels is not None
    assert case.accuracy is not None
    assert trained is not None
    if case.loss is None or case.entropy == 0 or case.young or other_classes(case):
        return None  # with other classes asked for, accuracy and loss are no measure of training
    moved = max(layer.change for layer in symptoms.layers)
    by_chance = above_majority(trained, 0.1)
    sure = case.accuracy + SURE * standard_error(case.accuracy, len(case.labels)) < above_majority(
        trained, 0.25
    )
    at_chance = case.accuracy < by_chance and sure and case.loss > 0.98 * case.entropy
    learned_nothing = (symptoms.best_accuracy or 0.0) < by_chance
    sees_images = case.spread > 0.05 and moved > 0.05
    if not (at_chance and learned_nothing and sees_images):
        return None
    what = "the labels have nothing to do with the images: shuffled, or misaligned"
    if symptoms.augmented:
        what = (
            "the labels have nothing to do with what the network is fed: shuffled, misaligned, or "
            "augmentation leaves nothing of the images"
        )
    return Match(
        what,
        f"{symptoms.step:,} steps changed the weights by {moved:.2g} of their norm, and the "
        f"answers depend on the images, yet {case.accuracy:.1%} are right, at a loss of "
        f"{case.loss:.3g}, no better than the class frequencies' {case.entropy:.3g}",
    )


RULES = (
    Rule(
        "missing classes",
        (rule.TRAINING_CLASSES, rule.LABELS),
        missing_classes,
        "Check how the training labels are read and filtered",
        explains=(
            "class shares",
            "class frequencies",
            "sorted training",
            "validation classes",
            "test pixels",
        ),
        also_of_sound_models=True,
    ),
    Rule(
        "validation classes",
        (rule.TRAINING_CLASSES, rule.VALIDATION_CLASSES),
        validation_classes,
        "Shuffle the file before it is split, images and labels by the same permutation",
        explains=("unrelated labels", "wrong labels"),
    ),
    Rule(
        "class shares",
        (rule.TRAINING_CLASSES, rule.LABELS),
        class_shares,
        "Train on as many images of each class as will be asked for, or weight the rare ones in "
        "the loss; judge it by the recall of each class",
        explains=("class frequencies",),
    ),
    Rule(
        "wrong labels",
        (rule.LABELS, rule.VALIDATION_CLASSES, rule.BEST),
        wrong_labels,
        "Look at validation images that are read wrong, with their labels, and at how training and "
        "test images were chosen",
        also_of_sound_models=True,
    ),
    Rule(
        "unrelated labels",
        (rule.LABELS, rule.TRAINING_CLASSES, rule.LAYERS, rule.BEST, rule.FED, rule.INTENDED),
        unrelated_labels,
        "Look at a few training images with their labels; shuffle both by the same permutation",
        of_training=True,
    ),
)
