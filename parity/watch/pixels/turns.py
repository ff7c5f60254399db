"""What a step is, and the ways in which images may be turned (NumPy only)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from parity.watch.fingerprint import TURNS
from parity.watch.pixels.look import Floats
from parity.watch.pixels.warp import warped


@dataclass(frozen=True)
class Step:
    """One thing that may have been done.

    Attributes:
        kind: Steps of one kind exclude each other.
        words: What was done.
        do: Ink float64 [N, H, W], 0 for paper and 1 for full ink, to ink.
    """

    kind: str
    words: str
    do: Callable[[Floats], Floats]


def _rotated(degrees: float) -> Callable[[Floats], Floats]:
    """Clockwise."""
    sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    return lambda ink: warped(ink, np.array([[cosine, -sine], [sine, cosine]]))


def _slanted(share: float) -> Callable[[Floats], Floats]:
    """The top to the right, by that share of the height."""
    return lambda ink: warped(ink, np.array([[1.0, 0.0], [share, 1.0]]))


def _each(turn: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    return lambda ink: np.stack([turn(image) for image in ink])


TILTED = (
    *(
        Step(
            "turn",
            f"were rotated {'clockwise' if degrees > 0 else 'anticlockwise'}",
            _rotated(degrees),
        )
        for degrees in (-60, -45, -30, -15, 15, 30, 45, 60)
    ),
    *(
        Step("turn", f"were slanted to the {'right' if s > 0 else 'left'}", _slanted(s))
        for s in (-0.8, -0.5, -0.3, 0.3, 0.5, 0.8)
    ),
)
"""Turned by less than a quarter, which the figures show."""
TURNED = (
    *(Step("turn", f"were {words}", _each(turn)) for words, turn in TURNS.items()),
    *TILTED,
)
"""Which way up they are, which only the likeness of the images shows."""
