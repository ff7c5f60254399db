"""What a step is, and the ways in which images may be turned (NumPy only)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from parity.watch.fingerprint import TURNS
from parity.watch.pixels.look import Floats
from parity.watch.pixels.warp import SAMPLINGS, Sampling, warped


@dataclass(frozen=True)
class Step:
    """One thing that may have been done.

    Attributes:
        kind: Steps of one kind exclude each other.
        words: What was done.
        do: Ink float64 [N, H, W], 0 for paper and 1 for full ink, to ink.
        measured: Whether how much was done is measured on the images at hand, anew each time.
        degrees: Clockwise, of a rotation.
        like: What it looks like: steps of a kind that look alike are told together.
        rare: Whether few do that to images, so that something else is tried beside it.
    """

    kind: str
    words: str
    do: Callable[[Floats], Floats]
    measured: bool = False
    degrees: float | None = None
    like: str = ""
    rare: bool = False

    @property
    def name(self) -> str:
        """What was done, but for how much."""
        return self.words.partition(":")[0].partition(" by ")[0]


def way(degrees: float) -> str:
    """Which way round, in words."""
    return "clockwise" if degrees > 0 else "anticlockwise"


def rotated(degrees: float, how: Sampling = "linear", *, measured: bool = False) -> Step:
    """By so many degrees clockwise, -180 to 180."""
    sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    matrix = np.array([[cosine, -sine], [sine, cosine]])
    return Step(
        "turn",
        f"were rotated {way(degrees)}: by about {5 * round(abs(degrees) / 5)} degrees",
        lambda ink: warped(ink, matrix, how),
        measured,
        degrees,
        way(degrees),
    )


def closer(step: Step) -> Iterator[Step]:
    """A rotation by a few degrees more or less, and with what is between the pixels told apart."""
    if step.degrees is not None:
        for more in (-7.5, -5, -2.5, 0, 2.5, 5, 7.5):
            for how in SAMPLINGS:
                yield rotated(step.degrees + more, how)


def slanted(share: float, *, upright: bool, measured: bool = False) -> Step:
    """The top to the right, by that share of the height; or the left side down."""
    matrix = np.array([[1.0, 0.0], [share, 1.0]])
    if upright:
        words = f"were slanted to the {'right' if share > 0 else 'left'}"
        return Step("turn", words, lambda ink: warped(ink, matrix), measured)
    words = f"were slanted: the {'left' if share > 0 else 'right'} side lies lower"
    return Step("turn", words, lambda ink: warped(ink, matrix.T), measured)


def _each(turn: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    return lambda ink: np.stack([turn(image) for image in ink])


TILTED = (
    *(rotated(degrees) for degrees in (-60, -45, -30, -15, 15, 30, 45, 60)),
    *(slanted(share, upright=True) for share in (-0.8, -0.5, -0.3, 0.3, 0.5, 0.8)),
    *(slanted(share, upright=False) for share in (-0.6, -0.35, 0.35, 0.6)),
)
"""Turned by less than a quarter, which the figures show."""
TURNED = (
    *(Step("turn", f"were {words}", _each(turn)) for words, turn in TURNS.items()),
    *TILTED,
    *(rotated(sign * degrees) for degrees in (75, 105, 120, 135, 150, 165) for sign in (1, -1)),
)
"""Which way up they are, which only the likeness of the images shows."""
