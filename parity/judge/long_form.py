"""Tables with a row for each class of each image, as databases and plots have them."""

import numpy as np
from numpy.typing import NDArray

from parity.judge.names import CLASSES, role_of, words_of
from parity.judge.shapes import fractional, whole

Floats = NDArray[np.float64]
SCORES = ("probabilities", "logits", "scores")


def a_row_each(names: list[str], values: Floats) -> tuple[list[str], Floats]:
    """A table with a row an image and a column a class; as it is where that is what it has.

    `names` are those of its K columns, `values` float64 [rows, K].

    A table has a row a class where its column of classes names all of them for one image after the
    other, or each for all images before the next, and all that is no score stays what it is for
    an image.
    """
    classes = [
        n for n, name in enumerate(names) if words_of(name) <= CLASSES and whole(values[:, n])
    ]
    scores = [
        n for n, name in enumerate(names) if role_of(name) in SCORES and fractional(values[:, n])
    ]
    if len(classes) != 1 or len(scores) != 1:
        return names, values
    of_class = values[:, classes[0]]
    count = int(of_class.max()) + 1
    if count < 3 or len(values) < 2 * count or len(values) % count:
        return names, values
    for by_image in (values.reshape(-1, count, len(names)), _by_class(values, count)):
        order = np.argsort(by_image[:, :, classes[0]], axis=1)
        ordered = np.take_along_axis(by_image, order[:, :, None], axis=1)
        others = [n for n in range(len(names)) if n not in (*classes, *scores)]
        if (ordered[:, :, classes[0]] == np.arange(count)).all() and _still(ordered[:, :, others]):
            shares = [f"{names[scores[0]]}_{number}" for number in range(count)]
            wide = np.concatenate([ordered[:, 0, others], ordered[:, :, scores[0]]], axis=1)
            return [*(names[n] for n in others), *shares], wide
    return names, values


def _by_class(values: Floats, count: int) -> Floats:
    """Rows [N * C, K] of one class after the other, by image: [N, C, K]."""
    return values.reshape(count, -1, values.shape[1]).transpose(1, 0, 2)


def _still(values: Floats) -> bool:
    """Whether what stands beside the scores is the same in all rows of an image, but for text."""
    return bool(((values == values[:, :1]) | np.isnan(values)).all())
