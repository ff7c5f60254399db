"""Numbers in the cells of a text table: decimal commas, per cent, true and false, none."""

import csv
import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
WORDS = {"true": 1.0, "false": 0.0} | dict.fromkeys(
    ("", "na", "n/a", "#n/a", "<na>", "nan", "null", "none"), math.nan
)
"""What programs write for numbers; an empty cell is a missing one."""


def number(field: str) -> float | None:
    """What a cell says, NaN where it is missing, or None where it is text."""
    text = field.rstrip("% ").replace(",", ".").strip()
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def is_number(field: str) -> bool:
    """Whether a cell is a number that is there."""
    value = number(field)
    return value is not None and field.strip().lower() not in WORDS


def split(line: str, separator: str | None) -> list[str]:
    """The fields of a line, without quotes; at spaces if there is no separator.

    Raises:
        ValueError: quotes that do not match, or a field that is too long.
    """
    if separator is None:
        return line.replace('"', "").split()
    try:
        (fields,) = csv.reader([line], delimiter=separator, skipinitialspace=True)
    except (csv.Error, ValueError) as error:
        raise ValueError(f"cannot be read as CSV ({error})") from error
    return [field.strip() for field in fields]


def numbers(body: list[str], separator: str | None, columns: list[int]) -> Floats:
    """The cells of some columns, float64 [N, K], NaN where they are missing.

    Raises:
        ValueError: rows of several widths, or a cell that is no number; the message has both.
    """
    quoted = any('"' in line for line in body)
    if separator is not None and not quoted:
        widths = {line.count(separator) + 1 for line in body}
        if len(widths) > 1:
            raise ValueError(f"rows of {min(widths)} and of {max(widths)} values")
    plain = body
    if separator != "," or quoted:
        plain = _with_points(plain, separator)
    if "%" in plain[0]:
        plain = [line.replace("%", "") for line in plain]
    options: Any = {"delimiter": separator, "quotechar": '"', "comments": None, "ndmin": 2}
    try:
        return np.asarray(np.loadtxt(plain, usecols=columns, **options))
    except (ValueError, OverflowError):  # slower, but knows more ways to write a number
        return np.array(
            [_row(row, split(body[row], separator), columns) for row in range(len(body))]
        )


def _row(row: int, fields: list[str], columns: list[int]) -> list[float]:
    if len(fields) <= max(columns):
        raise ValueError(
            f"cannot be read as CSV of numbers (row {row + 1} has {len(fields)} values; expected "
            f"at least {max(columns) + 1})"
        )
    values = []
    for column in columns:
        if (value := number(fields[column])) is None:
            raise ValueError(
                f"cannot be read as CSV of numbers (row {row + 1}, column {column + 1}: "
                f"{fields[column][:100]!r})"
            )
        values.append(value)
    return values


def _with_points(body: list[str], separator: str | None) -> list[str]:
    """Rows with decimal points for decimal commas, if these are what the commas are."""
    if separator != ",":
        return [line.replace(",", ".") for line in body]
    return [re.sub(r'"(-?\d*),(\d+(?:[eE][-+]?\d+)?)"', r"\1.\2", line) for line in body]
