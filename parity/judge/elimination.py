"""What a column is by all that it cannot be, where its name does not say it."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.judge.cells import value
from parity.judge.names import (
    ANSWERS,
    CLASSES,
    LABELS,
    PREDICTED,
    TRUTH,
    names_images,
    role_of,
    words_of,
)
from parity.judge.ranked import by_place
from parity.judge.shapes import MOST_CLASSES, agree, are_labels, are_scores, whole, wide
from parity.judge.tables import Table

Array = NDArray[Any]
Arrays = dict[str, Array]
CORRECT = frozenset({"correct", "right", "label", "class", "answer"})
ROWS = frozenset({"", "unnamed", "index", "level"})
"""What pandas calls the numbers of rows, which mean nothing where images have their own."""
ASKED = frozenset({"is", "has"})
"""In the names of questions of two answers: "is_fraud"."""
SPLITS = frozenset({"split", "set", "dataset", "subset", "part", "partition", "phase"})
"""In the names of columns that say which part of the data a row is of."""
TEST = frozenset({"test"})
OTHER_SPLITS = frozenset({"train", "training", "val", "valid", "validation", "dev"})
TRAINED = frozenset({"train", "training"})
FEW = 4
"""Rows to each value, on average, of a column that may be classes."""


def of_the_test(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is said of other parts of the data, where their names tell the test's apart."""
    test = any(words_of(name) & TEST for name in arrays)
    return {n: a for n, a in arrays.items() if not (test and words_of(n) & OTHER_SPLITS)}


def rows_of_the_test(table: Table) -> Table:
    """The rows of the test, where a column says of each which part it is of, or whether of that.

    Raises:
        ValueError: there are several parts, and none of them is called test.
    """
    for name in table.names or []:
        words = words_of(name) - ASKED
        if words and (words <= TEST or words <= TRAINED) and (yes := _yes(table, name)) is not None:
            return _kept(table, yes if words <= TEST else ~yes, name)
    for name, text in table.texts.items():
        parts = sorted({part.strip().lower() for part in text.tolist()})
        if not words_of(name) & SPLITS or len(parts) < 2 or not {*parts} <= TEST | OTHER_SPLITS:
            continue
        if "test" not in parts:
            raise ValueError(f"{name} is {', '.join(parts)}; keep the rows of one of them")
        return _kept(table, np.char.lower(np.char.strip(text)) == "test", name)
    return table


def _yes(table: Table, name: str) -> NDArray[np.bool_] | None:
    """Where a column says yes, 1 or True; None unless it says no elsewhere."""
    words = np.char.lower(np.char.strip(table.column(name).astype(str)))
    pairs = ({"yes", "no"}, {"y", "n"}, {"1.0", "0.0"})
    return np.isin(words, ["yes", "y", "1.0"]) if {*words.tolist()} in pairs else None


def _kept(table: Table, rows: NDArray[np.bool_], name: str) -> Table:
    """Some rows of it, without the column that says which."""
    assert table.names is not None
    places = [place for place, other in enumerate(table.names) if other != name]
    texts = {n: t[rows] for n, t in table.texts.items() if n != name}
    return Table([table.names[n] for n in places], table.values[rows][:, places], texts)


def with_lone_answer(table: Table) -> Table:
    """With its only column of classes called an answer, where others say which image it is of.

    So competitions want it ("Id,Label"), and detectors give it (image, class, confidence). Where
    labels stand beside a confidence, they may be the truth.
    """
    table = _of_namesakes(_of_ranked(table))
    names = table.names or []
    roles = {name: role_of(name) for name in names}
    rest = [name for name in names if roles[name] not in ("ids", "besides")]
    images = [name for name in names if names_images(name) and not words_of(name) <= ROWS]
    if len(rest) == 2 and "score" in rest:
        (other,) = {*rest} - {"score"}
        each = table.column(images[0]) if images else table.values[:1, 0]
        one_each = words_of(other) - {"id"} <= CLASSES and len(np.unique(each)) == len(table.values)
        return _likeliest(table, other) if one_each or other == "label" else table
    if len(rest) != 1 or not images:
        return table
    (only,) = rest
    sure = any(role == "besides" and not names_images(name) for name, role in roles.items())
    if not (words_of(only) <= CLASSES or (roles[only] in (None, "labels") and not sure)):
        return table
    column = table.column(only)
    if only not in table.texts and not whole(column):
        return table
    if FEW * len(np.unique(column)) > len(column):
        return table
    return _called(table, {only: "prediction"})


