"""Images that are turned or stretched more in one place than in another (NumPy only)."""

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from parity.watch.pixels.likeness import FEW
from parity.watch.pixels.look import Floats, Look
from parity.watch.pixels.turns import Step, way
from parity.watch.pixels.warp import Sampling, taken

Places = Callable[[Floats, float], Floats]
"""Where each pixel is taken from: places (row, column) [H, W, 2] from the middle, in halves of the
image, and how strongly, to places."""
WIDE = 26.0
"""Degrees by which a wide swirl of one radian turns the ink, most of which is half way out."""
DARK = 0.5
"""Of full ink: what counts, whatever the noise."""
NEARER = 0.7
"""Share of the squared distance to the mean image seen that a perspective leaves at most."""


def _bent(ink: Floats, places: Places, strength: float, how: Sampling = "linear") -> Floats:
    height, width = ink.shape[1:]
    middle = np.array([(height - 1) / 2, (width - 1) / 2])
    grid = (np.moveaxis(np.indices((height, width)), 0, -1) - middle) / middle
    return taken(ink, places(grid, strength) * middle + middle, how)


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


def _pulled(axis: int, grid: Floats, strength: float) -> Floats:
    """The same where all four corners are given: the wider side stays where it is."""
    result = grid.copy()
    result[..., axis] -= strength
    result[..., 1 - axis] *= 1 + abs(strength)
    result /= 1 - strength * grid[..., axis : axis + 1]
    return result


def swirls(degrees: float) -> Iterator[Step]:
    """Clockwise by about so many degrees where the ink is: in the middle only, or nearly all."""
    words = f"were swirled {way(degrees)}: turned more in the middle"
    for reach, angles in ((0.25, (0.5, 0.8, 1.25, 2.0, 3.0)), (0.6, (abs(degrees) / WIDE,))):
        places = partial(_swirled, reach)
        for angle in angles:
            do = partial(_bent, places=places, strength=np.sign(degrees) * angle)
            yield Step("turn", words, do, measured=reach > 0.5, like=way(degrees), rare=True)


def bends(now: Look, seen: Look) -> Iterator[Step]:
    """A lens, and as much perspective as brings the mean image nearest to the one that is seen."""
    if len(seen.ink) < FEW:
        return
    yield from _BENT
    before, after = (_drawn(look) for look in (now, seen))
    ways, sources = _perspectives(*now.ink.shape[1:])
    off = ((np.append(before, 0.0)[sources] - after) ** 2).sum(axis=1)
    least = NEARER * float(((before - after) ** 2).sum())
    best: dict[Callable[..., Floats], int] = {}
    for n in np.argsort(off):
        if off[n] < least:
            best.setdefault(ways[n].places, int(n))
    for one in (ways[n] for n in best.values()):
        ends = (("top", "bottom"), ("left", "right"))[one.axis]
        words = f"are seen in perspective, narrower at the {ends[int(one.strength > 0)]}"
        places = partial(one.places, one.axis)
        do = partial(_bent, places=places, strength=one.strength)
        yield Step("size", words, do, measured=True, rare=True)


def _drawn(look: Look) -> Floats:
    """The mean image of what is dark, [H * W]."""
    mean: Floats = (look.ink.clip(0, 1) * (look.ink > DARK)).mean(axis=0).ravel()
    return mean


class _Way(NamedTuple):
    places: Callable[[int, Floats, float], Floats]
    axis: int
    strength: float


@lru_cache
def _perspectives(height: int, width: int) -> tuple[list[_Way], NDArray[np.int64]]:
    """Each way, and the pixels that it takes all others from, [K, H * W]: the last one is paper."""
    strengths = [s / 20 for s in range(-14, 15) if s]
    kinds = (_narrowed, _perspective, _pulled)
    ways = [_Way(*way) for way in product(kinds, (0, 1), strengths)]
    pixels = np.arange(1.0, height * width + 1).reshape(1, height, width)
    found = [_bent(pixels, partial(w.places, w.axis), w.strength, "nearest") for w in ways]
    return ways, np.concatenate(found).reshape(len(ways), -1).astype(np.int64) - 1


_BENT = tuple(
    Step("size", "were bulged as by a lens", partial(_bent, places=_lens, strength=s), rare=True)
    for s in (0.15, 0.4)
)
"""More in the middle than elsewhere."""
