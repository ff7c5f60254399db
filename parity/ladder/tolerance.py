"""How near is near enough, rung by rung, and why."""

from dataclasses import dataclass

import numpy as np

from parity.arrays import Table
from parity.sides.entries import Precision

ULPS_OF_A_PIXEL = 4
"""Scaling a pixel takes at most four roundings: divide or multiply, invert, centre, divide."""
PLAIN, NORMALISED = 1e-12, 1e-9
"""float64: largest difference between weights after any number of steps up to an epoch. Measured on
MNIST: 1e-14 and below. Batch norm divides by the deviation of a batch, and so enlarges rounding."""
ECHO_FACTOR = 10
"""float32: how much further apart than one side from itself, moved by an ulp, two sides may be."""


@dataclass(frozen=True)
class Tolerance:
    """Limits for a network.

    Attributes:
        precision: Of the arithmetic.
        terms: Length of the sums that lead to a logit: all layers' inputs together.
        normalised: Whether there are moving statistics: the network has batch norm.
    """

    precision: Precision
    terms: int
    normalised: bool

    @classmethod
    def of(cls, weights: Table, precision: Precision) -> "Tolerance":
        """Read it off the weights; a kernel is [in, out]."""
        terms = sum(max(array.shape) for array in weights.values() if array.ndim > 1)
        normalised = any(name.endswith(".variance") for name in weights)
        return cls(precision, max(terms, 1), normalised)

    @property
    def epsilon(self) -> float:
        """Relative distance of neighbouring numbers."""
        return float(np.finfo(self.precision).eps)

    @property
    def pixels(self) -> tuple[float, str]:
        """Relative to the largest pixel."""
        return ULPS_OF_A_PIXEL * self.epsilon, f"{ULPS_OF_A_PIXEL} roundings of the largest pixel"

    @property
    def sums(self) -> tuple[float, str]:
        """Relative to the largest value: the worst case of a sum (Higham 2002, section 3.1)."""
        return self.terms * self.epsilon, f"sums of {self.terms:,} terms, each rounded once"

    def gradients(self, places: int) -> tuple[float, str]:
        """Relative to the largest: a gradient adds up over samples and places, too."""
        terms = self.terms + places
        return terms * self.epsilon, f"sums of {terms:,} terms, each rounded once"

    @property
    def steps(self) -> tuple[float, str]:
        """Between weights in float64, after any number of steps."""
        kind = "with" if self.normalised else "without"
        limit = NORMALISED if self.normalised else PLAIN
        return limit, f"far below any effect, far above rounding, {kind} batch norm"

    def echo(self, drift: float) -> tuple[float, str]:
        """In float32, from what one ulp in the initial weights does to one side alone."""
        limit = max(ECHO_FACTOR * drift, ULPS_OF_A_PIXEL * self.epsilon)
        return (
            limit,
            f"{ECHO_FACTOR} times what one ulp in its weights does to one side: {drift:.1e}",
        )


def moved_by_an_ulp(weights: Table, seed: int) -> Table:
    """Every number moved to a neighbour, up or down by chance."""
    rng = np.random.default_rng(seed)
    return {
        name: np.nextafter(w, np.where(rng.random(w.shape) < 0.5, -np.inf, np.inf), dtype=w.dtype)
        for name, w in weights.items()
    }
