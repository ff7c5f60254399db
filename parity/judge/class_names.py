"""Classes by name ("cat", "yes"): numbered alike in all columns of a file that name them."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.judge.cells import WORDS
from parity.judge.names import CLASSES, Role, role_of, words_of
from parity.judge.shapes import adds_up, fractional, whole, wide

Array = NDArray[Any]
Arrays = dict[str, Array]
Texts = Mapping[str, NDArray[np.str_]]
Names = tuple[str, ...]


def names_classes(name: str) -> bool:
    """Whether text in a column of this name may be classes."""
    return role_of(name) in ("labels", "predictions", "scores")


def _text_role(name: str) -> Role | None:
    """What a name says of text: an output is an answer, and a "class" may be either."""
    role = role_of(name)
    return "predictions" if role == "scores" and not words_of(name) <= CLASSES else role


def by_number(columns: Mapping[str, Array], texts: Texts) -> tuple[Arrays, Names | None]:
    """Columns with numbers for the names of classes, and these names by number.

    Columns of scores may be called as the classes are, alone ("cat") or beside what they are
    ("prob_cat"); their order numbers the classes then. Otherwise the alphabet does,
    and numbers within names.

    Args:
        columns: By name, float [N] where they are no matrices, NaN where they are text.
        texts: Those of text, [N].

    Raises:
        ValueError: labels and answers name classes, and have none in common.
    """
    columns = dict(columns)
    known = {n: a for n, a in columns.items() if n not in texts and _there(a)}
    truth = "labels" in {role_of(name) for name in known}
    answered = any(_answers(name, array) for name, array in known.items())
    said = {
        name: np.char.strip(text)
        for name, text in texts.items()
        if names_classes(name) and not (truth and _text_role(name) != "predictions")
        and not (answered and _text_role(name) == "predictions")
    }  # fmt: skip
    if "labels" not in {role_of(name) for name in said}:
        said |= _unknown_truth(texts, said, known, answered=not truth)
    vocabulary = {word for text in said.values() for word in text.tolist() if not _missing(word)}
    scores = _named_scores(known, vocabulary)
    predicted = "predictions" in {_text_role(name) for name in said}
    told = predicted and not truth and not answered
    if not scores and not told and not _a_row_each(said, known) and not _as_numbered(said, known):
        left_out = {name for name in said if role_of(name) == "scores"}  # alone, no answer
        return {n: array for n, array in columns.items() if n not in left_out}, None
    _have_some_in_common(said)
    _refuse_table_of_classes(scores, texts)
    if not scores and told:  # a share of one class, by its name, says no more than the answers
        columns = {
            n: a for n, a in columns.items() if n not in known or not _class_of(n, vocabulary)
        }  # fmt: skip
    names = tuple(scores) or tuple(sorted(vocabulary, key=_counted))
    numbers: dict[str, float] = {word: float(number) for number, word in enumerate(names)}
    for name, text in said.items():
        columns[name] = np.array([numbers.get(word, np.nan) for word in text.tolist()])
    for number, column in enumerate(scores.values()):
        kind = column.replace(names[number], "", 1)
        columns[f"{kind if role_of(kind) in SCORES else 'scores'}_{number}"] = columns.pop(column)
    return columns, names


def _unknown_truth(texts: Texts, said: Texts, known: Arrays, *, answered: bool) -> Texts:
    """Texts of unknown name of which each word is a class that has a column of scores.

    Or, where there is one answer by name, that name the classes that it names.
    """
    unknown = {n: np.char.strip(t) for n, t in texts.items() if role_of(n) is None}
    words = {name: set(text.tolist()) for name, text in unknown.items()}
    scored = [n for n in unknown if all(any(_class_of(c, [w]) for c in known) for w in words[n])]
    answers = [set(t.tolist()) for name, t in said.items() if _text_role(name) == "predictions"]
    if not scored and answered and len(answers) == 1:
        scored = [name for name in unknown if answers[0] <= words[name]]
    return {name: unknown[name] for name in scored}


def _answers(name: str, array: Array) -> bool:
    """Whether numbers answer for all classes, or name one; a score by itself does neither."""
    role = role_of(name)
    if role in SCORES and (array.ndim > 1 or re.search(r"\d", name)):
        return True
    return role in ("predictions", *SCORES) and whole(array)


def _as_numbered(said: Texts, known: Arrays) -> bool:
    """Whether answers by number are mostly right where the alphabet numbers the truth."""
    if len(said) != 1:
        return False
    (text,) = said.values()
    names = sorted({*text.tolist()}, key=_counted)
    truth = np.array([names.index(word) for word in text.tolist()])
    columns = [a for n, a in known.items() if role_of(n) in SCORES and re.search(r"\d", n)]
    answers = [a for n, a in known.items() if role_of(n) == "predictions" or wide(a)]
    if len(columns) == len(names) > 1:
        answers.append(np.stack(columns, axis=1))
    if not answers:
        return False
    answered = answers[-1].argmax(axis=1) if wide(answers[-1]) else answers[-1]
    chance = np.bincount(truth).max() / len(truth)
    return bool((answered == truth).mean() >= (1 + chance) / 2)


def _a_row_each(said: Texts, known: Arrays) -> bool:
    """Whether one column may hold all classes for each image, and another their scores."""
    scores = [array for name, array in known.items() if role_of(name) in SCORES]
    if len(said) != 1 or len(scores) != 1 or scores[0].ndim > 1:
        return False
    ((name, text),) = said.items()
    counts = np.unique(text, return_counts=True)[1]
    return words_of(name) <= CLASSES and len(counts) > 2 and bool((counts == counts[0]).all())


SCORES = ("probabilities", "logits", "scores")


def _there(array: Array) -> bool:
    return array.dtype.kind not in "f" or not bool(np.isnan(array).all())


def _counted(word: str) -> list[tuple[bool, int, str]]:
    """By which names sort as people count them: "2:bird" before "10:truck"."""
    parts = re.findall(r"\d+|\D+", word)
    return [(not p[0].isdecimal(), int(p) if p[0].isdecimal() else 0, p) for p in parts]


def _missing(word: str) -> bool:
    return math.isnan(WORDS.get(word.lower(), 0.0))


def _named_scores(columns: Arrays, vocabulary: Iterable[str]) -> dict[str, str]:
    """The column of each class, by the class's name, in their order; empty where there are none."""
    found: dict[str, str] = {}
    for column, array in columns.items():
        if array.ndim == 1 and (name := _class_of(column, vocabulary)) is not None:
            found[name] = column
    if found and set(vocabulary) <= set(found):
        return _with_others(found, columns)
    unknown = [n for n, a in columns.items() if role_of(n) is None and a.ndim == 1]
    if vocabulary or len(unknown) < 2 or any(re.search(r"\d", name) for name in unknown):
        return {}
    rows = np.stack([columns[name] for name in unknown], axis=1)
    shares = fractional(rows) and adds_up(rows) is not None
    begin = re.findall(r"^[^\W_]+[\W_]+|$", unknown[0])[0]  # "prob_", say
    begin = begin if role_of(begin) in SCORES else ""
    return {name.removeprefix(begin).strip(): name for name in unknown} if shares else {}


