"""A named difference between two sides, and how much of the gap it explains."""

from collections.abc import Iterable
from dataclasses import dataclass

UNEXPLAINED = "unexplained"
"""Name of what is no cause but the lack of one; its text says where the sides part."""


@dataclass(frozen=True)
class Cause:
    """One cause of a broken rung.

    Attributes:
        name: What differs, in a few words: "epsilon's place".
        gap: Largest absolute difference left between the sides once this cause is taken out.
        text: One sentence with figures: the tensor or layer, what either side does, and the flag
            or code that aligns them.
    """

    name: str
    gap: float
    text: str


def gathered(causes: Iterable[Cause]) -> list[Cause]:
    """Causes that say the same of several layers, ``LAYER: ...``, as one of all of them."""
    said: dict[tuple[str, str], list[tuple[str, Cause]]] = {}
    for cause in causes:
        where, _, rest = cause.text.partition(": ")
        said.setdefault((cause.name, rest), []).append((where, cause))
    return [
        same[0][1]
        if len(same) == 1
        else Cause(
            name,
            max(cause.gap for _, cause in same),
            f"{listed(list(dict.fromkeys(where for where, _ in same)))}: {rest}",
        )
        for (name, rest), same in said.items()
    ]


def listed(names: list[str]) -> str:
    """At most four of them."""
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
