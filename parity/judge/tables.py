"""Tables of numbers in text: whichever separator, decimal mark and quotes a program has chosen."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.judge.cells import is_number, items, numbers, split, value
from parity.judge.class_names import names_classes
from parity.judge.lines import SAMPLE, lines_of, separator_of
from parity.judge.names import names_images, role_of, words_of
from parity.judge.ranked import by_place

Floats = NDArray[np.float64]
OBJECTS = (None, "probabilities", "logits")
"""What names of columns say that may hold objects of scores by class, or any text."""
LONGEST = 100
"""Characters of a class's name in a column whose own name says nothing."""


@dataclass(frozen=True)
class Table:
    """Columns of numbers, and of text that may name classes or images.

    Attributes:
        names: Of all columns, or None where there is no line of names.
        values: float64 [N, K], NaN in a column of text.
        texts: The columns of text, [N] each, by name.
    """

    names: list[str] | None
    values: Floats
    texts: dict[str, NDArray[np.str_]] = field(default_factory=dict)

    def column(self, name: str) -> NDArray[Any]:
        """What one column holds, numbers or text: [N]."""
        assert self.names is not None
        return self.texts.get(name, self.values[:, self.names.index(name)])


def read_table(path: Path) -> Table:
    """Read comma-, semicolon-, tab-, bar- or space-separated numbers.

    Cells may also name classes ("digit 3", "three").

    Raises:
        ValueError: the file cannot be read, or is no table of numbers.
    """
    lines = lines_of(path)
    separator = separator_of(lines[:SAMPLE])
    lines = _as_wide(lines, separator)
    first = [name.strip("'") for name in split(lines[0].removeprefix("#").strip(" "), separator)]
    has_names = _counts(first, lines, separator) or not _is_row(first, lines, separator)
    if not has_names and not all(is_number(field) for field in first):
        raise ValueError(
            f"no line of names above {lines[0][:80]!r}; name the columns in a first line: label, "
            "then prediction or p0, p1, ..."
        )
    if has_names and len(first) == 1 and lines[0] in lines[1:]:  # one class a line, and no name
        first, lines = [""], ["", *lines]
    body = lines[1:] if has_names else lines
    if not body:
        raise ValueError(f"a line of names ({', '.join(first)[:200]}) and no numbers")
    row = split(body[0], separator)
    width = len(row)
    if has_names and len(first) == width - 1:
        first = ["", *first]  # R names no column for the numbers of its rows
    if has_names and len(first) != width:
        raise ValueError(f"rows of {width} values; expected {len(first)}, one for each name")
    sample = [split(line, separator) for line in body[:SAMPLE]]
    known = [n for n in range(width) if not has_names or _of_numbers(sample, n, first[n])]
    text = [n for n in range(width) if n not in known and (is_kept(first[n]) or items(row[n]))]
    if not known and not text:
        below = f" below the names {', '.join(first)[:200]}" if has_names else ""
        raise ValueError(f"cannot be read as CSV of numbers ({body[0][:200]!r}{below})")
    values = np.full((len(body), width), np.nan)
    if known:
        values[:, known] = numbers(body, separator, known)
    values[:, [n for n in known if row[n].endswith("%")]] /= 100
    if separator is None and first[0] == "labels" and all(map(str.isdecimal, first[1:])):
        classes = np.array(first[1:], np.float64)
        if (classes[values[:, 1:].argmax(axis=1)] == values[:, 0]).all():
            first[0] = "prediction"  # as LIBSVM calls what it answers
    texts = _texts(first, text, body, separator)
    return Table([name.strip() for name in first] if has_names else None, values, texts)


def is_kept(name: str) -> bool:
    """Whether text in a column of this name may say anything: classes, or images."""
    kept = names_classes(name) or names_images(name) or by_place(name)
    return kept or bool(words_of(name) & {"split", "test", "train"}) or role_of(name) in OBJECTS


def are_names(name: str, texts: list[str]) -> bool:
    """Whether texts may be names, rather than sentences in a column of any name."""
    told = role_of(name) is not None or (texts[:1] and items(texts[0]))
    return bool(told) or max(map(len, texts), default=0) <= LONGEST


def _texts(
    first: list[str], columns: list[int], body: list[str], separator: str | None
) -> dict[str, NDArray[np.str_]]:
    """Columns of text, by name; empty where a row is too short."""
    rows = [split(line, separator) for line in body] if columns else []
    found = {n: [row[n].strip("'") if n < len(row) else "" for row in rows] for n in columns}
    return {first[n].strip(): np.array(t) for n, t in found.items() if are_names(first[n], t)}


def _as_wide(lines: list[str], separator: str | None) -> list[str]:
    """Lines without the empty last column that only the names have, or only the rows, or all."""
    if separator is None or separator == "|":
        return lines
    ends = [line.endswith(separator) for line in lines]
    first, row = (len(split(line, separator)) for line in lines[:2]) if len(lines) > 1 else (0, 0)
    if all(ends):  # as spreadsheets leave several
        return _as_wide([line[:-1] for line in lines], separator)
    if first != row and ends[0] != ends[1] and len(set(ends[1:])) == 1:
        return [line[:-1] if end else line for line, end in zip(lines, ends, strict=True)]
    return lines


def _of_numbers(sample: list[list[str]], column: int, name: str) -> bool:
    """Whether what a column holds in the first rows are numbers, if any is missing or all are.

    Names of images may look like numbers.
    """
    fields = [row[column] for row in sample if column < len(row)]
    said = [value(field) for field in fields]
    there = [number for number in said if number is not None and not np.isnan(number)]
    return bool(there) and said[0] is not None and not (None in said and names_images(name))


def _is_row(first: list[str], lines: list[str], separator: str | None) -> bool:
    """Whether a first line is one of numbers, like the others; text may stand among them."""
    kinds = [is_number(field) for field in first]
    numbers = [field for field in first if is_number(field)]
    if all(kinds) or not numbers:
        return all(kinds)
    others = [[is_number(x) for x in split(line, separator)] for line in lines[1:SAMPLE]]
    counted = numbers == [str(n + int(numbers[0] == "1")) for n in range(len(numbers))]
    return not counted and len(others) > 1 and all(other == kinds for other in others)


def _counts(first: list[str], lines: list[str], separator: str | None) -> bool:
    """Whether a first row of numbers is one of names: the classes counted, over other rows."""
    while first and first[0] == "":
        first = first[1:]
    counted = first == [str(number) for number in range(len(first))]
    others = [split(line, separator)[-len(first) :] for line in lines[1:SAMPLE]]
    return counted and len(first) > 1 and any("." in x or "," in x for row in others for x in row)
