"""A named difference between two sides, and how much of the gap it explains."""

import re
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
        rounds: Whether it is no mistake: one side rounds a constant to float32 in any precision.
    """

    name: str
    gap: float
    text: str
    rounds: bool = False


_ROUNDED = re.compile(
    "^exact$|^betas rounded to float32$|^the product of its momenta kept in float32$"
    "|,? (its constant )?rounded to float32|, computed in float32"
    "|^adds .*, what float32 rounds off a penalty$"
    r"| \(norm \+ 1e-06\)"  # of torch's clipping, which takes no other figure
)


def same_but_rounded(one: str, other: str) -> bool:
    """Whether two sides are said to do the same but for a constant that no flag aligns."""
    return _ROUNDED.sub("", one) == _ROUNDED.sub("", other)


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
            same[0][1].rounds,
        )
        for (name, rest), same in said.items()
    ]


def listed(names: list[str]) -> str:
    """At most four of them."""
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
