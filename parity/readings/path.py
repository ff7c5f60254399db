"""A way from what layers give to what another is fed (NumPy)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parity.arrays import Floats, Table
from parity.readings.rounding import worst


@dataclass(frozen=True)
class Path:
    """What is fed, in words, and how it follows from what the layers of a side give.

    Attributes:
        makes: What is fed, of what the layers give.
        both: Whether it is what a recurrent layer gives that goes both ways.
    """

    words: str
    makes: Callable[[Table], Floats]
    both: bool = False
    _last: dict[str, Any] = field(default_factory=dict)

    def of(self, given: Table) -> Floats:
        """What is fed; that of the same table once more is remembered, since paths lead on."""
        if self._last.get("given") is not given:
            self._last.update(made=self.makes(given), given=given)
        made: Floats = self._last["made"]
        return made


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
    if made.size != x.size or made.shape[:1] != x.shape[:1]:
        return False
    return worst(made.reshape(x.shape), x) <= allowed