def _with_others(found: dict[str, str], columns: Arrays) -> dict[str, str]:
    """With the columns of classes that do not occur, which are called alike; in their order."""
    name, column = next(iter(found.items()))
    before, _, after = column.partition(name)
    all_of_them: dict[str, str] = {}
    for other, array in columns.items():
        inside = other.removeprefix(before).removesuffix(after)
        unknown = role_of(other) is None and array.ndim == 1
        if other in found.values() or (unknown and other == f"{before}{inside}{after}"):
            all_of_them[next((n for n, c in found.items() if c == other), inside.strip())] = other
    return all_of_them


def _class_of(column: str, vocabulary: Iterable[str]) -> str | None:
    """The class that a column's name holds, beside no more than what it is of that class."""
    for name in sorted(vocabulary, key=len, reverse=True):
        if column.strip() == name or (
            name in column and role_of(column.replace(name, "", 1)) in (*SCORES, "predictions")
        ):
            return name
    return None


def _have_some_in_common(said: Texts) -> None:
    sets = {name: set(text.tolist()) for name, text in said.items()}
    for name, words in sets.items():
        for other, others in sets.items():
            if not words & others:
                raise ValueError(
                    f"{name} names classes such as {min(words)[:40]!r}, {other} such as "
                    f"{min(others)[:40]!r}, and none that both name; expected the same names"
                )


def _refuse_table_of_classes(scores: Mapping[str, str], texts: Texts) -> None:
    """Refuse rows that are called as the columns are, as of a confusion matrix.

    Raises:
        ValueError: they are.
    """
    if len(scores) > 2 and any(text.tolist() == list(scores) for text in texts.values()):
        raise ValueError(
            f"a row and a column for each of {len(scores)} classes, as in a confusion matrix; "
            "expected one row an image"
        )
