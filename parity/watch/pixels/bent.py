"""Images that are turned or stretched more in one place than in another (NumPy only)."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from parity.watch.pixels.look import Floats, Look
from parity.watch.pixels.turns import Step, way
from parity.watch.pixels.warp import taken

Places = Callable[[Floats, float], Floats]
"""Where each pixel is taken from: places (row, column) [H, W, 2] from the middle, in halves of the
image, and how strongly, to places."""
WIDE = 26.0
"""Degrees by which a wide swirl of one radian turns the ink, most of which is half way out."""
DARK = 0.5
"""Of full ink: what counts, whatever the noise."""
NARROWER, STRONGEST = 0.08, 0.7
"""Logarithm of the ratio of two sides' widths below which there is no telling; and the strength of
a perspective at most."""


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
            yield Step("turn", words, do, measured=reach > 0.5, like=way(degrees))


def perspectives(now: Look, seen: Look) -> Iterator[Step]:
    """As much as makes one side of the ink narrower than the other by what is seen."""
    for axis, ends in enumerate((("top", "bottom"), ("left", "right"))):
        drawn, wanted = _drawn(now), _widening(_drawn(seen), axis)
        if abs(wanted - _widening(drawn, axis)) < NARROWER:
            continue
        for places in (_narrowed, _perspective, _pulled):
            way = partial(places, axis)
            low, high = -STRONGEST, STRONGEST
            for _ in range(6):
                middle = (low + high) / 2
                wide = _widening(_bent(drawn, way, middle), axis) > wanted
                low, high = (middle, high) if wide else (low, middle)
            words = f"are seen in perspective, narrower at the {ends[int(middle > 0)]}"
            do = partial(_bent, places=way, strength=middle)
            yield Step("size", words, do, measured=True)


def _drawn(look: Look) -> Floats:
    """The mean image of what is dark, [1, H, W]."""
    mean: Floats = (look.ink.clip(0, 1) * (look.ink > DARK)).mean(axis=0, keepdims=True)
    return mean


def _widening(mean: Floats, axis: int) -> float:
    """Logarithm of how much wider the ink is on the far half of an axis than on the near one."""
    lines = mean[0] if axis == 0 else mean[0].T
    place = np.arange(lines.shape[1])
    logs = []
    for half in np.array_split(lines, 2):
        shares = half.sum(axis=0) / max(float(half.sum()), 1e-9)
        spread = float(shares @ place**2 - (shares @ place) ** 2)
        logs.append(0.5 * np.log(max(spread, 1e-9)))
    return float(logs[1] - logs[0])


BENT = tuple(
    Step("size", f"were {how} as by a lens", partial(_bent, places=_lens, strength=strength))
    for strength, how in ((-0.3, "pinched"), (-0.15, "pinched"), (0.15, "bulged"), (0.4, "bulged"))
)
"""More in the middle than elsewhere; where the other way does as well, neither was gone."""
