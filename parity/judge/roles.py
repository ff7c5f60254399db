"""What the arrays or columns of a file are, by their names; by their shapes where these decide."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.judge.cells import BOTH, DIGITS
from parity.judge.class_names import by_number, in_order
from parity.judge.long_form import a_row_each
from parity.judge.names import CLASSES, role_of, words_of
from parity.judge.ranked import by_place, first_of
from parity.judge.shapes import (
    Called,
    Given,
    adds_up,
    agree,
    are_labels,
    are_scores,
    nameless,
    whole,
    wide,
)
from parity.judge.tables import Table

Array = NDArray[Any]
Arrays = dict[str, Array]
PREFERRED: tuple[Called, ...] = ("logits", "probabilities", "scores", "predictions")
"""Of answers that say the same, the first tells most."""
CORRECT = frozenset({"correct", "right", "label", "class", "answer"})
TRUTH_ONLY = (
    "; labels are taken for the truth: call them prediction if they are what a model answers"
)
ROWS = frozenset({"", "unnamed", "index", "level"})
"""What pandas calls the numbers of rows, which mean nothing where images have their own."""
NUMBERED = re.compile(r"(.*?)[\s_.\[(]*(\d{1,9})(?:\.0)?[\])]?(\D*)")
NAMED = re.compile(rf"(?i)(?<![a-z])(?:{'|'.join(DIGITS)})(?![a-z])")
"""Columns of classes: "p3", "softmax[3]", "3_prob", "prob_three"."""


def of_table(table: Table) -> Given:
    """What the columns of a table are.

    Raises:
        ValueError: no answers, or more than one way to read them.
    """
    if table.names is None:
        return nameless(table.values)
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
        if matched is None or role == "ids" or (role == "besides" and not by_place(name)):
            columns[name] = values
        else:
            group = (matched[1] + matched[3]).strip() or "scores"
            groups.setdefault(group, {})[int(matched[2])] = values
    _from_0(columns, groups)
    for name, members in groups.items():
        if (first := first_of(name, members)) is not None:
            columns["prediction"] = first
        elif by_place(name):
            continue  # how likely the first few are
        elif role_of(name) or _are_shares(members):
            columns[name] = _together(members, names)
        else:  # numbers that are part of names
            columns |= {f"{name}{n}" if len(members) > 1 else name: a for n, a in members.items()}
    return replace(of_arrays(columns, "columns"), class_names=class_names)


def _from_0(columns: Arrays, groups: dict[str, dict[int, Array]]) -> None:
    """Number classes from 0 that the names of the columns and the labels both number from 1."""
    one_each = [g for g in groups.values() if len(g) > 2 and sorted(g) == [*range(1, len(g) + 1)]]
    count = max((len(group) for group in one_each), default=0)
    truth = [n for n, array in columns.items() if role_of(n) == "labels" and whole(array)]
    if not truth or any(columns[n].min() < 1 or columns[n].max() != count for n in truth):
        return
    for name in [*truth, *(n for n in columns if role_of(n) == "predictions")]:
        columns[name] = columns[name] - 1
    for group in one_each:
        renumbered = {number - 1: array for number, array in group.items()}
        group.clear()
        group.update(renumbered)


def _are_shares(members: dict[int, Array]) -> bool:
    """Whether columns of a name that says nothing are shares of numbered classes all the same."""
    numbered = len(members) > 1 and sorted(members) == list(range(len(members)))
    return numbered and adds_up(np.stack(list(members.values()), axis=1)) is not None


def _together(members: dict[int, Array], names: list[str]) -> Array:
    """Columns of numbered classes in one array [N, C]; the second of two may stand alone: [N]."""
    if list(members) == [1]:
        return members[1]
    if sorted(members) != list(range(len(members))) or len(members) < 2:
        numbers = ", ".join(map(str, sorted(members)[:20]))
        raise ValueError(
            f"columns {', '.join(names)[:200]}; those of the classes are numbered "
            f"{numbers}, expected 0, 1, ... without a gap"
        )
    return np.stack([members[number] for number in range(len(members))], axis=1)


def of_arrays(arrays: Mapping[str, Array], kind: str = "arrays") -> Given:
    """What named arrays are; `kind` is what errors call them.

    Raises:
        ValueError: no answers, or more than one way to read them.
    """
    arrays = in_order({n: a for n, a in arrays.items() if a.ndim})  # a number is no answer
    roles = {name: role_of(name) for name in arrays}
    if list(arrays) == [""] or (len(arrays) == 1 and None in roles.values()):
        (only,) = arrays.values()
        return nameless(only)
    by_role: dict[str | None, Arrays] = {}
    for name, array in arrays.items():
        by_role.setdefault(roles[name], {})[name] = array
    labels = by_role.get("labels", {})
    outputs: Arrays = {}
    for called in PREFERRED:
        outputs |= by_role.get(called, {})
    odd = by_role.get(None, {})
    if not outputs and len(odd) <= 2:
        labels, outputs, odd = _by_shape(labels, odd)
    if not labels:
        labels, outputs = _truth(outputs, by_role.get("besides", {}))
    if not outputs and any("epoch" in words_of(name) for name in arrays):
        raise ValueError(
            f"{kind} {', '.join(arrays)[:200]}: the course of a training; expected what a model "
            "answers to each image: logits, probabilities or predictions, and labels"
        )
    if labels and outputs:
        odd = {name: array for name, array in odd.items() if not np.isnan(array).all()}  # of text
    if odd:
        raise ValueError(
            f"unknown {kind} {', '.join(sorted(odd))[:200]} beside "
            f"{', '.join(sorted(labels | outputs))[:200] or 'nothing known'}; expected "
            "labels, sample_ids, and one of logits, probabilities, predictions"
        )
    name, array = _answers(outputs)
    return Given(array, _called(name, array), _only(labels), _only(_own(by_role.get("ids", {}))))


def _by_shape(labels: Arrays, odd: Arrays) -> tuple[Arrays, Arrays, Arrays]:
    """Labels, outputs and what is left, where shapes leave one way to tell them apart."""
    scores = {name: a for name, a in odd.items() if wide(a) and are_scores(a)}
    classes = {name: a for name, a in odd.items() if name not in scores and whole(a)}
    if len(scores) == 1 and len(labels | classes) <= 1:
        (matrix,) = scores.values()
        few = labels and matrix.shape[1] > 2 * max(_classes_of(a) for a in labels.values())
        if few:  # features, rather than classes of which most do not occur
            return labels, {}, odd
        if len(scores | classes) == len(odd) and all(
            are_labels(a, matrix.shape[1]) for a in classes.values()
        ):
            return labels | classes, scores, {}
    if len(labels) == len(classes) == len(odd) == 1:
        (truth,), (answer,) = labels.values(), classes.values()
        if answer.shape == truth.shape and answer.max() <= truth.max():
            return labels, classes, {}
    return labels, {}, odd


def _classes_of(labels: Array) -> int:
    return labels.shape[1] if wide(labels) else int(np.nan_to_num(labels).max(initial=0)) + 1


def _truth(outputs: Arrays, besides: Arrays) -> tuple[Arrays, Arrays]:
    """Labels that are called "class" or "digit": there are answers besides, and they differ.

    Or "correct", where that says which class is, and not whether an answer is.
    """
    correct = {n: a for n, a in besides.items() if words_of(n) <= CORRECT and whole(a)}
    if outputs and len(correct) == 1 and max(array.max() for array in correct.values()) > 1:
        return correct, outputs
    truth = {
        name: array for name, array in outputs.items()
        if words_of(name) <= CLASSES and not wide(array) and whole(array)
    }  # fmt: skip
    others = {name: array for name, array in outputs.items() if name not in truth}
    if len(truth) != 1 or not others:
        return {}, outputs
    (array,) = truth.values()
    if all(wide(other) and agree(other, array) for other in others.values()):
        return {}, outputs
    return truth, others


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


def _own(ids: Arrays) -> Arrays:
    ids = {n: array for n, array in ids.items() if not np.isnan(array).all()}  # of text
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
