"""What a model says of pictures: of each a digit, its probability, and what makes it doubtful."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lightning_mnist.calibration import Calibration
from lightning_mnist.own_images import Picture
from lightning_mnist.pictures.strangers import doubted

UNCALIBRATED = (
    "warning: this checkpoint holds no calibration: confidence is what the network says of itself, "
    "and no picture is marked unsure for looking unfamiliar; train again to have both"
)


@dataclass(frozen=True)
class Reading:
    """What the model says of one picture.

    Attributes:
        file: The picture's.
        probabilities: Ten.
        unsure: Whether the picture looks like nothing that the network has been trained on, or
            like another digit, or what was cut out of it may not be the digit.
        warnings: What else was seen in the picture.
    """

    file: str
    probabilities: list[float]
    unsure: bool
    warnings: tuple[str, ...]

    @property
    def confidence(self) -> float:
        """The largest probability."""
        return max(self.probabilities)

    @property
    def digit(self) -> int:
        """The class of the largest probability."""
        return self.probabilities.index(self.confidence)

    def row(self) -> dict[str, Any]:
        """All of it as one level of names, for CSV and JSON."""
        return {
            "file": self.file,
            "digit": self.digit,
            "confidence": self.confidence,
            "unsure": self.unsure,
            "warnings": "; ".join(self.warnings),
            **{f"p{digit}": p for digit, p in enumerate(self.probabilities)},
        }


def pixels_of(pictures: Iterable[Picture]) -> Tensor:
    """What the network is fed: uint8 [N, 28, 28]."""
    return torch.from_numpy(np.stack([picture.pixels for picture in pictures]))


def readings_of(
    files: Sequence[str], pictures: Sequence[Picture], logits: Tensor, calibration: Calibration
) -> list[Reading]:
    """Readings of N pictures, for which the network answered logits float32 [N, 10]."""
    probabilities = calibration.probabilities(logits)
    doubts = calibration.looks_unfamiliar(logits) | doubted(pixels_of(pictures), probabilities)
    return [
        Reading(file, shares, doubt or picture.doubtful, picture.warnings)
        for file, picture, shares, doubt in zip(
            files, pictures, probabilities.tolist(), doubts.tolist(), strict=True
        )
    ]
