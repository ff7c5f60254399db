"""Strokes thinned to one pixel (NumPy only): ink float64 [N, H, W] to the same."""

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from parity.watch.pixels.look import Floats, Look
from parity.watch.pixels.near import neighbours
from parity.watch.pixels.turns import Step
from parity.watch.pixels.warp import thicker, thinner

SKELETONS = "show skeletons: their strokes are one pixel wide"
AROUND = (1, 2, 5, 8, 7, 6, 3, 0)
"""Of a pixel's nine, those around it, clockwise from the one above."""
LESS = 0.6
"""Share of the ink that a skeleton leaves at most."""


def skeletons(now: Look, seen: Look) -> Iterator[Step]:
    """Only where two levels are left and much less ink: thinning takes its time."""
    if seen.mean("levels") <= 1 and seen.mean("ink") < LESS * now.mean("ink"):
        for threshold in (0.05, 0.5):
            for thin in (skeleton, residues):
                yield Step("pen", SKELETONS, partial(thin, threshold=threshold), measured=True)


def skeleton(ink: Floats, threshold: float) -> Floats:
    """Of what is above the threshold (Zhang and Suen 1984)."""
    drawn = np.pad(ink > threshold, ((0, 0), (1, 1), (1, 1)))
    while True:
        first = drawn & ~_spare(drawn, (0, 2, 4), (2, 4, 6))
        then = first & ~_spare(first, (0, 2, 6), (0, 4, 6))
        if (then == drawn).all():
            return drawn[:, 1:-1, 1:-1].astype(np.float64)
        drawn = then


def residues(ink: Floats, threshold: float) -> Floats:
    """What openings take away, between one erosion and the next (Lantuéjoul 1978)."""
    drawn = (ink > threshold).astype(np.float64)
    result = np.zeros_like(drawn)
    while drawn.any() and not drawn.all():
        smaller = thinner(drawn)
        result = np.maximum(result, drawn - thicker(smaller))
        drawn = smaller
    return result


def _spare(drawn: NDArray[np.bool_], *white: tuple[int, int, int]) -> NDArray[np.bool_]:
    """Pixels on the outline, no ends, without which the stroke still hangs together."""
    nine = neighbours(drawn.astype(np.float64))
    around = np.stack([nine[n] > 0 for n in AROUND])
    count = around.sum(axis=0)
    rises = (~around & np.roll(around, -1, axis=0)).sum(axis=0)
    outside = [~around[list(three)].all(axis=0) for three in white]
    result: NDArray[np.bool_] = (
        drawn & (count >= 2) & (count <= 6) & (rises == 1) & outside[0] & outside[1]
    )
    return result
