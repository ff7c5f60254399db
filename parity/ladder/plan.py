"""What is climbed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from parity.sides.entries import Precision


@dataclass(frozen=True)
class Plan:
    """What is climbed.

    Attributes:
        data: The ``.npz`` that both sides read.
        batch_size: Images a step; the last batch of the epoch holds what is left.
        precision: Of the arithmetic.
        seed: Of the order of the images and of what is added to the initial weights.
        told: Layers of A and of B that are one, where the caller says so.
    """

    data: Path
    batch_size: int
    precision: Precision = "float64"
    seed: int = 0
    told: Mapping[str, str] = field(default_factory=dict)
