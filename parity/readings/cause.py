"""A named difference between two sides, and how much of the gap it explains."""

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
