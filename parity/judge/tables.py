"""Tables of numbers in text: whichever separator, decimal mark and quotes a program has chosen."""

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.files import opened

Floats = NDArray[np.float64]
MOST_BYTES = 2**27
"""128 MiB: a million images with ten probabilities each."""
MOST_ROWS = 5_000_000
MOST_HEADER = 2**20
"""Characters of a line."""
SEPARATORS = ("\t", ";", "|", ",")
SAMPLE = 50
"""Rows that the separator is chosen by."""
MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
"""Byte order marks; that of UTF-8 is skipped by its codec."""


@dataclass(frozen=True)
class Table:
    """Columns of numbers.

    Attributes:
        names: Of all columns, or None where there is no line of names.
        values: float64 [N, K], NaN in a column of text.
    """

    names: list[str] | None
    values: Floats


def read_table(path: Path) -> Table:
    """Read comma-, semicolon-, tab-, bar- or space-separated numbers.

    Raises:
        ValueError: the file cannot be read, or is no table of numbers.
    """
    lines = _lines(path)
    separator = _separator(lines[:SAMPLE])
    first = _split(lines[0].removeprefix("#").strip(" "), separator)
    has_names = not all(_is_number(field) for field in first) or _counts(first, lines, separator)
    body = lines[1:] if has_names else lines
    if not body:
        raise ValueError(f"a line of names ({', '.join(first)[:200]}) and no numbers")
    row = _split(body[0], separator)
    width = len(row)
    if has_names and len(first) == width - 1:
        first = ["", *first]  # R names no column for the numbers of its rows
    if has_names and len(first) != width:
        raise ValueError(f"rows of {width} values; expected {len(first)}, one for each name")
    numbers = [n for n, field in enumerate(row) if _is_number(field) or not has_names]
    if not numbers:
        raise ValueError(f"cannot be read as CSV of numbers ({body[0][:200]!r})")
    values = np.full((len(body), width), np.nan)
    values[:, numbers] = _parsed(body, separator, numbers)
    values[:, [n for n in numbers if row[n].endswith("%")]] /= 100
    return Table([name.strip() for name in first] if has_names else None, values)


def _lines(path: Path) -> list[str]:
    with opened(path, MOST_BYTES) as file:
        content = file.read()
    try:
        text = content.decode(MARKS.get(content[:2], "utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"neither arrays nor text in UTF-8 ({error.reason})") from error
    if "\0" in text[:1000]:
        raise ValueError("neither arrays nor text")
    if (rows := text.count("\n") + text.count("\r")) > 2 * MOST_ROWS:
        raise ValueError(f"{rows:,} rows; expected at most {MOST_ROWS:,}")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    # Spreadsheets leave rows of separators behind, and their own first line.
    lines = [line for line in lines if line.strip(" \t;,|")]
    if lines and re.fullmatch(r"sep=.", lines[0]):
        lines = lines[1:]
    if not lines:
        raise ValueError("empty; expected a table of numbers")
    if len(lines[0]) > MOST_HEADER:
        raise ValueError(f"a first line of {len(lines[0]):,} characters; expected names of columns")
    if all(line.endswith(lines[0][-1]) for line in lines) and lines[0][-1] in ",;\t":
        lines = [line[:-1] for line in lines]  # an empty last column
    return lines


def _separator(lines: list[str]) -> str | None:
    """The first that cuts all rows into as many fields; None for spaces, or a single column."""
    for separator in SEPARATORS:
        widths = {len(_split(line, separator)) for line in lines}
        if len(widths) == 1 and widths != {1}:
            return separator
    for separator in SEPARATORS:  # rows of several widths: the error will name them
        if any(separator in line for line in lines):
            return separator
    return None


def _split(line: str, separator: str | None) -> list[str]:
    if separator is None:
        return line.replace('"', "").split()
    try:
        (fields,) = csv.reader([line], delimiter=separator, skipinitialspace=True)
    except (csv.Error, ValueError) as error:
        raise ValueError(f"cannot be read as CSV ({error})") from error
    return [field.strip() for field in fields]


def _is_number(field: str) -> bool:
    try:
        float(field.replace(",", ".").rstrip("% "))
    except ValueError:
        return False
    return "_" not in field


def _counts(first: list[str], lines: list[str], separator: str | None) -> bool:
    """Whether a first row of numbers is one of names: the classes counted, over other rows."""
    while first and first[0] == "":
        first = first[1:]
    counted = first == [str(number) for number in range(len(first))]
    others = [_split(line, separator)[-len(first) :] for line in lines[1:SAMPLE]]
    return counted and len(first) > 1 and any("." in x or "," in x for row in others for x in row)


def _parsed(body: list[str], separator: str | None, columns: list[int]) -> Floats:
    quoted = any('"' in line for line in body)
    if separator is not None and not quoted:
        widths = {line.count(separator) + 1 for line in body}
        if len(widths) > 1:
            raise ValueError(f"rows of {min(widths)} and of {max(widths)} values")
    if separator != "," or quoted:
        body = _with_points(body, separator)
    if "%" in body[0]:
        body = [line.replace("%", "") for line in body]
    options: Any = {"delimiter": separator, "quotechar": '"', "comments": None, "ndmin": 2}
    try:
        return np.asarray(np.loadtxt(body, usecols=columns, **options))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"cannot be read as CSV of numbers ({str(error)[:200]})") from error


def _with_points(body: list[str], separator: str | None) -> list[str]:
    """Rows with decimal points for decimal commas, if these are what the commas are."""
    if separator != ",":
        return [line.replace(",", ".") for line in body]
    return [re.sub(r'"(-?\d*),(\d+(?:[eE][-+]?\d+)?)"', r"\1.\2", line) for line in body]
