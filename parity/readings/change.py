"""The gradients of one side as a change of the other's, tensor by tensor (NumPy)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from parity.arrays import Floats
from parity.readings.case import Case
from parity.readings.readings import Reading
from parity.readings.rounding import closes, magnitude, noise, worst

FEW = 1024
"""Numbers in a tensor that is looked at before all are."""
Tensors = dict[str, Floats]


@dataclass(frozen=True)
class Change:
    """From A's gradients to B's, by the same weights and of the same shapes.

    Attributes:
        a: Side A's, float64, in the order of the network.
        b: Side B's.
        weights: Those of which they are gradients, as far as they are known.
        batch_size: Images in the batch.
        allowed: Largest difference that rounding makes.
    """

    a: Tensors
    b: Tensors
    weights: Tensors
    batch_size: int
    allowed: float

    @classmethod
    def of(cls, case: Case) -> "Change":
        """Of a case that has ``labels`` and weights as `given`, and gradients as `a` and `b`."""
        order = sorted(case.a, key=[*case.given, *case.a].index)
        a, b, weights = (
            {name: np.asarray(table[name], np.float64) for name in order if name in table}
            for table in (case.a, case.b, case.given)
        )
        allowed = noise(*case.a.values(), *case.b.values())
        return cls(a, b, weights, len(case.given["labels"]), allowed)

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

    @cached_property
    def few(self) -> "Change":
        """The smallest tensors that differ, two at least: what does not explain them explains none.

        Networks have millions of weights.
        """
        names: list[str] = []
        for name in sorted(self.parted, key=lambda name: self.a[name].size):
            if len(names) > 1 and self.a[name].size > FEW:
                break
            names.append(name)
        a, b, weights = (
            {name: table[name] for name in self.a if name in names and name in table}
            for table in (self.a, self.b, self.weights)
        )
        return Change(a, b, weights, self.batch_size, self.allowed)

    def explained(self, reading: Reading) -> bool:
        """Whether what a reading leaves is rounding."""
        a, b = flat(self.a), flat(self.b)
        return closes(worst(a, b), worst(reading.values, b), self.allowed)

    def reading(self, trait: str, words: str, instead: Mapping[str, Floats]) -> Reading:
        """B as a side that does what `words` say: A's gradients, some of them replaced."""
        return Reading({trait: words}, flat({**self.a, **instead}))


def flat(tensors: Mapping[str, Floats]) -> Floats:
    """All numbers of all tensors, in their order."""
    return np.concatenate([tensor.ravel() for tensor in tensors.values()])


def factor(a: Floats, b: Floats) -> float:
    """Least squares of ``factor * a = b``; 0 where there is none."""
    power = float((a * a).sum())
    return float((a * b).sum()) / power if power > 0 else 0.0
