"""From the arrays of a file, by what they are, to one model's answers: checked, and of one kind."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from parity.judge.forms import of_signs, of_two, unbatched
from parity.judge.shapes import (
    MOST_CLASSES,
    Given,
    adds_up,
    one_hot,
    rows_are_images,
    whole,
    wide,
)
from parity.run_record import RunRecord

Ints = NDArray[np.int64]
FEW = 30
"""Rows below which labels that come again may be a pattern."""


@dataclass(frozen=True)
class Run:
    """One trained model's answers to a test set.

    Attributes:
        name: Of its folder or file.
        predicted: int64 [N], 0 to C - 1.
        labels: int64 [N], or None where the file has none.
        sample_ids: int64 [N].
        logits: float [N, C], or whatever other scores there are, or None.
        probabilities: float64 [N, C], from the logits where there are logits, or None.
        broken: Images for which an output is not finite.
        record: What was run, or None for a bare file.
        views: What it answers to other versions of the test set, by name.
        class_names: By number, where the file names its classes.
        sample_names: Of the images, [N], where the file names them.
    """

    name: str
    predicted: Ints
    labels: Ints | None
    sample_ids: Ints
    logits: NDArray[Any] | None = None
    probabilities: NDArray[np.float64] | None = None
    broken: int = 0
    record: RunRecord | None = None
    views: dict[str, "Run"] = field(default_factory=dict)
    class_names: tuple[str, ...] | None = None
    sample_names: NDArray[np.str_] | None = None

    @property
    def columns(self) -> int | None:
        """Number of classes, where the file says it."""
        known = self.probabilities if self.logits is None else self.logits
        return None if known is None else known.shape[1]


@dataclass(frozen=True)
class Side:
    """The runs of one side, one for each seed."""

    name: str
    runs: list[Run]


def answers(name: str, given: Given, *, watched: bool = False) -> Run:
    """Check arrays and bring them into one form.

    Args:
        name: Of the run.
        given: The arrays. Scores of unknown name are probabilities where they add up to 1 or to
            100, and logits elsewhere; so are those called logits, unless the run was watched.
        watched: Whether the training was watched: then it is known what its loss took for logits.

    Raises:
        ValueError: types, shapes or values that cannot be a model's answers.
    """
    given = of_two(of_signs(unbatched(given)))
    outputs = given.outputs
    if given.called != "predictions" and outputs.ndim == 2 and outputs.dtype.kind not in "f":
        counted = outputs.dtype.kind in "iu" and adds_up(outputs) is not None  # whole per cents
        if not counted and not one_hot(outputs):
            raise ValueError(f"{given.called} of type {outputs.dtype}; expected floating point")
        outputs = outputs.astype(np.float64)
    count = len(outputs) if outputs.ndim else 0
    if given.called == "predictions":
        predicted = _classes(outputs, "predictions", count)
        labels, ids = _labels(given, count, MOST_CLASSES), _ids(given, count)
        if labels is None and count > 2 and np.array_equal(predicted, np.arange(count)):
            raise ValueError(
                f"predictions that count from 0 to {count - 1}: a row a class? expected a row "
                "an image"
            )
        return Run(name, predicted, labels, ids)
    if outputs.ndim != 2 or count == 0 or not 2 <= outputs.shape[1] <= MOST_CLASSES:
        raise ValueError(
            f"{given.called} of shape {outputs.shape}; expected [N, C] with at least 1 image and "
            f"2 classes, at most {MOST_CLASSES:,}"
        )
    rows_are_images(replace(given, outputs=outputs))
    labels, ids = _labels(given, count, outputs.shape[1]), _ids(given, count)
    broken = int((~np.isfinite(outputs)).any(axis=1).sum())
    predicted = np.where(np.isnan(outputs), -np.inf, outputs).argmax(axis=1).astype(np.int64)
    logits, probabilities = _scores(given, outputs, watched)
    return Run(name, predicted, labels, ids, logits, probabilities, broken)


def _scores(
    given: Given, outputs: NDArray[Any], watched: bool
) -> tuple[NDArray[Any] | None, NDArray[np.float64] | None]:
    """Logits and probabilities, as far as they are known.

    Raises:
        ValueError: they are called probabilities and cannot be any.
    """
    with np.errstate(invalid="ignore"):
        filled = outputs[outputs.any(axis=1)]  # rows of zeros are for the judge to name
    total = None if given.called == "logits" and watched else adds_up(filled)
    if total is not None:
        return None, outputs.astype(np.float64) / total
    known = outputs[np.isfinite(outputs).all(axis=1)]
    if given.called == "probabilities" and not len(known):
        return None, outputs.astype(np.float64)
    shares = bool(len(known)) and known.min() >= 0 and known.max() <= 1 + 1e-6
    if given.called == "probabilities" and (whole(known) or not shares):
        scores = "; scores before a softmax are called logits"
        raise ValueError(
            f"probabilities from {known.min():.3g} to {known.max():.3g} that do not add up to 1"
            + (": whole, as if they had been cut to integers" if whole(known) else scores)
        )
    if given.called != "logits" and shares:
        return outputs, None  # of a sigmoid: the largest wins, but they are no shares
    with np.errstate(all="ignore"):  # not finite is for the judge to say
        return outputs, softmax(outputs.astype(np.float64), axis=1)


def _labels(given: Given, count: int, classes: int) -> Ints | None:
    values = given.labels
    if values is None:
        return None
    _refuse_several(values)
    if wide(values):
        if not one_hot(values):
            raise ValueError(
                f"labels of shape {values.shape}; expected one a row, or a single 1 among 0s"
            )
        values = values.argmax(axis=1)
    labels = _classes(values, "labels", count)
    if labels.max() >= classes:
        raise ValueError(
            f"labels up to {labels.max()}; expected 0 to {classes - 1}, one for each column of "
            f"{given.called}"
        )
    return labels


def _refuse_several(labels: NDArray[Any]) -> None:
    """Refuse labels that come again as a whole: there are several answers to each image.

    Raises:
        ValueError: they do, after so many rows that it is no pattern, such as 0 to 9 once more.
    """
    count = len(labels)
    periods = (
        n for n in range(1, count // 2 + 1)
        if count % n == 0 and np.array_equal(labels[n:], labels[:-n])
    )  # fmt: skip
    if (period := next(periods, 0)) >= FEW:
        raise ValueError(
            f"the same {period:,} labels {count // period} times, one after the other, as of "
            "several models, epochs or seeds; give the answers of one, each in a file of its own"
        )


def _classes(values: NDArray[Any], name: str, count: int, most: int = MOST_CLASSES) -> Ints:
    """Whole numbers [N], below `most`, of any type and also as [N, 1]."""
    if wide(values) and name == "predictions" and one_hot(values):
        values = values.argmax(axis=1)
    if values.shape not in ((count,), (count, 1)) or count == 0:
        raise ValueError(f"{name} of shape {values.shape}; expected [{count or 'N'}], at least 1")
    values = values.reshape(-1)
    if np.isnan(values).all():
        raise ValueError(f"{name} that are no numbers; expected classes 0, 1, ...")
    if (missing := np.flatnonzero(np.isnan(values))).size:
        raise ValueError(
            f"{missing.size:,} of {count:,} {name} are missing, the first in row {missing[0] + 1}; "
            "expected one an image: fill them in, or leave these rows out, on both sides"
        )
    if not whole(values):
        odd = values[~(np.isfinite(values) & (values == np.round(values)))][0]
        raise ValueError(
            f"{name} that are not whole, such as {odd:.6g}; expected classes 0, 1, ..."
        )
    if values.min() < 0:
        raise ValueError(f"{name} down to {values.min():.0f}; expected none below 0")
    if values.max() >= most:
        raise ValueError(f"{name} up to {values.max():.0f}; expected at most {most - 1:,}")
    return values.astype(np.int64)


def _ids(given: Given, count: int) -> Ints:
    """Numbers of the images; those of rows, from 0 or 1 on, are the order of the file."""
    if given.sample_ids is None:
        return np.arange(count)
    ids = _classes(given.sample_ids, "sample_ids", count, most=2**53)
    if len(np.unique(ids)) != count:
        raise ValueError("sample_ids occur more than once; expected every sample once")
    if ids.min() == 1 and ids.max() == count:
        return ids - 1
    return ids
