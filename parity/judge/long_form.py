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
    an image, but for text.
    """
    classes = [
        n for n, a in zip(names, values.T, strict=True) if words_of(n) <= CLASSES and whole(a)
    ]
    scores = [
        n for n, a in zip(names, values.T, strict=True) if role_of(n) in SCORES and fractional(a)
    ]
    if len(classes) != 1 or len(scores) != 1:
        return names, values
    of_class = values[:, names.index(classes[0])]
    count = int(of_class.max()) + 1
    if count < 3 or len(values) < 2 * count or len(values) % count:
        return names, values
    turns = np.sort(of_class.reshape(-1, count), axis=1), np.sort(of_class.reshape(count, -1).T)
    ordered = values[np.argsort(of_class, kind="stable").reshape(count, -1).T]
    others = [n for n, name in enumerate(names) if name not in (*classes, *scores)]
    beside, first = ordered[:, :, others], ordered[:, :1, others]
    if (
        not any((turn == np.arange(count)).all() for turn in turns)
        or not ((beside == first) | np.isnan(beside)).all()
    ):
        return names, values
    wide = np.concatenate([first[:, 0], ordered[:, :, names.index(scores[0])]], axis=1)
    return [
        *(names[n] for n in others),
        *(f"{scores[0]}_{number}" for number in range(count)),
    ], wide
