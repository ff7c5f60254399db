"""What the arrays or columns of a file are, by their names; by their shapes where these decide."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.judge.cells import BOTH, DIGITS
from parity.judge.class_names import by_number
from parity.judge.elimination import (
    ROWS,
    by_shape,
    called_by_class,
    features,
    of_the_test,
    rows_of_the_test,
    truth_beside,
    with_lone_answer,
)
from parity.judge.long_form import a_row_each
from parity.judge.names import CLASSES, IDS, POSITIONS, THINGS, role_of, words_of
from parity.judge.ranked import by_place, first_of
from parity.judge.shapes import (
    Called,
    Given,
    agree,
    counted_from_1,
    fractional,
    nameless,
    shares_of,
    whole,
    wide,
)
from parity.judge.tables import Table

Array = NDArray[Any]
Arrays = dict[str, Array]
PREFERRED: tuple[Called, ...] = ("logits", "probabilities", "scores", "predictions")
"""Of answers that say the same, the first tells most."""
TRUTH_ONLY = (
    "; labels are taken for the truth: call them prediction if they are what a model answers"
)
COUNTED = {"classes"}
NUMBERED = re.compile(r"(.*?)[\s_.\[(]*(\d{1,9})(?:\.0)?[\])]?(\D*)")
NAMED = re.compile(rf"(?i)(?<![a-z])(?:{'|'.join(DIGITS)})(?![a-z])")
"""Columns of classes: "p3", "softmax[3]", "3_prob", "prob_three"."""


def of_table(table: Table) -> Given:
    """What the columns of a table are.

    Raises:
        ValueError: no answers, or more than one way to read them.
    """
    if table.names is None or _are_places(table.names):
        return nameless(table.values)
    table = with_lone_answer(rows_of_the_test(table))
    assert table.names is not None
    if twice := {name for name in table.names if table.names.count(name) > 1}:
        raise ValueError(f"column {', '.join(sorted(twice))[:200]} occurs more than once")
    numbered, class_names = by_number(
        dict(zip(table.names, table.values.T, strict=True)), table.texts
    )
    if class_names is None and np.isnan(table.values).all():
        raise ValueError(
            f"columns {', '.join(table.names)[:200]} of text; expected classes by name as labels "
            "and predictions, or numbers"
        )
    names, rows = a_row_each(list(numbered), np.stack(list(numbered.values()), axis=1))
    columns: dict[str, Array] = {}
    groups: dict[str, dict[int, Array]] = {}
    for name, values in zip(names, rows.T, strict=True):
        plain = BOTH.sub(r"\2", name)
        matched = NUMBERED.fullmatch(NAMED.sub(lambda m: str(DIGITS.index(m[0].lower())), plain))
        role = role_of(name)
        counted = by_place(name) or words_of(name) <= POSITIONS
        if matched is None or role == "ids" or (role == "besides" and not counted):
            columns[name] = values
        else:
            group = (matched[1] + matched[3]).strip() or "scores"
            groups.setdefault(group, {})[int(matched[2])] = values
    _from_0(columns, groups, named=class_names is not None)
    for name, members in groups.items():
        if (first := first_of(name, members)) is not None:
            columns["prediction"] = first
        elif by_place(name):
            continue  # how likely the first few are
        elif role_of(name) not in (None, "besides"):
            columns[name] = _together(members, names, columns)
        elif (shares := shares_of(members, by_place=words_of(name) <= POSITIONS)) is not None:
            columns["scores"] = shares
        else:  # numbers that are part of names
            columns |= {f"{name}{n}" if len(members) > 1 else name: a for n, a in members.items()}
    return replace(of_arrays(columns, "columns"), class_names=class_names)


def _from_0(columns: Arrays, groups: dict[str, dict[int, Array]], *, named: bool) -> None:
    """Number classes from 0 that the columns number from 1, and labels and classes beside them.

    Classes that the file names are numbered from 0 already.
    """
    one_each = [
        g for name, g in groups.items()
        if len(g) > 2 and sorted(g) == [*range(1, len(g) + 1)] and not by_place(name)
        and fractional(np.stack(list(g.values())))
    ]  # fmt: skip
    if len({len(group) for group in one_each}) != 1:
        return
    count = len(one_each[0])
    numbers = {} if named else columns
    said = [n for n, a in numbers.items() if role_of(n) in ("labels", "predictions") and whole(a)]
    if any(columns[n].min() < 1 for n in said) or {columns[n].max() for n in said} - {count}:
        return
    for name in said:
        columns[name] = columns[name] - 1
    for group in one_each:
        renumbered = {number - 1: array for number, array in group.items()}
        group.clear()
        group.update(renumbered)


def _are_places(names: list[str]) -> bool:
    """Whether all columns are called by their places, as R does: "V1", "V2", ...."""
    numbers = [m[2] for m in map(NUMBERED.fullmatch, names) if m and words_of(m[1]) <= POSITIONS]
    return len(set(map(words_of, names))) == 1 and numbers == [
        str(n) for n in range(int(numbers[:1] == ["1"]), len(names) + int(numbers[:1] == ["1"]))
    ]


def _together(members: dict[int, Array], names: list[str], others: Arrays) -> Array:
    """Columns of classes, 0, 1, ... or the labels': [N, C]; of two, the second alone: [N]."""
    if list(members) == [1]:
        return members[1]
    known = [a for n, a in others.items() if role_of(n) == "labels" and not wide(a)]
    expected = [{*range(len(members))}, *({*labels.tolist()} for labels in known)]
    if {*members} not in expected or len(members) < 2:
        numbers = ", ".join(map(str, sorted(members)[:20]))
        raise ValueError(
            f"columns {', '.join(names)[:200]}; those of the classes are numbered "
            f"{numbers}, expected 0, 1, ... without a gap"
        )
    return np.stack([members[number] for number in sorted(members)], axis=1)


