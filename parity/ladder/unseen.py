"""Functions that a program computes by hand: what a layer is fed is not what the one before gives.

``x / 2 * (1 + torch.erf(x / 2**0.5))`` is no layer, and of ``x * torch.sigmoid(1.702 * x)`` only
the sigmoid is one. What is between two layers with weights is read as a whole there.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from parity.arrays import Array, Names, Table
from parity.ladder.single import Segment
from parity.readings.activations import activations
from parity.readings.cause import Cause
from parity.readings.dense import ACTIVATION, ROWS
from parity.readings.layers import ADVICE
from parity.readings.readings import Reading, parted, read
from parity.readings.rounding import magnitude, noise, worst
from parity.readings.rows import normalised

Ends = tuple[Array, Array]
"""What is given, and what the next layer with weights is fed."""


class Stretch(NamedTuple):
    """What works between two layers with weights, where not all of it is seen.

    Attributes:
        layers: What is seen of it, by B's names.
        fed: The layer that is fed with what it gives.
        alike: Whether as much of it is seen on both sides.
        ends: What A and B give at its beginning, and what they feed `fed`.
        seen: What they give where the last layer of it ends that is seen.
    """

    layers: set[str]
    fed: str
    alike: bool
    ends: tuple[Ends, Ends]
    seen: tuple[Ends, Ends]


def stretches(
    cut: list[Segment], given: tuple[Table, Table], fed: tuple[Table, Table]
) -> list[Stretch]:
    """Where at least one of the sides computes something that no layer does.

    Args:
        cut: Both sides' layers.
        given: What the layers of A and B give.
        fed: What they are fed.
    """
    found = []
    for segment, following in pairwise(cut):
        sides, seen = [], []
        hidden = False
        for side, chain in enumerate((segment.a, segment.b)):
            last = fed[side].get(following.enters[side])
            if last is None or not {chain[0], chain[-1]} <= set(given[side]):
                break
            shown = given[side][chain[-1]]
            hidden |= shown.size == last.size and worst(shown.ravel(), last.ravel()) > 0
            sides.append((given[side][chain[0]], last))
            seen.append((shown, last))
        if len(sides) == 2 and hidden:
            layers = {*segment.a[1:], *segment.b[1:]}
            ends = (sides[0], sides[1]), (seen[0], seen[1])
            found.append(Stretch(layers, following.b[0], segment.alike, *ends))
    return found


def causes(stretch: Stretch, names: Names) -> tuple[list[Cause], set[str]]:
    """How the functions differ, and the layers of which nothing else is to be said.

    Those are parts of a function that is known as a whole, or cannot be told from the other side's,
    of which another part is seen.
    """
    whole = _differ(stretch.fed, stretch.ends, names)
    parts = stretch.layers if whole or not stretch.alike else set()
    return whole or _differ(stretch.fed, stretch.seen, names), parts


def _differ(layer: str, ends: tuple[Ends, Ends], names: Names) -> list[Cause]:
    of_a, of_b = (_read(*side) for side in ends)
    if of_a is None or of_b is None:
        return []
    sides = ends[0][1], ends[1][1]
    return parted(f"before {layer}", sides, (of_a, of_b), ADVICE, noise(*sides), names)


def _read(x: Array, y: Array) -> Reading | None:
    """The function of which one makes the other, where its name is known."""
    if x.shape != y.shape:
        return None
    wide = np.asarray(x, np.float64)
    with np.errstate(all="ignore"):
        ways = [
            Reading({ACTIVATION: f"applies {name}" if values is not wide else name}, values)
            for name, values in activations(wide, y)
        ]
        if x.ndim == 2:
            tall = np.asarray(y, np.float64)
            rows = dict(normalised(wide, tall))
            columns = {name: values.T for name, values in normalised(wide.T, tall.T)}
            for what, found in (("row", rows), ("column of the batch", columns)):
                ways += [
                    Reading({ROWS: f"gives {name} of each {what}"}, values)
                    for name, values in found.items()
                ]
    return read(y, ways, noise(y, scale=magnitude(x, y)))
