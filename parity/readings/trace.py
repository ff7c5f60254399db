"""What the first optimiser steps of one side did."""

from dataclasses import dataclass, field

from parity.arrays import Array, Table


@dataclass(frozen=True)
class Trace:
    """The first optimiser steps of one side, in order; T of them.

    Attributes:
        before: Weights before each step, T tables from canonical name to array.
        gradients: What the optimiser was given, of trainable weights only, T tables.
        after: Weights after each step, T tables; `after[i]` is `before[i + 1]`.
        losses: Of the batch that the side was told to take, before each step, T numbers.
        images: That batch, raw, T arrays.
    """

    before: list[Table]
    gradients: list[Table]
    after: list[Table]
    losses: list[float] = field(default_factory=list)
    images: list[Array] = field(default_factory=list)
