"""The gradients of two sides, tensor by tensor, and where they differ (NumPy)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from parity.readings.readings import Names
from parity.readings.rounding import Floats, Table, closes, magnitude, noise, worst

Tensors = dict[str, Floats]


@dataclass(frozen=True)
class Pair:
    """Gradients of the same loss by the same weights, float64, in the order of the network.

    Attributes:
        a: Side A's.
        b: Side B's, of the same names and shapes.
        weights: Those of which they are gradients.
        batch_size: Images in the batch.
        allowed: Largest difference that rounding makes.
        names: Of A and B.
    """

    a: Tensors
    b: Tensors
    weights: Tensors
    batch_size: int
    allowed: float
    names: Names

    @classmethod
    def of(cls, weights: Table, a: Table, b: Table, batch_size: int, names: Names) -> "Pair":
        """Of tables that have the same names and shapes."""
        order = [name for name in weights if name in a] + [
            name for name in a if name not in weights
        ]
        gradients_a, gradients_b, exact = (
            {name: np.asarray(table[name], np.float64) for name in order if name in table}
            for table in (a, b, weights)
        )
        allowed = noise(*a.values(), *b.values())
        return cls(gradients_a, gradients_b, exact, batch_size, allowed, names)

    @cached_property
    def before(self) -> float:
        """Largest difference."""
        return self.gap({})

    @cached_property
    def telling(self) -> list[str]:
        """Names of the tensors that are more than rounding on a side.

        The bias before a batch norm is not: its gradient is 0.
        """
        least = 8 * self.allowed
        return [name for name in self.a if magnitude(self.a[name], self.b[name]) > least]

    @cached_property
    def parted(self) -> list[str]:
        """Names of the tensors that differ by more than rounding."""
        return [name for name in self.a if worst(self.a[name], self.b[name]) > self.allowed]

    @property
    def swapped(self) -> "Pair":
        """The same with the sides exchanged."""
        return Pair(self.b, self.a, self.weights, self.batch_size, self.allowed, self.names[::-1])

    def gap(self, instead: Mapping[str, Floats]) -> float:
        """Largest difference where some of A's tensors are replaced."""
        return max(worst(instead.get(name, self.a[name]), self.b[name]) for name in self.a)

    def closes(self, gap: float) -> bool:
        """Whether `gap` is rounding."""
        return closes(self.before, gap, self.allowed)


def listed(names: list[str]) -> str:
    """At most four of them."""
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
