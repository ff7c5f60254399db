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
    """Each with the way that it goes: where the other way does as well, neither was gone."""
    for reach in (0.25, 0.6):
        for angle in (0.5, 0.8, 1.25, 2.0, 3.0):
            for way, turn in ((-angle, "anticlockwise"), (angle, "clockwise")):
                words = f"were swirled {turn}: turned more in the middle"
                yield "turn", words, partial(_swirled, reach), way
    for strength, way_bent in ((-0.3, "pinched"), (0.15, "bulged"), (0.4, "bulged")):
        yield "size", f"were {way_bent} as by a lens", _lens, strength
    for axis, ends in enumerate((("top", "bottom"), ("left", "right"))):
        for strength, end in zip((-0.4, 0.4), ends, strict=True):
            words = f"are seen in perspective, narrower at the {end}"
            yield "size", words, partial(_perspective, axis), strength


BENT = tuple(
    Step(kind, words, partial(_bent, places=places, strength=strength))
    for kind, words, places, strength in _ways()
)
"""More in one place than in another."""
