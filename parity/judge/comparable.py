"""Do two sides answer the same questions, in the same order?"""

from dataclasses import replace

import numpy as np
from scipy import special

from parity.errors import ParityError
from parity.judge.answers import Run, Side
from parity.judge.case_files import case_of
from parity.watch.diagnosis.figures import depend
from parity.watch.diagnosis.order import shuffled
from parity.watch.symptoms import Symptoms

FEW = 100
"""Images below which orders cannot be told apart."""
SURE, LIKELY = 0.02, 0.2
"""Probabilities of so equal class counts by chance: believed by itself, and beside confidences
that are spread alike."""


class CannotCompareError(ParityError, ValueError):
    """The two sides do not answer the same questions; the message says how they differ."""


def check_comparable(a: Side, b: Side) -> None:
    """Whether all runs answer the same questions.

    Raises:
        CannotCompareError: different images, labels, classes, data or orders.
    """
    runs = [*a.runs, *b.runs]
    first = runs[0]
    for run in runs[1:]:
        if len(run.predicted) != len(first.predicted):
            raise CannotCompareError(
                f"{first.name} has {len(first.predicted):,} images, {run.name} "
                f"{len(run.predicted):,}; expected the same test set" + _missing(first, run)
            )
        if not np.array_equal(run.sample_ids, first.sample_ids):
            raise CannotCompareError(
                f"{first.name} and {run.name} have other sample_ids; expected the same test images "
                f"in the same order{_missing(first, run)}"
            )
        _check_labels(first, run)
        if None not in (run.columns, first.columns) and run.columns != first.columns:
            raise CannotCompareError(
                f"{first.name} has {first.columns} classes, {run.name} {run.columns}; "
                "expected as many"
            )
        records = [r.record for r in (first, run) if r.record is not None]
        if len(records) == 2 and len({str(r.data.get("sha256")) for r in records}) > 1:
            raise CannotCompareError(
                f"{first.name} and {run.name} were run on other data (the SHA-256 of their raw "
                "arrays differs); train both on the same"
            )
    _check_order(a, b)


def _missing(first: Run, run: Run) -> str:
    """An image that only one has, in words that follow; empty where none is, or none is named."""
    if all(np.array_equal(r.sample_ids, np.arange(len(r.sample_ids))) for r in (first, run)):
        return ""  # rows, counted
    for one, other in ((first, run), (run, first)):
        lacking = np.setdiff1d(one.sample_ids, other.sample_ids)
        if len(lacking):
            count = f", the first of {len(lacking):,}" if len(lacking) > 1 else ""
            return f": {other.name} lacks sample_id {lacking[0]}{count}"
    return ""


def _check_labels(first: Run, run: Run) -> None:
    a, b = first.labels, run.labels
    if a is None or b is None or np.array_equal(a, b):  # where one side has them, both do
        return
    names = f"{first.name} and {run.name}"
    if len(set((b - a).tolist())) == 1:
        raise CannotCompareError(
            f"{names} number the classes differently: the labels of {run.name} are those of "
            f"{first.name} {b[0] - a[0]:+d}; number them from 0 on both sides"
        )
    if np.array_equal(np.sort(a), np.sort(b)):
        raise CannotCompareError(
            f"{names} have other labels: the same, in another order; not shuffled alike. Predict "
            "the test images in the order of their file, on both sides"
        )
    rows = np.flatnonzero(a != b)
    raise CannotCompareError(
        f"{names} have other labels: {len(rows):,} of {len(a):,} differ, the first in row "
        f"{rows[0] + 1}; expected the same test set"
    )


def _check_order(a: Side, b: Side) -> None:
    """Find runs whose answers are sound, and belong to other rows.

    Raises:
        CannotCompareError: there is one.
    """
    runs = [("A", run) for run in a.runs] + [("B", run) for run in b.runs]
    side, best = max(runs, key=lambda item: _accuracy(item[1]))  # the first, without labels
    for other, run in runs:
        if not _shuffled(best, run):
            continue
        agree = (best.predicted == run.predicted).mean()
        raise CannotCompareError(
            f"side {other}'s answers are side {side}'s in another order: {run.name} names each "
            f"class as often as {best.name}, and agrees with it on {agree:.1%} of the images, as "
            "by chance; not shuffled alike. Predict the test images in the order of their file"
        )


def _accuracy(run: Run) -> float:
    return 0.0 if run.labels is None else float((run.predicted == run.labels).mean())


def _shuffled(best: Run, run: Run) -> bool:
    """Whether a run answers as a sound model does, and other images.

    It does where `shuffled` says so of it and the other's answers, or where classes are counted too
    equally for two models that have nothing in common. That is the lower tail of the chi-squared
    test of homogeneity (Pearson 1911): models that see nothing of the images would differ by more,
    and those that see them agree on more than chance does.
    """
    count = len(run.predicted)
    if count < FEW or run is best:
        return False
    classes = int(max(best.predicted.max(), run.predicted.max())) + 1
    first, second = (np.bincount(r.predicted, minlength=classes) for r in (best, run))
    chance = float((first / count) @ (second / count))
    if chance > 0.9 or depend(best.predicted, run.predicted):
        return False
    if best.labels is not None and _accuracy(best) < (1 + chance) / 2:
        return False
    both = first + second
    statistic = float(((first - second) ** 2 / np.maximum(both, 1)).sum())
    case = replace(case_of(run, Symptoms()), labels=best.predicted)
    if case.classes == classes and not case.classes_only and shuffled(case) is not None:
        return True
    limit = LIKELY if _as_confident(best, run) else SURE
    return bool(special.chdtr(int((both > 0).sum()) - 1, statistic) < limit)


def _as_confident(best: Run, run: Run) -> bool:
    """Whether both are sure, and sure of as many images; False where they give no probabilities."""
    known = [r.probabilities.max(axis=1) for r in (best, run) if r.probabilities is not None]
    if len(known) < 2 or min(np.nanmean(values) for values in known) < 0.6:
        return False
    a, b = (np.nanquantile(values, np.linspace(0.05, 0.95, 19)) for values in known)
    return bool(np.abs(a - b).max() < 0.1)


def number_of_classes(runs: list[Run]) -> int:
    """C, from the columns of all runs, and from the classes that occur.

    Raises:
        CannotCompareError: a class occurs that has no column.
    """
    columns = [run.columns for run in runs if run.columns is not None]
    answers = [values for run in runs for values in (run.predicted, run.labels)]
    highest = max(int(values.max()) for values in answers if values is not None)
    if columns and highest >= max(columns):
        raise CannotCompareError(f"class {highest} occurs, but there are {max(columns)} classes")
    return max([*columns, highest + 1, 2])
