"""By how much images were turned or slanted, measured on the images that are seen (NumPy only)."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from parity.watch.pixels.bent import swirls
from parity.watch.pixels.figures import FEATURES
from parity.watch.pixels.likeness import FEW
from parity.watch.pixels.look import Floats, Look
from parity.watch.pixels.turns import Step, rotated, slanted, way
from parity.watch.pixels.warp import moved, warped

DEGREES = np.arange(-65.0, 65.5, 1.0)
SHARES = np.arange(-0.9, 0.91, 0.02)
"""Of the height, by which the top is slanted; of the width, by which a side is."""
LEAST_DEGREES, LEAST_SHARE, LEAST_MOVE = 8.0, 0.05, 1.0
"""Below which there is no telling: other writers' hands lean by as much, and lie elsewhere."""
SPREADS = np.arange(4.0, 64.0, 4.0)
"""Largest angles of images that were each turned by their own."""
LEAST_SPREAD = 8.0
LITTLE = (
    "were turned, bent or moved, all a little or each in its own way: their edges are interpolated"
)
EACH_TURNED = "were rotated each on its own: every image has another angle"
EACH_MOVED = "were moved each on its own: every image lies elsewhere"
OWN = {LITTLE, EACH_TURNED, EACH_MOVED}
"""What is of another size in each image."""
Matrix = Callable[[Floats], Floats]
"""Doses [D] to matrices [D, 2, 2] by which a place (row, column) of ink moves."""


def tilts(now: Look, seen: Look) -> Iterator[Step]:
    """By as much as brings the ink's second moments nearest to those that are seen."""
    if len(seen.ink) < FEW:
        return
    moments = _moments(now)
    degrees = _dose(moments, seen, DEGREES, _turning)
    if abs(degrees) >= LEAST_DEGREES:
        yield rotated(degrees, measured=True)
        yield from swirls(degrees)
    like = way(degrees) if abs(degrees) >= LEAST_DEGREES else LITTLE
    if seen.mean("levels") > 1:  # of two levels no edge shows that it was interpolated
        yield Step(
            "turn", LITTLE, partial(moved_each, down=0.5, right=0.5), measured=True, like=like
        )
    yield from _each_turned(moments, seen, like)
    share = _dose(moments, seen, SHARES, partial(_slanting, upright=True))
    if abs(share) >= LEAST_SHARE:
        yield slanted(share, upright=True, measured=True)
    share = _dose(moments, seen, SHARES, partial(_slanting, upright=False))
    if abs(share) >= LEAST_SHARE:
        yield slanted(share, upright=False, measured=True)


def _each_turned(moments: Floats, seen: Look, like: str) -> Iterator[Step]:
    """By angles that make them lean as differently as they are seen to."""
    target = float(_figure(seen, "slant").std())
    chance = np.random.default_rng(0).uniform(-1, 1, len(moments))
    spreads = [float(_lean(_after(moments, _turning(chance * most)))[0].std()) for most in SPREADS]
    most = float(SPREADS[int(np.abs(np.array(spreads) - target).argmin())])
    if most > LEAST_SPREAD:
        do = partial(_turned_each, most=most)
        yield Step("turn", EACH_TURNED, do, measured=True, like=like)


def _turned_each(ink: Floats, most: float) -> Floats:
    angles = np.random.default_rng(0).uniform(-most, most, len(ink))
    turns = np.linalg.inv(_turning(angles))
    return np.concatenate([warped(ink[n : n + 1], turn) for n, turn in enumerate(turns)])


def moved_each(ink: Floats, down: float, right: float, *, whole: bool = False) -> Floats:
    """Each image moved by as much of its own, at most; by whole pixels where they were cropped."""
    ways = np.random.default_rng(0).uniform(-1, 1, (len(ink), 2)) * (down, right)
    ways = np.round(ways) if whole else ways
    return np.concatenate([moved(ink[n : n + 1], *way) for n, way in enumerate(ways)])


def moves_each(now: Look, seen: Look) -> Iterator[Step]:
    """By as much as makes the places vary as they are seen to."""
    columns = [(_figure(seen, name), _figure(now, name)) for name in ("down", "right")]
    more = [float(after.var() - before.var()) for after, before in columns]
    down, right = (np.sqrt(3 * max(spread, 0.0)) for spread in more)  # each distance as often
    for whole in (True, False) if max(down, right) > LEAST_MOVE else ():
        do = partial(moved_each, down=down, right=right, whole=whole)
        yield Step("place", EACH_MOVED, do, measured=True)


def _figure(look: Look, name: str) -> Floats:
    result: Floats = look.figures[:, list(FEATURES).index(name)]
    return result


def _moments(look: Look) -> Floats:
    """Second moments of each image's ink about its middle, [N, 2, 2]."""
    square, ratio = _figure(look, "radius") ** 2, np.exp(2 * _figure(look, "aspect"))
    both = _figure(look, "slant") * square / 2
    tall = square * ratio / (1 + ratio)
    return np.moveaxis(np.array([[tall, both], [both, square - tall]]), -1, 0)


def _turning(degrees: Floats) -> Floats:
    """Clockwise, rows counted downwards."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.moveaxis(np.array([[cosine, sine], [-sine, cosine]]), -1, 0)


def _slanting(shares: Floats, *, upright: bool) -> Floats:
    one, none = np.ones_like(shares), np.zeros_like(shares)
    rows = [[one, none], [-shares, one]] if upright else [[one, -shares], [none, one]]
    return np.moveaxis(np.array(rows), -1, 0)


def _after(moments: Floats, ways: Floats) -> Floats:
    return ways @ moments @ np.swapaxes(ways, -1, -2)


def _lean(moments: Floats) -> tuple[Floats, Floats]:
    """Slant, and the logarithm of the height by the width."""
    tall, wide = moments[..., 0, 0], moments[..., 1, 1]
    aspect = 0.5 * np.log(np.maximum(tall, 0.1) / np.maximum(wide, 0.1))
    return 2 * moments[..., 0, 1] / (tall + wide + 0.1), aspect


def _dose(moments: Floats, seen: Look, doses: Floats, way: Matrix) -> float:
    slant, aspect = _lean(_after(moments[None], way(doses)[:, None]))
    off = (slant.mean(axis=1) - seen.mean("slant")) ** 2
    off += (aspect.mean(axis=1) - seen.mean("aspect")) ** 2
    return float(doses[int(off.argmin())])
