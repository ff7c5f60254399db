"""The validation split: as many of each class as its share."""

import numpy as np
from numpy.typing import NDArray

from lightning_mnist.errors import InputError


def stratified_split(
    labels: NDArray[np.int64], val_size: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Systematic sampling: of the images in random order, then by class, every (N / val_size)-th.

    `labels` are int64 [N].

    So each class has its share of the validation part, rounded up or down. Source: Cochran,
    Sampling Techniques (1977), 8.1. scikit-learn's ``train_test_split`` would do, but takes
    a second to import.

    Returns:
        Indices of the training and of the validation part, int64, each in ascending order.

    Raises:
        InputError: a class with a single image, or fewer images in a part than there are classes.
    """
    total = len(labels)
    classes, counts = np.unique(labels, return_counts=True)
    if counts.min() < 2 or not len(classes) <= val_size <= total - len(classes):
        raise InputError(
            f"--data.val_size: cannot keep {val_size:,} of {total:,} training images for "
            f"validation, as many of each class as its share; expected {len(classes)} to "
            f"{total - len(classes):,}, and at least 2 images of each class (the fewest here, of "
            f"class {classes[counts.argmin()]}: {counts.min():,})"
        )
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(total)
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    for_validation = np.zeros(total, dtype=bool)
    places = (np.arange(val_size) * total + rng.integers(total)) // val_size
    for_validation[by_class[places]] = True
    return np.flatnonzero(~for_validation), np.flatnonzero(for_validation)
