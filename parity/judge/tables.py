"""Tables of numbers in text: whichever separator, decimal mark and quotes a program has chosen."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from parity.files import opened
from parity.judge.cells import is_number, number, numbers, split

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
    lines = _without_comments(_lines(path))
    separator = _separator(lines[:SAMPLE])
    first = split(lines[0].removeprefix("#").strip(" "), separator)
    has_names = not all(is_number(field) for field in first) or _counts(first, lines, separator)
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
    known = [n for n in range(width) if not has_names or _of_numbers(sample, n)]
    if not known:
        below = f" below the names {', '.join(first)[:200]}" if has_names else ""
        raise ValueError(f"cannot be read as CSV of numbers ({body[0][:200]!r}{below})")
    values = np.full((len(body), width), np.nan)
    values[:, known] = numbers(body, separator, known)
    values[:, [n for n in known if row[n].endswith("%")]] /= 100
    return Table([name.strip() for name in first] if has_names else None, values)


def _lines(path: Path) -> list[str]:
    with opened(path, MOST_BYTES) as file:
        content = file.read()
    try:
        text = content.decode(MARKS.get(content[:2], "utf-8-sig"))
    except UnicodeDecodeError as error:
        text = content.decode("latin-1")  # numbers are the same in all that Windows writes
        if not all(c.isprintable() or c in "\t\r\n" or "\x80" <= c < "\xa0" for c in text[:4000]):
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


def _without_comments(lines: list[str]) -> list[str]:
    """Lines below those that begin with #, but the last of these where it names the columns."""
    comments = next((n for n, line in enumerate(lines) if not line.startswith("#")), 0)
    below = lines[comments]
    named = any(
        len(split(lines[comments - 1][1:], s)) == len(split(below, s)) > 1
        for s in (*SEPARATORS, None)
    )
    has_numbers = any(is_number(field) for field in re.split(r"[,;|\s]+", below))
    return lines[comments - (1 if comments and named and has_numbers else 0) :]


def _of_numbers(sample: list[list[str]], column: int) -> bool:
    """Whether what a column holds in the first rows are numbers, if any is missing or all are."""
    fields = [row[column] for row in sample if column < len(row)]
    said = [number(field) for field in fields]
    there = [value for value in said if value is not None and not np.isnan(value)]
    return bool(there) and said[0] is not None


def _separator(lines: list[str]) -> str | None:
    """The first that cuts all rows into as many fields; None for spaces, or a single column."""
    for separator in SEPARATORS:
        widths = {len(split(line, separator)) for line in lines}
        if len(widths) == 1 and widths != {1}:
            return separator
    for separator in SEPARATORS:  # rows of several widths: the error will name them
        if any(separator in line for line in lines):
            return separator
    return None


def _counts(first: list[str], lines: list[str], separator: str | None) -> bool:
    """Whether a first row of numbers is one of names: the classes counted, over other rows."""
    while first and first[0] == "":
        first = first[1:]
    counted = first == [str(number) for number in range(len(first))]
    others = [split(line, separator)[-len(first) :] for line in lines[1:SAMPLE]]
    return counted and len(first) > 1 and any("." in x or "," in x for row in others for x in row)
