"""Draws digits as people photograph, scan and save them: forty and more kinds of pictures.

A kind is a function of the strokes and a random generator. It gives a picture whose strokes are
where they were handed in, so that a test can say whether the digit was found at all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Levels = NDArray[np.float64]
Random = np.random.Generator
SIDE = 320  # pixels of a page
MOVE = 25  # pixels, at most, of a digit from its middle

# Polylines in a unit square, x to the right and y down.
HAND = {
    0: [[(0.5, 0.05), (0.24, 0.2), (0.18, 0.55), (0.32, 0.9), (0.55, 0.95), (0.78, 0.75),
         (0.8, 0.35), (0.68, 0.1), (0.5, 0.05)]],
    1: [[(0.38, 0.25), (0.56, 0.05), (0.52, 0.95)]],
    2: [[(0.22, 0.28), (0.35, 0.08), (0.6, 0.05), (0.75, 0.22), (0.68, 0.45), (0.2, 0.93),
         (0.8, 0.9)]],
    3: [[(0.25, 0.12), (0.55, 0.05), (0.74, 0.2), (0.65, 0.4), (0.42, 0.48), (0.68, 0.55),
         (0.78, 0.74), (0.6, 0.93), (0.22, 0.88)]],
    4: [[(0.35, 0.06), (0.2, 0.56), (0.82, 0.54)], [(0.66, 0.25), (0.6, 0.96)]],
    5: [[(0.75, 0.06), (0.32, 0.08), (0.27, 0.45), (0.55, 0.4), (0.75, 0.58), (0.7, 0.82),
         (0.5, 0.95), (0.22, 0.88)]],
    6: [[(0.66, 0.05), (0.38, 0.28), (0.24, 0.65), (0.36, 0.92), (0.6, 0.94), (0.74, 0.75),
         (0.62, 0.57), (0.4, 0.58), (0.27, 0.72)]],
    7: [[(0.2, 0.1), (0.78, 0.08), (0.56, 0.45), (0.42, 0.95)]],
    8: [[(0.68, 0.18), (0.5, 0.05), (0.3, 0.18), (0.38, 0.4), (0.64, 0.56), (0.74, 0.78),
         (0.52, 0.95), (0.28, 0.8), (0.36, 0.58), (0.62, 0.38), (0.68, 0.18)]],
    9: [[(0.72, 0.3), (0.55, 0.48), (0.33, 0.42), (0.28, 0.2), (0.48, 0.05), (0.68, 0.12),
         (0.72, 0.3), (0.66, 0.65), (0.55, 0.95)]],
}  # fmt: skip


def hand_drawn(digit: int, random: Random, *, height: int = 150, width: float = 0.09) -> Levels:
    """Strokes [SIDE, SIDE] in [0, 1] of a digit, somewhere near the middle of the page."""
    lean = random.normal(0, 0.06)
    left, top = (SIDE - height) // 2 + random.integers(-MOVE, MOVE + 1, 2)
    image = np.zeros((SIDE * 4, SIDE * 4), np.uint8)
    for line in HAND[digit]:
        points = np.array(line) + random.normal(0, 0.012, (len(line), 2))
        x = left + height * (points[:, 0] + lean * (1 - points[:, 1]))
        y = top + height * points[:, 1]
        curve = np.round(4 * np.column_stack([x, y])).astype(np.int32)
        cv2.polylines(
            image, [curve], isClosed=False, color=255, thickness=round(4 * width * height)
        )
    small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return small.astype(np.float64) / 255


def enlarged(image: NDArray[np.uint8], random: Random, *, side: int = 200) -> Levels:
    """Strokes [SIDE, SIDE] in [0, 1] of an MNIST image, with edges as sharp as a pen's."""
    large = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC).astype(np.float64)
    large = np.clip((cv2.GaussianBlur(large, (0, 0), 2) - 90) / 60, 0, 1)
    page = np.zeros((SIDE, SIDE))
    top, left = (SIDE - side) // 2 + random.integers(-MOVE, MOVE + 1, 2)
    page[top : top + side, left : left + side] = large
    return page


@dataclass(frozen=True)
class Drawn:
    """A picture, and how it is to be saved."""

    picture: Image.Image
    ending: str = "png"
    options: dict[str, Any] | None = None


Kind = Callable[[Levels, Random], Drawn]
KINDS: dict[str, Kind] = {}


def kind(function: Kind) -> Kind:
    """Enter a kind under its name."""
    KINDS[function.__name__] = function
    return function


def grey(levels: Levels) -> Image.Image:
    return Image.fromarray(np.clip(np.round(levels), 0, 255).astype(np.uint8))


def page(strokes: Levels, paper: Levels | float = 235.0, ink: Levels | float = 40.0) -> Levels:
    return paper * (1 - strokes) + ink * strokes


def colour(strokes: Levels, paper: tuple[int, int, int], ink: tuple[int, int, int]) -> Image.Image:
    planes = [page(strokes, float(p), float(i)) for p, i in zip(paper, ink, strict=True)]
    return Image.merge("RGB", [grey(plane) for plane in planes])


def noise(random: Random, sigma: float, blur: float = 0) -> Levels:
    """Grain of a deviation, coarser with `blur`."""
    grain = random.normal(0, 1, (SIDE, SIDE))
    if blur:
        grain = np.asarray(cv2.GaussianBlur(grain, (0, 0), blur), np.float64)
    return np.asarray(grain * (sigma / grain.std()))


def ramp(random: Random) -> Levels:
    """From 0 to 1 across the page, in any direction."""
    angle = random.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE - 0.5
    return np.asarray((np.cos(angle) * x + np.sin(angle) * y) / 1.42 + 0.5)


def ruled(step: int, width: int, first: int, *, across: bool, tilt: float = 0) -> Levels:
    """1 on the lines of a page and 0 between them."""
    lines = np.zeros((SIDE, SIDE), np.uint8)
    for at in range(first - 5 * step, SIDE + 5 * step, step):
        end = round(at + tilt * SIDE)
        ends = ((0, at), (SIDE, end)) if across else ((at, 0), (end, SIDE))
        cv2.line(lines, *ends, color=255, thickness=width, lineType=cv2.LINE_AA)
    return lines.astype(np.float64) / 255
