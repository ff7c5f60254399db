"""A way from what layers give to what another is fed (NumPy)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from parity.arrays import Floats, Table
from parity.readings.rounding import worst


@dataclass(frozen=True)
class Path:
    """What is fed, in words, and how it follows from what the layers of a side give.

    Attributes:
        both: Whether it is what a recurrent layer gives that goes both ways.
    """

    words: str
    of: Callable[[Table], Floats]
    both: bool = False


def named(layer: str, both: bool = False) -> Path:
    """What a layer gives, as it is."""
    return Path(layer, lambda given: np.asarray(given[layer], np.float64), both)


def makes(path: Path, given: Table, x: Floats, allowed: float) -> bool:
    """Whether a path makes `x`, in any shape, of what the layers give."""
    try:
        with np.errstate(all="ignore"):
            made = path.of(given)
    except (KeyError, ValueError, IndexError):  # layers or axes that the other side has not
        return False
    if made.size != x.size or len(made) != len(x):
        return False
    return worst(made.reshape(x.shape), x) <= allowed
