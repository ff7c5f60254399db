"""Images that are turned or stretched more in one place than in another (NumPy only)."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from parity.watch.pixels.look import Floats
from parity.watch.pixels.turns import Step, way
from parity.watch.pixels.warp import taken

Places = Callable[[Floats, float], Floats]
"""Where each pixel is taken from: places (row, column) [H, W, 2] from the middle, in halves of the
image, and how strongly, to places."""
WIDE = 26.0
"""Degrees by which a wide swirl of one radian turns the ink, most of which is half way out."""


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


def _narrowed(axis: int, grid: Floats, strength: float) -> Floats:
    """Narrower towards one side, and as high as before."""
    result: Floats = grid.copy()
    result[..., 1 - axis] *= 1 + strength * grid[..., axis]
    return result


def _perspective(axis: int, grid: Floats, strength: float) -> Floats:
    """Farther away towards one side: a homography, as of a page seen from below or from beside."""
    result: Floats = grid / (1 - strength * grid[..., axis : axis + 1])
    return result


def swirls(degrees: float) -> Iterator[Step]:
    """Clockwise by about so many degrees where the ink is: in the middle only, or nearly all."""
    words = f"were swirled {way(degrees)}: turned more in the middle"
    for reach, angles in ((0.25, (0.5, 0.8, 1.25, 2.0, 3.0)), (0.6, (abs(degrees) / WIDE,))):
        places = partial(_swirled, reach)
        for angle in angles:
            do = partial(_bent, places=places, strength=np.sign(degrees) * angle)
            yield Step("turn", words, do, measured=reach > 0.5, like=way(degrees))


def _sizes() -> Iterator[tuple[str, Places, float]]:
    """Each with the way that it goes: where the other way does as well, neither was gone."""
    for strength, how in ((-0.3, "pinched"), (-0.15, "pinched"), (0.15, "bulged"), (0.4, "bulged")):
        yield f"were {how} as by a lens", _lens, strength
    for axis, ends in enumerate((("top", "bottom"), ("left", "right"))):
        for sign, end in zip((-1, 1), ends, strict=True):
            words = f"are seen in perspective, narrower at the {end}"
            yield words, partial(_narrowed, axis), 0.4 * sign
            yield words, partial(_perspective, axis), 0.3 * sign


BENT = tuple(
    Step("size", words, partial(_bent, places=places, strength=strength))
    for words, places, strength in _sizes()
)
"""More in one place than in another."""
