"""Runs of two sides brought together: one order of the images, one numbering of the classes.

Only what the files themselves say decides: names or numbers of images, names of classes, labels.
"""

from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np

from parity.judge.answers import Ints, Run, Side
from parity.judge.comparable import CannotCompareError

MOST_NAMES = 20
"""Of classes, that are told."""
ENOUGH = 5
"""Images to each class from which on labels that match one to one do so by no chance."""


def aligned(a: Side, b: Side) -> tuple[Side, Side, list[str]]:
    """Both sides as the first run has images and classes, and what was done to bring them there.

    Runs without labels are lent those of the others. What cannot be aligned stays as it is.

    Raises:
        CannotCompareError: scores of other classes, by their names.
    """
    runs = [*a.runs, *b.runs]
    notes: list[str] = []
    together = [_in_order(runs[0], run, notes) for run in runs]
    together = _numbered(together, notes)
    names = next((run.class_names for run in together if run.class_names is not None), None)
    if names is not None:
        named = ", ".join(f"{number} is {name}" for number, name in enumerate(names[:MOST_NAMES]))
        notes.append(f"classes by name: {named}" + ", ..." * (len(names) > MOST_NAMES))
    labelled = [run for run in together if run.labels is not None]
    # Where there are scores, the numbers of the classes are their places.
    truth = next((run for run in labelled if run.columns is not None), next(iter(labelled), None))
    if truth is not None:
        together = [_from_the_same(truth, run, notes) for run in together]
        together = [
            run if run.class_names is not None else _as_labelled(truth, run, notes)
            for run in together
        ]
        together = [_lent(truth, run, notes) for run in together]
    count = len(a.runs)
    return Side(a.name, together[:count]), Side(b.name, together[count:]), notes


def _in_order(first: Run, run: Run, notes: list[str]) -> Run:
    order = _order(first, run)
    if order is None or np.array_equal(order, np.arange(len(order))):
        return run
    notes.append(f"{run.name} has the images in another order than {first.name}; sorted by them")

    return replace(
        run,
        predicted=run.predicted[order],
        labels=None if run.labels is None else run.labels[order],
        logits=None if run.logits is None else run.logits[order],
        probabilities=None if run.probabilities is None else run.probabilities[order],
        sample_ids=first.sample_ids,
        sample_names=first.sample_names,
    )


def _order(first: Run, run: Run) -> Ints | None:
    """Where each image of the first run stands in another; None where they do not name the same."""
    if len(first.predicted) != len(run.predicted):
        return None
    theirs, own = first.sample_names, run.sample_names
    if theirs is not None and own is not None:
        for form in (str, _file):
            names = [[form(name) for name in names.tolist()] for names in (theirs, own)]
            place = {name: row for row, name in enumerate(names[1])}
            if len(place) == len(names[1]) and set(names[0]) == set(place):
                return np.array([place[name] for name in names[0]])
    ids, others = first.sample_ids, run.sample_ids
    if np.array_equal(np.sort(ids), np.sort(others)):
        order: Ints = np.argsort(others)[np.argsort(np.argsort(ids))]
        return order
    return None


def _file(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).stem


def _numbered(runs: list[Run], notes: list[str]) -> list[Run]:
    """Runs that number the classes by all their names, or as those do that give numbers.

    Raises:
        CannotCompareError: scores of some of the classes that are named.
    """
    named = [run for run in runs if run.class_names is not None]
    if len({run.class_names for run in named}) > 1:
        everything = tuple(sorted({name for run in named for name in run.class_names or ()}))
        for run in named:
            lacking = set(everything) - set(run.class_names or ())
            if lacking and run.columns is not None:
                raise CannotCompareError(
                    f"{run.name} has no scores of class {min(lacking)[:40]!r}, which others name; "
                    "expected the same classes"
                )
        place = {name: number for number, name in enumerate(everything)}
        runs = [
            run if (names := run.class_names) is None
            else _renumbered(run, np.array([place[name] for name in names]), everything)
            for run in runs
        ]  # fmt: skip
    numbers = next((r for r in runs if r.class_names is None and r.labels is not None), None)
    if not named or numbers is None:
        return runs
    return [run if run.class_names is None else _as_labelled(numbers, run, notes) for run in runs]


def _as_labelled(numbers: Run, run: Run, notes: list[str]) -> Run:
    """A run by the numbers that another run's labels give to its classes.

    Where it gives numbers too, its answers must fit its own labels better than the other's.
    """
    theirs, own, names = numbers.labels, run.labels, run.class_names
    assert theirs is not None
    if own is None or len(own) != len(theirs) or np.array_equal(own, theirs):
        return run
    pairs = {(int(x), int(y)) for x, y in zip(own, theirs, strict=True)}
    count = len(names) if names is not None else run.columns or len(pairs)
    if len(pairs) != count or sorted({x for x, _ in pairs}) != list(range(count)):
        return run
    place = np.array([y for _, y in sorted(pairs)])
    if sorted(place) != list(range(count)) or run.predicted.max() >= count:
        return run
    if names is not None:
        notes.append(f"{run.name} names the classes; numbered as the labels of {numbers.name} are")
        return _renumbered(run, place, tuple(names[n] for n in np.argsort(place)))
    if (
        len(own) < ENOUGH * count
        or (run.predicted == own).mean() < (run.predicted == theirs).mean()
    ):
        return run
    moved = ", ".join(f"{x} is {y}" for x, y in sorted(pairs)[:MOST_NAMES] if x != y)
    notes.append(f"{run.name} numbers the classes otherwise; as labels of {numbers.name}, {moved}")
    return _renumbered(run, place, None)


def _renumbered(run: Run, place: Ints, names: tuple[str, ...] | None) -> Run:
    """With class n as class `place[n]`; all have a place where there are scores."""
    order = np.argsort(place)
    return replace(
        run,
        predicted=place[run.predicted],
        labels=None if run.labels is None else place[run.labels],
        logits=None if run.logits is None else run.logits[:, order],
        probabilities=None if run.probabilities is None else run.probabilities[:, order],
        class_names=names,
    )


def _from_the_same(truth: Run, run: Run, notes: list[str]) -> Run:
    """A run that counts its classes from another number than `truth`, as its labels show."""
    assert truth.labels is not None
    if run.labels is None or len(run.labels) != len(truth.labels) or run.columns is not None:
        return run
    off = np.unique(run.labels - truth.labels)
    if len(off) > 1 or off[0] == 0 or run.predicted.min() < off[0]:
        return run
    notes.append(f"the classes of {run.name} are counted from {off[0]:+d}, as its labels are")
    return replace(run, predicted=run.predicted - off[0], labels=truth.labels)


def _lent(truth: Run, run: Run, notes: list[str]) -> Run:
    if run.labels is not None or len(run.predicted) != len(truth.predicted):
        return run
    notes.append(f"{run.name} has no labels; judged by those of {truth.name}, row by row")
    return replace(run, labels=truth.labels)
