"""Two sides' settings compared, row by row."""

import math
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from parity.audit.known import KNOWN, Known

Status = Literal["equal", "by design", "explained", "unexplained"]
SAME = 1e-6
"""Relative difference of equal numbers: one side may hold them in float32."""


@dataclass(frozen=True)
class Row:
    """A setting on both sides: how its difference is explained, what it does, what aligns it.

    A value is None where a side has none.
    """

    key: str
    a: Any
    b: Any
    status: Status
    effect: str = ""
    aligned_by: str = ""


def rows(a: dict[str, Any], b: dict[str, Any]) -> list[Row]:
    """Every setting of either side, those of `a` first."""
    return [_row(key, a.get(key), b.get(key)) for key in a | b]


def shown(value: Any) -> str:
    """A value as the report writes it."""
    if value is None:
        return "-"
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _row(key: str, a: Any, b: Any) -> Row:
    if _equal(a, b):
        return Row(key, a, b, "equal")
    for known in KNOWN if None not in (a, b) else ():
        if _explains(known, key, a, b):
            status: Status = "by design" if known.by_design else "explained"
            return Row(key, a, b, status, known.effect, known.aligned_by)
    return Row(key, a, b, "unexplained")


def _explains(known: Known, key: str, a: Any, b: Any) -> bool:
    if type(a) is type(b) is float and not math.isclose(a, b, rel_tol=known.within):
        return False
    texts = zip((key, shown(a), shown(b)), (known.key, known.a, known.b), strict=True)
    return all(fnmatchcase(text, pattern) for text, pattern in texts)


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_equal, a, b))
    if type(a) in (int, float) and type(b) in (int, float):
        return math.isclose(a, b, rel_tol=SAME)
    return type(a) is type(b) and bool(a == b)
