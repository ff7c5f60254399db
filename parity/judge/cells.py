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
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
"""What people call ten classes."""
CLASS = re.compile(
    r"(?:_*(?:digit|class|label|number|cls|c|d)[\s_:#-]*|b')(\d{1,9})"
    r"|(?:tensor|np\.u?int\d+)\((\d{1,9})(?:, *\w+=\S+)*\)"
    rf"|({'|'.join(DIGITS)})"
)
"""A class by its name ("digit 3"), or as a program prints it."""
BOTH = re.compile(rf"([0-9]) ?- ?({'|'.join(DIGITS)})", re.IGNORECASE)
"""A class by both, "3 - three", as torchvision has it."""
PLACED = re.compile(r"(\d{1,9}):(\d{1,9})")
"""A class by its place, from 1, and its name, as Weka writes it."""


def number(field: str) -> float | None:
    """What a cell says, NaN where it is missing, or None where it is text."""
    text = field.rstrip("% ").strip().strip("'")
    text = re.sub(r"(?<=\d)[dD](?=[-+]?\d)", "e", text.replace(",", "."))  # as Fortran writes it
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def value(field: str) -> float | None:
    """A number, or the class that a cell names; None where it is other text."""
    if (said := number(field)) is not None:
        return said
    text = field.strip(" '[]").lower()
    if (matched := PLACED.fullmatch(text)) is not None:
        return float(matched[2]) if int(matched[1]) == int(matched[2]) + 1 else None
    text = BOTH.sub(r"\2", text)
    if (matched := CLASS.fullmatch(text)) is not None:
        digits = matched[1] or matched[2]
        return float(digits) if digits else float(DIGITS.index(matched[3]))
    return number(text) if field.strip().startswith("[") else None


def without_types(text: str) -> str:
    """Numbers as they are, which NumPy prints with their types: "np.float64(0.9)"."""
    return re.sub(r"np\.\w+\(([^()]*)\)", r"\1", text)


def items(field: str) -> list[float] | None:
    """Two numbers or more in one cell, as lists and arrays are printed; None of another cell."""
    text = without_types(field.strip())
    if not (text.startswith(("[", "(", "array(", "tensor(")) and text.endswith(("]", ")"))):
        return None
    text = re.sub(r"^(?:array|tensor)\(|(?:, *dtype=\S+)?\)$", "", text)
    parts = re.split(r"[\s,;]+", text.strip("[]() "))
    said = [number(part) for part in parts]
    return None if len(parts) < 2 or None in said else [float(each or 0.0) for each in said]


def is_number(field: str) -> bool:
    """Whether a cell is a number that is there."""
    return number(field) is not None and field.strip().lower() not in WORDS


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
        if (said := value(fields[column])) is None:
            raise ValueError(
                f"cannot be read as CSV of numbers (row {row + 1}, column {column + 1}: "
                f"{fields[column][:100]!r})"
            )
        values.append(said)
    return values


def _with_points(body: list[str], separator: str | None) -> list[str]:
    """Rows with decimal points for decimal commas, if these are what the commas are."""
    if separator != ",":
        return [line.replace(",", ".") for line in body]
    return [re.sub(r'"(-?\d*),(\d+(?:[eE][-+]?\d+)?)"', r"\1.\2", line) for line in body]
