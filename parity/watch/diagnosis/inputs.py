"""Causes in what goes in: pixels, labels, their order."""

import numpy as np

from parity.watch.diagnosis.case import BARELY_MOVED, Case, Finding, dead_from
from parity.watch.fingerprint import change


def training_pixels(case: Case) -> Finding | None:
    """The network was fed other pixels in training than the recipe says."""
    intended, fed = case.symptoms.intended, case.symptoms.trained_on
    if intended is None or fed is None or (what := change(intended, fed)) is None:
        return None
    return Finding(
        f"in training, the pixels {what}",
        f"the network was fed {fed.describe()} where the recipe's preprocessing gives "
        f"{intended.describe()}",
        "Feed it x / 255, and preprocess in one place"
        if fed.describe() != intended.describe()
        else "Read and arrange all images in one place",
    )


def test_pixels(case: Case) -> Finding | None:
    """The network is fed other pixels now than in training."""
    trained_on, seen = case.symptoms.trained_on, case.symptoms.seen
    if trained_on is None or seen is None or (what := change(trained_on, seen)) is None:
        return None
    return Finding(
        f"the pixels {what} since training",
        f"the network was trained on {trained_on.describe()} and is fed {seen.describe()}",
        "Preprocess the images as in training: save the preprocessing with the model",
    )


def missing_classes(case: Case) -> Finding | None:
    """Classes to be told apart of which training had no image."""
    counts = case.symptoms.class_counts
    if counts is None or case.labels is None or len(counts) != case.classes:
        return None
    support = np.bincount(case.labels, minlength=case.classes)
    missing = [c for c in range(case.classes) if counts[c] == 0 and support[c] > 0]
    if not missing:
        return None
    return Finding(
        "training images of some classes are missing",
        f"classes {', '.join(map(str, missing))} occur in the test set, "
        f"and {np.count_nonzero(counts)} of {case.classes} in training",
        "Check how the training labels are read and filtered",
    )


def sorted_training(case: Case) -> Finding | None:
    """Batches of one class each: right on them, and on nothing else."""
    gap = case.symptoms.early_gap
    if gap is None or gap < 0.5:
        return None
    return Finding(
        "the training images come sorted by class and are not shuffled",
        f"in the first epoch the network was right on {gap:.0%} more of a training batch than of "
        "the validation images: it knows the class of the moment",
        "Shuffle the training images anew each epoch",
    )


def unrelated_labels(case: Case) -> Finding | None:
    """A sound training that has learned nothing."""
    symptoms = case.symptoms
    moved = max((layer.change for layer in symptoms.layers), default=0.0) >= BARELY_MOVED
    if case.accuracy is None or case.loss is None or not moved or case.entropy == 0:
        return None
    majority = 0.0 if case.frequencies is None else float(case.frequencies.max())
    by_chance = majority + 0.1 * (1 - majority)
    at_chance = case.accuracy < by_chance and case.loss > 0.98 * case.entropy
    learned_nothing = (symptoms.best_accuracy or 0.0) < by_chance
    sees_images = case.spread > 0.01 and not dead_from(case, 1)
    if not at_chance or not learned_nothing or not sees_images:
        return None
    return Finding(
        "the labels have nothing to do with the images: shuffled, or misaligned",
        f"the answers depend on the images, yet their loss of {case.loss:.3g} is no better "
        f"than the class frequencies' {case.entropy:.3g}",
        "Look at a few training images with their labels; shuffle both by the same permutation",
    )
