"""What an array of answers is, by its numbers alone: classes, labels, shares or scores."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
MOST_CLASSES = 2_000
"""A table of every class against every other must fit into memory, for each run."""
Called = Literal["logits", "probabilities", "predictions", "scores"]


@dataclass(frozen=True)
class Given:
    """The arrays of a file by what they are; none is checked.

    Attributes:
        outputs: The answers.
        called: What they are called.
        labels: The truth, if any.
        sample_ids: Which images, if they are numbered.
        class_names: By number, where the file names its classes.
        sample_names: Which images, [N], where the file names them, each differently.
    """

    outputs: Array
    called: Called
    labels: Array | None = None
    sample_ids: Array | None = None
    class_names: tuple[str, ...] | None = None
    sample_names: NDArray[np.str_] | None = None


def nameless(values: Array) -> Given:
    """What the columns of one array [N] or [N, K] are, where only one reading makes sense.

    Raises:
        ValueError: none does, or several do.
    """
    values = flat(values)
    table = values[:, None] if values.ndim == 1 else values
    if table.ndim != 2 or not len(table) or not table.shape[1]:
        raise ValueError(f"an array of shape {values.shape}; expected answers [N] or [N, C]")
    if len(table) == 1 and table.shape[1] > 2 and whole(table) and adds_up(table) is None:
        table = table.T  # answers in one line
    if table.shape[1] == 1:
        return Given(table[:, 0], "scores" if fractional(table) else "predictions")
    ids = None
    first, rest = table[:, 0], table[:, 1:]
    start = first[0]
    most = float(rest.max()) + 1 if whole(rest) else rest.shape[1]
    if start in (0, 1) and len(table) > 2 * most and (np.diff(first) == 1).all():
        ids, table = first, rest
    if table.shape[1] == 1:
        return Given(table[:, 0], "predictions", sample_ids=ids)
    readings = [
        Given(scores, "scores", labels, ids)
        for scores, labels in (
            (table, None), (table[:, 1:], table[:, 0]), (table[:, :-1], table[:, -1]),
            *_halves(table),
        )
        if are_scores(scores) and (labels is None or are_labels(labels, scores.shape[1]))
    ]  # fmt: skip
    if len(readings) != 1:
        raise ValueError(
            f"{table.shape[1]} columns without names, of which it is not clear what they are; name "
            "them in the first line: label, then prediction or p0, p1, ..."
        )
    return readings[0]


def flat(outputs: Array) -> Array:
    """Answers [N, C] that a network gave as [N, 1, C] or [N, C, 1, 1]."""
    if outputs.ndim > 2 and sum(size > 1 for size in outputs.shape[1:]) == 1:
        return outputs.reshape(len(outputs), -1)
    return outputs


def of_eight_bits(values: Array) -> Array:
    """Shares [N, C] of uint8 or int8 in 256ths, from 0 or from -128; all else as it is.

    So TensorFlow Lite writes the outputs of a softmax (its quantization specification).
    """
    if values.dtype not in (np.uint8, np.int8) or not wide(values):
        return values
    shares = (values.astype(np.float64) - np.iinfo(values.dtype).min) / 256
    off = abs(shares.sum(axis=1) - 1).max(initial=0.0)
    return shares if len(shares) and off <= min(values.shape[1] / 2 + 1, 16) / 256 else values


def wide(array: Array) -> bool:
    """Whether it has several columns."""
    return array.ndim == 2 and array.shape[1] > 1


def whole(values: Array) -> bool:
    """Whether all values are finite and whole, of whatever type."""
    return bool(values.size and np.isfinite(values).all() and (values == np.round(values)).all())


def fractional(values: Array) -> bool:
    """Whether any value that is finite is not whole."""
    known = values[np.isfinite(values)]
    return bool((known != np.round(known)).any())


def are_labels(values: Array, classes: int) -> bool:
    """Whether they may be classes below `classes`, one a row or one-hot."""
    if wide(values):
        return bool(values.shape[1] == classes) and one_hot(values)
    return whole(values) and bool(values.min() >= 0 and values.max() < classes)


def are_scores(values: Array) -> bool:
    """Whether a column of classes or numbers is not among them."""
    if values.shape[1] < 2:
        return False
    if one_hot(values):
        return bool(values.shape[1] > 2)
    hidden = [c for c in values.T if whole(c) and bool((c != c[0]).any())]
    return not hidden or adds_up(values) is not None


def _halves(table: Array) -> list[tuple[Array, Array]]:
    """Scores and labels in one column a class each."""
    half, odd = divmod(table.shape[1], 2)
    if odd or half < 2:
        return []
    left, right = table[:, :half], table[:, half:]
    return [(s, t) for s, t in ((right, left), (left, right)) if one_hot(t) and not one_hot(s)]


def agree(scores: Array, other: Array) -> bool:
    """Whether two answers name the same classes, as far as rounded ones tell."""
    if scores is other:
        return True
    if len(scores) != len(other) or not wide(scores):
        return np.array_equal(scores.reshape(-1), other.reshape(-1))
    if wide(other):
        chosen = np.nan_to_num(scores, nan=-np.inf).argmax(axis=1)
        scores = other
    else:
        chosen = other.reshape(-1).astype(int)
        chosen = chosen - counted_from_1(chosen, scores.shape[1])
    if chosen.min() < 0 or chosen.max() >= scores.shape[1]:
        return False
    largest = scores.max(axis=1)
    picked = np.take_along_axis(scores, chosen[:, None], axis=1)[:, 0]
    return bool(((picked == largest) | np.isnan(largest)).all())


def counted_from_1(values: Array, classes: int) -> bool:
    """Whether whole numbers count `classes` classes from 1, as MATLAB and R do."""
    return bool(values.min() > 0 and values.max() == classes)


def one_hot(values: Array) -> bool:
    """Whether each row of [N, C] is a 1 among 0s."""
    return bool(((values == 0) | (values == 1)).all() and (values.sum(axis=1) == 1).all())


def adds_up(values: Array) -> float | None:
    """1 or 100 where each finite row of float [N, C] adds up to it, as shares or percentages do.

    Rows of rounded numbers may be off by a unit of the last decimal in every column, or by half a
    unit of the last digit of each.
    """
    rows = values[np.isfinite(values).all(axis=1)].astype(np.float64)
    if not len(rows) or rows.min() < -1e-6:
        return None
    sums = rows.sum(axis=1)
    for total in (1.0, 100.0):
        off = abs(sums - total)
        if off.max() <= 1e-3 * total:
            return total
        most = 0.5 if off.mean() <= 0.1 * total else 0.25  # of one decimal
        if off.max() <= most * total and (
            off.max() <= unit_of(rows) * rows.shape[1] or (off <= _half_units(rows)).all()
        ):
            return total
    return None


def shares_of(members: dict[int, Array], *, by_place: bool) -> Array | None:
    """Columns of a name that says nothing, where they are shares of numbered classes: [N, C]."""
    first = min(members) if by_place and min(members) in (0, 1) else 0
    if len(members) < 2 or sorted(members) != list(range(first, first + len(members))):
        return None
    rows = np.stack([members[number] for number in sorted(members)], axis=1)
    return rows if adds_up(rows) is not None else None


def _half_units(rows: Array) -> Array:
    """Half a unit of the last digit of each number, added up over each row: float [N].

    0 where the numbers of [N, C] have more than three digits.
    """
    magnitude = np.floor(np.log10(np.maximum(rows, 1e-300)))
    for digits in (2, 3):
        unit = 10.0 ** (magnitude - digits + 1)
        if abs(rows / unit - np.round(rows / unit)).max() < 1e-3:
            half: Array = 0.5001 * unit.sum(axis=1)
            return half
    return np.zeros(len(rows))


def unit_of(values: Array) -> float:
    """The last decimal's unit to which all values are rounded, or 0 beyond four decimals."""
    for decimals in range(5):
        scaled = values * 10.0**decimals
        if abs(scaled - np.round(scaled)).max() < 1e-3:
            return float(10.0**-decimals)
    return 0.0


def rows_are_images(given: Given) -> None:
    """Refuse scores [N, C] that are a confusion matrix, or have a row for each class.

    Raises:
        ValueError: they are, or nothing tells which.
    """
    count, classes = given.outputs.shape
    in_order = given.labels is not None and np.array_equal(given.labels, np.arange(count))
    if count == classes > 2 and (in_order or (given.labels is None and _counts(given.outputs))):
        raise ValueError(
            f"{count} rows of {count} numbers, one for each class, as in a confusion matrix; "
            "expected one row an image"
        )
    if count != len(given.labels if given.labels is not None else given.outputs) == classes:
        raise ValueError(
            f"{given.called} of shape {(count, classes)} and {classes} labels; expected "
            f"[{classes}, C]: transpose them"
        )
    if given.labels is None and 2 * count < classes:
        raise ValueError(
            f"{given.called} of shape {(count, classes)} without labels: {count} images, or as "
            "many classes? expected [N, C]: transpose them, or give labels"
        )


def _counts(outputs: Array) -> bool:
    return bool(whole(outputs) and outputs.min() >= 0 and outputs.max() > 1)