def _of_ranked(table: Table) -> Table:
    """With "top1" called an answer, or the first of the five classes in each cell of "top5"."""
    for name, text in table.texts.items():
        count = re.findall(r"\d+", name)[:1] if by_place(name) else []
        parts = r".+" if count == ["1"] else r"[^\s,;|'\"\[\]()]+"
        ranked = [re.findall(parts, cell) for cell in text.tolist()]
        if count and {len(classes) for classes in ranked} == {int(*count)}:
            first = [classes[0] for classes in ranked]
            values, texts = table.values.copy(), {**table.texts, name: np.array(first)}
            if None not in (numbers := [value(cell) for cell in first]):
                values[:, (table.names or []).index(name)] = numbers
                texts.pop(name)
            return _called(Table(table.names, values, texts), {name: "prediction"})
    return table


def _of_namesakes(table: Table) -> Table:
    """With "species" called the truth, and "predicted_species" an answer; for one such name."""
    words = {name: words_of(name) - ASKED for name in table.names or []}
    answers = {
        name: (truth, said)
        for name, own in words.items()
        for truth, other in words.items()
        if other and role_of(truth) is None and other < own
        if (said := own - other) <= ANSWERS and not other & ANSWERS
    }
    truths = {truth for truth, _ in answers.values()}
    if len(truths) != 1 or not any(said <= PREDICTED for _, said in answers.values()):
        return table  # a class and its share may be an answer
    called = {name: " ".join(sorted(said)) for name, (_, said) in answers.items()}
    return _called(table, called | dict.fromkeys(truths, "label"))


def _called(table: Table, names: Mapping[str, str]) -> Table:
    """With other names for some of its columns."""
    texts = {names.get(name, name): text for name, text in table.texts.items()}
    return replace(table, names=[names.get(n, n) for n in table.names or []], texts=texts)


def _likeliest(table: Table, name: str) -> Table:
    """Of a class and "score": the likeliest class and its share, as pipelines call them.

    Raises:
        ValueError: of two classes, it cannot be told from the truth and the share of the second.
    """
    labels, scores = table.column(name), table.column("score")
    if not 0 < scores.min() <= scores.max() <= 1 or len(np.unique(labels)) > len(labels) / FEW:
        return table
    if len(np.unique(labels)) == 2:
        if scores.min() < 0.5:
            return table
        raise ValueError(
            f"{name} and score, which is never below 0.5: that of the class that {name} answers, "
            "or of class 1? call it prediction if it is an answer, true_label if it is the truth"
        )
    return _called(table, {name: "prediction", "score": "confidence"})


def features(odd: Arrays, labels: Array, answers: Array) -> Arrays:
    """Of arrays of unknown name, those that are not called as answers or labels are.

    None where each label stands beside each answer once: then they are counts.
    """
    if answers.shape == labels.shape == (len(labels),):
        pairs = np.stack([labels, answers], axis=1)
        if len(np.unique(pairs, axis=0)) == len(pairs):
            return {}
    return {n: a for n, a in odd.items() if not words_of(n) & (ANSWERS | LABELS | TRUTH | CLASSES)}


def truth_beside(answers: Array, odd: Arrays) -> Arrays:
    """The one array of unknown name that names classes as the answers do, mostly the same; or none.

    An accuracy half way from chance to all right is none that anything but the truth would have.
    """
    if not odd or not answers.size:
        return {}
    few = max(answers.shape[1] if wide(answers) else answers.max(), 1)
    found = {
        name: array for name, array in odd.items()
        if whole(array) and not wide(array) and 0 <= array.min() <= array.max() <= few
    }  # fmt: skip
    if len(found) != 1 or not np.isfinite(answers).all():
        return {}
    (truth,) = (array.reshape(-1) for array in found.values())
    predicted = answers.argmax(axis=1) if wide(answers) else answers.reshape(-1).round()
    if len(truth) != len(predicted) or predicted.min() < 0 or few > MOST_CLASSES:
        return {}
    first, second = (np.bincount(a.astype(int), minlength=int(few) + 1) for a in (truth, predicted))
    chance = float(first @ second) / len(truth) ** 2
    right = float((truth == predicted).mean())
    return found if len(truth) >= 10 and chance < 0.9 and right >= (1 + chance) / 2 else {}


def by_shape(labels: Arrays, odd: Arrays) -> tuple[Arrays, Arrays, Arrays]:
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


def called_by_class(outputs: Arrays, besides: Arrays) -> tuple[Arrays, Arrays]:
    """Labels that are called "class" or "digit": there are answers besides, and they differ.

    Or "correct", where that says which class is, and not whether an answer is.
    """
    correct = {n: a for n, a in besides.items() if words_of(n) <= CORRECT and whole(a)}
    if outputs and len(correct) == 1 and max(array.max() for array in correct.values()) > 1:
        return correct, outputs
    truth = {
        name: array for name, array in outputs.items()
        if words_of(name) - {"id"} <= CLASSES and not wide(array) and whole(array)
    }  # fmt: skip
    others = {name: array for name, array in outputs.items() if name not in truth}
    if len(truth) != 1 or not others:
        return {}, outputs
    (array,) = truth.values()
    if all(wide(other) and agree(other, array) for other in others.values()):
        return {}, outputs
    return truth, others
