"""Readings of what a side does: hypotheses that its recorded numbers confirm or refuse.

Each side is read on its own, from what it was given and what it gave. The sides differ in the
traits in which their readings do.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.readings.cause import Cause
from parity.readings.rounding import Floats, closes, epsilon, magnitude, worst

Names = tuple[str, str]


@dataclass(frozen=True)
class Reading:
    """One thing that a side may do.

    Attributes:
        traits: Name of a cause -> what the side does in that respect, a verb phrase.
        values: What a side that does so gives, in the shape of what was recorded.
    """

    traits: dict[str, str]
    values: NDArray[Any]


def read(seen: NDArray[Any], readings: Iterable[Reading], allowed: float) -> Reading | None:
    """The reading that a side's numbers confirm.

    Of those within `allowed` the nearest, and of several that are as near the first: list the usual
    ones first.
    """
    near = [(worst(seen, reading.values), reading) for reading in readings]
    near = [(error, reading) for error, reading in near if error <= allowed]
    if not near:
        return None
    least = 4 * min(error for error, _ in near) + 4 * epsilon(seen) * magnitude(seen)
    return next(reading for error, reading in near if error <= least)


def compare(
    where: str,
    sides: tuple[NDArray[Any], NDArray[Any]],
    readings: Callable[[NDArray[Any]], Iterable[Reading]],
    advice: dict[str, str],
    allowed: float,
    names: Names,
) -> list[Cause]:
    """The cause that follows from how either side is read; none where a side cannot be read.

    Args:
        where: The layer, as the sentence begins.
        sides: What A and B gave.
        readings: What a side may do; given its numbers, for figures that are solved from them.
        advice: Name of a cause -> how to align the sides.
        allowed: Largest absolute difference that rounding makes.
        names: Of A and B.
    """
    a, b = sides
    with np.errstate(all="ignore"):  # a hypothesis that overflows is refused by its numbers
        of_a, of_b = (read(side, readings(side), allowed) for side in sides)
    if of_a is None or of_b is None:
        return []
    parted = [trait for trait in of_a.traits if of_b.traits.get(trait) != of_a.traits[trait]]
    gap = left(a, b, of_a.values, of_b.values)
    if not parted or not closes(worst(a, b), gap, allowed):
        return []
    said = " and ".join(of_a.traits[trait] for trait in parted)
    against = " and ".join(of_b.traits[trait] for trait in parted)
    align = "; ".join(advice[trait] for trait in parted)
    text = f"{where}: {names[0]} {said}, {names[1]} {against}; to align them, {align}"
    return [Cause(" and ".join(parted), gap, text)]


def left(a: NDArray[Any], b: NDArray[Any], read_a: NDArray[Any], read_b: NDArray[Any]) -> float:
    """What is left between the sides once what either does has been taken out."""
    shifted: Floats = np.asarray(a, np.float64) - read_a
    return worst(shifted, np.asarray(b, np.float64) - read_b)