def of_arrays(arrays: Mapping[str, Array], kind: str = "arrays") -> Given:
    """What named arrays are; `kind` is what errors call them.

    Raises:
        ValueError: no answers, or more than one way to read them.
    """
    # A number is no answer, nor is scikit-learn's ``classes_``, which its columns follow anyway.
    counted = [n for n, a in arrays.items() if np.array_equal(a, np.arange(a.size))]
    kept = {n for n, a in arrays.items() if a.ndim and (n not in counted or words_of(n) != COUNTED)}
    arrays = of_the_test({n: a for n, a in arrays.items() if n in kept})
    roles = {name: None if _shared(name, a) else role_of(name) for name, a in arrays.items()}
    if list(arrays) == [""] or (len(arrays) == 1 and None in roles.values()):
        (only,) = arrays.values()
        return nameless(only)
    by_role: dict[str | None, Arrays] = {}
    for name, array in arrays.items():
        by_role.setdefault(roles[name], {})[name] = array
    labels = by_role.get("labels", {})
    outputs = {n: a for called in PREFERRED for n, a in by_role.get(called, {}).items()}
    odd = by_role.get(None, {})
    if not outputs and len(odd) <= 2:
        labels, outputs, odd = by_shape(labels, odd)
    if not labels:
        labels, outputs = called_by_class(outputs, by_role.get("besides", {}))
    if not outputs and any(w & {"epoch"} or w >= {"val", "loss"} for w in map(words_of, arrays)):
        raise ValueError(
            f"{kind} {', '.join(arrays)[:200]}: the course of a training; expected what a model "
            "answers to each image: logits, probabilities or predictions, and labels"
        )
    if outputs:
        known = {name: array for name, array in odd.items() if not np.isnan(array).all()}
        name, array = _answers(outputs)
        if not labels and (wide(array) or not words_of(name) <= CLASSES):  # else it may be either
            labels = truth_beside(array, known)
    if labels and outputs:
        odd = {name: array for name, array in known.items() if name not in labels}  # none of text
        said = features(odd, next(iter(labels.values())), _answers(outputs)[1])
        odd = {name: array for name, array in odd.items() if name not in said}
    if odd:
        raise ValueError(
            f"unknown {kind} {', '.join(sorted(odd))[:200]} beside "
            f"{', '.join(sorted(labels | outputs))[:200] or 'nothing known'}; expected "
            "labels, sample_ids, and one of logits, probabilities, predictions"
        )
    name, array = _answers(outputs)
    truth = _only(labels)
    if wide(array) and truth is not None and whole(truth) and truth.min() > 0:
        classes = [a for a in outputs.values() if not wide(a) and whole(a)]
        truth = truth - any(counted_from_1(a, array.shape[1]) for a in classes)
    return Given(array, _called(name, array), truth, _only(_own(by_role.get("ids", {}))))


def _answers(outputs: Arrays) -> tuple[str, Array]:
    """Those that tell most; all that name classes must name the same.

    Raises:
        ValueError: there are none, or some that name other classes.
    """
    naming = {n: array for n, array in outputs.items() if wide(array) or whole(array)} or outputs
    wide_first = sorted(naming, key=lambda name: not wide(naming[name]))
    first = naming[wide_first[0]] if naming else None
    if first is not None and all(agree(first, other) for other in naming.values()):
        return wide_first[0], first
    raise ValueError(
        f"{' and '.join(sorted(outputs)) or 'no outputs'}; expected one of logits, "
        "probabilities, predictions" + (TRUTH_ONLY if not outputs else "")
    )


def _called(name: str, array: Array) -> Called:
    said = role_of(name)
    called: Called = next((c for c in PREFERRED if c == said), "scores")
    if called == "predictions" and wide(array) and array.dtype.kind == "f":
        return "scores"
    return "predictions" if called == "scores" and not wide(array) and whole(array) else called


def _shared(name: str, array: Array) -> bool:
    """Whether several images have one number of this kind: they are of patients, say."""
    numbers = role_of(name) == "ids" and not words_of(name) <= IDS | THINGS
    return numbers and not np.isnan(array).any() and len(np.unique(array)) < len(array)


def _own(ids: Arrays) -> Arrays:
    # Text is NaN, and fractions number nothing: they were "1,001".
    ids = {n: a for n, a in ids.items() if not (np.isnan(a).all() or fractional(a))}
    return {n: array for n, array in ids.items() if not words_of(n) <= ROWS} or ids


def _only(arrays: Arrays) -> Array | None:
    """The one array, if any; several must be equal.

    Raises:
        ValueError: they are not.
    """
    values = list(arrays.values())
    if any(not np.array_equal(values[0], other) for other in values[1:]):
        raise ValueError(f"{' and '.join(arrays)}; expected one of them")
    return values[0] if values else None
