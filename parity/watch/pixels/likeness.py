"""Which images are like which, whatever their ink, and which way up they are (NumPy only)."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from parity.watch.pixels.levels import inverts
from parity.watch.pixels.look import Floats, Look
from parity.watch.pixels.near import neighbours
from parity.watch.pixels.turns import TURNED, Step
from parity.watch.pixels.warp import sampled

SHAPE = 14
"""Pixels to a side in which images are compared, whichever way up they are."""
FEW = 10
"""Images below which there is no telling which way up they are."""


def turned(then: Look, now: Look) -> Step | None:
    """The turn that brings the images nearer to those that they are like, if one surely does.

    Each image is held against its nearest among those of before, as it is and turned back. Which
    digits they are makes no difference: an upright 7 is nearest to another upright 7.
    """
    if inverts(then, now) is None or len(now.ink) < FEW:
        return None
    before, after = centred(then, 2), centred(now)
    upright, _ = nearest(after, _halved(before))
    gains = {step: upright - nearest(after, _halved(step.do(before)))[0] for step in TURNED}
    step = max(gains, key=lambda step: float(gains[step].mean()))
    gain = gains[step]
    sure = gain.mean() > 4 * gain.std() / np.sqrt(len(gain))
    return step if sure and gain.mean() > 0.02 * upright.mean() else None


def centred(look: Look, finer: int = 1) -> Floats:
    """The ink of each image, as a whole centred and of one size, [N, SHAPE, SHAPE]."""
    down, right, radius = (look.mean(name) for name in ("down", "right", "radius"))
    side = finer * SHAPE
    places = np.arange(side, dtype=np.float64) - (side - 1) / 2
    line: Floats = places * (3 * max(radius, 1.0) / side)
    ink = sampled(look.ink.clip(0, 1), down + line, right + line)
    return _of_one_length(ink)


@lru_cache(maxsize=8)
def softened(look: Look) -> Floats:
    """The same, so that a thin stroke is near to a thick one."""
    return _of_one_length(np.asarray(np.mean(neighbours(centred(look)), axis=0)))


def _of_one_length(ink: Floats) -> Floats:
    result: Floats = ink / np.maximum(np.sqrt((ink**2).sum(axis=(1, 2), keepdims=True)), 1e-9)
    return result


def _halved(images: Floats) -> Floats:
    rows = images[:, ::2] + images[:, 1::2]
    result: Floats = (rows[:, :, ::2] + rows[:, :, 1::2]) / 4
    return result


def nearest(
    images: Floats, others: Floats, *, itself: bool = True
) -> tuple[Floats, NDArray[np.int64]]:
    """Squared distance of each of N images from the nearest of the others, [N], and which it is."""
    first, second = images.reshape(len(images), -1), others.reshape(len(others), -1)
    lengths, others_lengths = (np.einsum("np,np->n", side, side) for side in (first, second))
    squares = first @ (-2 * second).T
    squares += lengths[:, None]
    squares += others_lengths
    if not itself:
        np.fill_diagonal(squares, np.inf)
    closest = squares.argmin(axis=1)
    return squares[np.arange(len(squares)), closest].clip(0), closest
