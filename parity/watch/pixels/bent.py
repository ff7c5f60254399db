"""Images that are turned or stretched more in one place than in another (NumPy only)."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from parity.watch.pixels.look import Floats
from parity.watch.pixels.turns import Step
from parity.watch.pixels.warp import taken

Places = Callable[[Floats, float], Floats]
"""Where each pixel is taken from: places (row, column) [H, W, 2] from the middle, in halves of the
image, and how strongly, to places."""


def _bent(ink: Floats, places: Places, strength: float) -> Floats:
    height, width = ink.shape[1:]
    middle = np.array([(height - 1) / 2, (width - 1) / 2])
    grid = (np.moveaxis(np.indices((height, width)), 0, -1) - middle) / middle
    return taken(ink, places(grid, strength) * middle + middle)


def _swirled(reach: float, grid: Floats, strength: float) -> Floats:
    """Turned by an angle, in radians, that falls off from the middle."""
    angle = strength * np.exp(-np.hypot(grid[..., 0], grid[..., 1]) / reach)
    sine, cosine = np.sin(angle), np.cos(angle)
    row, column = grid[..., 0], grid[..., 1]
    return np.stack([cosine * row - sine * column, sine * row + cosine * column], axis=-1)


def _lens(grid: Floats, strength: float) -> Floats:
    """Smaller, or larger, the further from the middle (Brown 1966, first radial term)."""
    result: Floats = grid * (1 + strength * (grid**2).sum(axis=-1, keepdims=True))
    return result


def _perspective(axis: int, grid: Floats, strength: float) -> Floats:
    """Narrower towards one side, as a page that is seen from below or from beside it."""
    result: Floats = grid.copy()
    result[..., 1 - axis] *= 1 + strength * grid[..., axis]
    return result


def _ways() -> Iterator[tuple[str, str, Places, float]]:
    for reach in (0.25, 0.6):
        for angle in (0.5, 0.8, 1.25, 2.0, 3.0):
            for way in (-angle, angle):
                yield (
                    "turn",
                    "were swirled: turned more in the middle",
                    partial(_swirled, reach),
                    way,
                )
    for strength in (-0.3, 0.15, 0.4):
        yield "size", "were bent as by a lens", _lens, strength
    for axis in (0, 1):
        for strength in (-0.4, 0.4):
            yield "size", "are seen in perspective", partial(_perspective, axis), strength


BENT = tuple(
    Step(kind, words, partial(_bent, places=places, strength=strength))
    for kind, words, places, strength in _ways()
)
"""More in one place than in another."""
