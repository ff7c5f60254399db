"""How `fit` deals out the images: what a model that only takes notes is given."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_reference.config import DataConfig
from keras_reference.data import Digits
from keras_reference.epochs import noted
from keras_reference.train import loading, validation_size

Settings = dict[str, Any]
Ids = NDArray[np.int64]


def data_settings(config: DataConfig, digits: Digits, seed: int) -> Settings:
    """Counts, order and split of what `fit` gives a network in its first two epochs."""
    total = len(digits.y_train)
    how = loading(config, total)
    epochs = [noted(how, total, seed, epoch) for epoch in range(2)]
    first, second = (np.concatenate(notes.batches) for notes in epochs)
    batches = epochs[0].batches
    kept = np.unique(np.concatenate(epochs[0].validation))
    return {
        "data.sha256": digits.describe(validation_size(config, total))["sha256"],
        "data.train": len(first),
        "data.validation": len(kept),
        "data.test": len(digits.y_test),
        "data.batches": len(batches),
        "data.batch": len(batches[0]),
        "data.last_batch": len(batches[-1]),
        "data.shuffle": _shuffle(first, second),
        "data.order": first[:5].tolist(),
        "data.validation.part": _part(kept, digits.y_train),
    }


def _shuffle(first: Ids, second: Ids) -> str:
    if (np.diff(first) > 0).all():
        return "the order of the file"
    return "the same order each epoch" if (first == second).all() else "a new order each epoch"


def _part(kept: Ids, labels: Ids) -> str:
    """Which images of the file are the validation part."""
    if kept[0] == len(labels) - len(kept):
        return "the last of the file, cut off before shuffling"
    found, whole = (np.bincount(part, minlength=10) / len(part) for part in (labels[kept], labels))
    if np.abs(found - whole).max() * len(kept) < 1:
        return "drawn from the whole file, the same share of each class"
    return "drawn from the whole file"
