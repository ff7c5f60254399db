"""Readings of what a side does: hypotheses that its recorded numbers confirm or refuse.

Each side is read on its own, from what it was given and what it gave; where nobody knows what a
side should have given, one side is read as a change of the other. The sides differ in the traits in
which their readings do.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from parity.arrays import Array, Names
from parity.readings.cause import Cause, same_but_rounded
from parity.readings.rounding import closes, epsilon, magnitude, worst

Sides = tuple[Array, Array]
ALIKE = "do the same on both sides"


@dataclass(frozen=True)
class Reading:
    """One thing that a side may do.

    Attributes:
        traits: Name of a cause -> what the side does in that respect, a verb phrase.
        values: What a side that does so gives, in the shape of what was recorded.
        words: All that the side does, where the traits alone do not say it.
    """

    traits: dict[str, str]
    values: Array
    words: str = ""


Readings = Callable[[Array], Iterable[Reading]]
"""What a side may do; it is given the side's numbers, for figures that are solved from them."""


def read(
    seen: Array, readings: Iterable[Reading], allowed: float, precision: float | None = None
) -> Reading | None:
    """The reading that a side's numbers confirm.

    Of those within `allowed` the nearest, and of several that are as near the first: list the usual
    ones first. Near is a few roundings, of `precision` or of the numbers' own.
    """
    near = [
        (error, reading)
        for reading in readings
        if _may_be(reading.values, seen, allowed)
        and (error := worst(seen, reading.values)) <= allowed
    ]
    if not near:
        return None
    least = 4 * min(error for error, _ in near) + 4 * (precision or epsilon(seen)) * magnitude(seen)
    return next(reading for error, reading in near if error <= least)


def _may_be(values: Array, seen: Array, allowed: float) -> bool:
    """Whether two numbers are as near as all must be, which few of thousands of readings have."""
    if values.shape != seen.shape or not seen.size:
        return True
    ends = (seen.size // 3, seen.size - 1)
    return not any(abs(values.item(end) - seen.item(end)) > allowed for end in ends)


def compare(
    where: str,
    sides: Sides,
    readings: Readings,
    advice: Mapping[str, str],
    allowed: float,
    names: Names,
) -> list[Cause]:
    """The cause that follows from how either side is read; none where a side cannot be read.

    `readings` are what a side may do, `sides` what A and B gave, and `advice` tells for the name of
    a cause how to align them; rounding makes a difference of `allowed` at most.
    """
    with np.errstate(all="ignore"):  # a hypothesis that overflows is refused by its numbers
        of_a, of_b = (read(side, readings(side), allowed) for side in sides)
    if of_a is None or of_b is None:
        return []
    return parted(where, sides, (of_a, of_b), advice, allowed, names)


def parted(
    where: str,
    sides: Sides,
    read_as: tuple[Reading, Reading],
    advice: Mapping[str, str],
    allowed: float,
    names: Names,
) -> list[Cause]:
    """The cause that two readings make together, if what they leave of the gap is rounding."""
    of_a, of_b = (reading.traits for reading in read_as)
    differ = [trait for trait in of_a | of_b if of_a.get(trait) != of_b.get(trait)]
    gap = left(sides, read_as)
    if not differ or not closes(worst(*sides), gap, allowed):
        return []
    said = [
        f"{name} {reading.words or ' and '.join(of[trait] for trait in differ if trait in of)}"
        for name, reading, of in zip(names, read_as, (of_a, of_b), strict=True)
    ]
    for side, of in enumerate((of_a, of_b)):
        if not of and not read_as[side].words:
            said = [said[1 - side], f"{names[side]} does not"]
    align = " and ".join(dict.fromkeys(advice.get(trait, ALIKE) for trait in differ))
    text = f"{where}: {', '.join(said)}; to align them, {align}"
    rounds = all(same_but_rounded(of_a.get(t, ""), of_b.get(t, "")) for t in differ)
    return [Cause(" and ".join(differ), gap, text, rounds)]


def left(sides: Sides, read_as: tuple[Reading, Reading]) -> float:
    """What is left between the sides once what either does has been taken out."""
    a, b = (
        np.subtract(side, reading.values, dtype=np.float64)
        for side, reading in zip(sides, read_as, strict=True)
    )
    return worst(a, b) if a.shape == b.shape else max(magnitude(a), magnitude(b))
