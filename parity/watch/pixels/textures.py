"""What people do to strokes and grain: pens, blur, noise, edges (NumPy only)."""

from collections.abc import Callable, Iterator
from functools import partial, reduce

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from parity.watch.pixels.light import EXPOSED, SHARPER
from parity.watch.pixels.look import INK_QUANTILE, Floats, Look, quantiles
from parity.watch.pixels.near import neighbours, smoothed
from parity.watch.pixels.turns import Step
from parity.watch.pixels.warp import blurred, thicker, thinner


def _half(change: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    return lambda ink: (ink + change(ink)) / 2


STEEP = 0.8
"""Slope of an edge at least, of 4 from paper to full ink."""
_ACROSS = ((3, 1, 0, 2), (5, 7, 8, 6))
"""Of a pixel's nine, those before and behind it on four ways across an edge."""
GRAIN, DROWNED = 0.003, 0.5
"""Of full ink, deviation or mean of grain, and share of specks, that is none; and that in which
nothing drawn could be told."""
BLANK, BELOW = 0.02, 0.02
"""Of full ink, below which paper is blank; share of its pixels beyond it, at least, of grain that
is not cut off there."""
CORNERS = ((0, 1, 3, 4), (1, 2, 4, 5), (3, 4, 6, 7), (4, 5, 7, 8))
"""Of a pixel's nine neighbours, those of a square of which it is a corner."""


def _square(
    of: Callable[..., Floats], side: int = 3, corner: int = 0
) -> Callable[[Floats], Floats]:
    """Of a square of so many pixels to a side, which lies to one side if they are even."""

    def filtered(ink: Floats) -> Floats:
        for _ in range((side - 1) // 2):
            ink = of(neighbours(ink), axis=0)
        return ink if side % 2 else of([neighbours(ink)[n] for n in CORNERS[corner]], axis=0)

    return filtered


def _one_by_one(*changes: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    return lambda ink: reduce(lambda done, change: change(done), changes, ink)


def _opened(side: int) -> Callable[[Floats], Floats]:
    """What is too thin for a square of so many pixels to a side is lost (Serra 1982)."""
    return _one_by_one(_square(np.min, side), _square(np.max, side, -1))


def _closed(side: int) -> Callable[[Floats], Floats]:
    """What is too narrow for such a square is filled."""
    return _one_by_one(_square(np.max, side), _square(np.min, side, -1))


_THICKER, _THINNER = "show thicker strokes", "show thinner strokes"
_OPENED = "were opened: what is thinner than a few pixels is lost"
_CLOSED = "were closed: gaps narrower than a few pixels are filled"
PENS = (
    Step("pen", _THICKER, _half(thicker)),
    Step("pen", _THICKER, thicker),
    Step("pen", _THICKER, _one_by_one(thicker, thicker)),
    *(Step("pen", _THICKER, _square(np.max, side)) for side in (3, 5)),
    *(Step("pen", _THICKER, _square(np.max, 2, corner)) for corner in range(4)),
    Step("pen", _THINNER, _half(thinner)),
    Step("pen", _THINNER, thinner),
    Step("pen", _THINNER, _square(np.min)),
    Step("pen", _THINNER, _half(_square(np.min))),
    *(Step("pen", _THINNER, _square(np.min, 2, corner)) for corner in range(4)),
    *(Step("pen", _OPENED, _opened(side)) for side in (2, 3)),
    Step("pen", _OPENED, _one_by_one(thinner, thicker)),
    *(Step("pen", _CLOSED, _closed(side)) for side in (3, 4, 5, 7)),
)


def _noisy(grain: Floats, now: Floats) -> Callable[[Floats], Floats]:
    """With grain [K] as blank paper shows it, or with twice the half that is not cut off there.

    Full ink is the darker for noise, by which grain is measured, unless it is cut off as well.
    """
    if np.mean(grain < -BLANK) < BELOW:
        grain = np.outer(grain[grain > grain.min()], (-1, 1)).ravel()
        return lambda ink: (ink + _drawn(grain, ink)).clip(0, 1)
    scale, some = 1.0, now[:: max(1, len(now) // 16)]
    for _ in range(4):
        noisy = some + scale * _drawn(grain, some)
        scale = float(np.median(quantiles(noisy.reshape(len(noisy), -1), INK_QUANTILE)))
    return lambda ink: ink + scale * _drawn(grain, ink)


def _drawn(values: Floats, like: Floats) -> Floats:
    return np.random.default_rng(0).choice(values, like.shape)


def _grainy(deviation: float, power: float = 1) -> Callable[[Floats], Floats]:
    """The more noise the more ink; with its root where ink is counted, as photons are (Poisson)."""

    def add(ink: Floats) -> Floats:
        noise = np.random.default_rng(0).normal(0, deviation, ink.shape)
        return (ink + noise * ink.clip(0) ** power).clip(0, 1)

    return add


def _specks(dark: float, light: float) -> Callable[[Floats], Floats]:
    """Shares of the pixels that become full ink, and paper."""

    def add(ink: Floats) -> Floats:
        chance = np.random.default_rng(0).random(ink.shape)
        return np.where(chance < dark, 1.0, np.where(chance > 1 - light, 0.0, ink))

    return add


def _sharpened(amount: float, smooth: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    """Unsharp mask: what a blur takes away, added."""
    return lambda ink: (ink + amount * (ink - smooth(ink))).clip(0, 1)


def _slopes(ink: Floats) -> tuple[Floats, Floats]:
    """To the right and down, by Sobel's filter: 4 from paper to full ink."""
    padded = np.pad(ink, ((0, 0), (1, 1), (1, 1)), mode="edge")
    across = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    along = padded[:, :, :-2] + 2 * padded[:, :, 1:-1] + padded[:, :, 2:]
    return across[:, :, 2:] - across[:, :, :-2], along[:, 2:] - along[:, :-2]


def _sobel(ink: Floats) -> Floats:
    """Length of the gradient, cut off at full ink."""
    result: Floats = (np.hypot(*_slopes(ink)) / 4).clip(0, 1)
    return result


def _canny(ink: Floats) -> Floats:
    """Where the slope is steepest on the way across an edge (Canny 1986)."""
    right, down = _slopes(ink)
    steep = np.abs(right) + np.abs(down)
    nine = neighbours(steep)
    flat, upright = (np.abs(a) > 2.414 * np.abs(b) for a, b in ((right, down), (down, right)))
    ways = [flat, upright, right * down > 0]  # beside, below, or on one diagonal or the other
    before, after = (np.select(ways, [nine[n] for n in ns[:3]], nine[ns[3]]) for ns in _ACROSS)
    return ((steep > STEEP) & (steep > before) & (steep >= after)).astype(np.float64)


def _sobel_of_its_own(ink: Floats) -> Floats:
    """The same, the steepest edge of each image being full ink."""
    slopes = _sobel(ink / 2)
    result: Floats = slopes / np.maximum(slopes.max(axis=(1, 2), keepdims=True), 1e-9)
    return result


def _laplace(ink: Floats) -> Floats:
    """Second differences, without their sign."""
    nine = neighbours(ink)
    result: Floats = np.abs(nine[1] + nine[3] + nine[5] + nine[7] - 4 * ink).clip(0, 1)
    return result


def _surrounded(ink: Floats) -> Floats:
    """By how much a pixel is darker than all around it: Pillow's "find edges"."""
    result: Floats = (9 * ink - np.sum(neighbours(ink), axis=0)).clip(0, 1)
    return result


def _gradient(ink: Floats) -> Floats:
    """Morphological: the darkest of the neighbours less the palest."""
    nine = neighbours(ink)
    result: Floats = np.max(nine, axis=0) - np.min(nine, axis=0)
    return result


_EDGES = "show only the edges of the strokes"
EDGES = (_sobel, _sobel_of_its_own, _canny, _laplace, _surrounded, _gradient)


def _median(side: int) -> Callable[[Floats], Floats]:
    """Of a square of so many pixels to a side, an odd number."""
    ends = (side // 2, side // 2)

    def smooth(ink: Floats) -> Floats:
        padded = np.pad(ink, ((0, 0), ends, ends), mode="edge")
        result: Floats = np.median(sliding_window_view(padded, (side, side), (1, 2)), axis=(3, 4))
        return result

    return smooth


def _neighbour(ink: Floats) -> Floats:
    """Of each image, another one."""
    return np.roll(ink, 1 + len(ink) // 3, axis=0)


SMOOTHED = "were smoothed by a median"
TEXTURES = (
    *(
        Step("blur", "were blurred", partial(blurred, deviation=d))
        for d in (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)
    ),
    *(Step("blur", SMOOTHED, do) for do in (_median(3), smoothed)),
    Step("blur", SMOOTHED, _median(5), rare=True),
    *(
        Step("blur", SHARPER, _sharpened(amount, smooth), like=EXPOSED)
        for smooth, amounts in (
            (partial(blurred, deviation=1.0), (0.75, 1.5, 3.0)),
            (_square(np.mean), (0.7, 1.1, 1.4, 4.5, 9.0)),  # as Pillow does it
        )
        for amount in amounts
    ),
    *(Step("blur", _EDGES, edges) for edges in EDGES),
    Step("blur", _EDGES, lambda ink: ink - thinner(ink)),
    Step("mix", "show two images in one, averaged", lambda ink: (ink + _neighbour(ink)) / 2),
    Step("mix", "show two images in one", lambda ink: np.maximum(ink, _neighbour(ink))),
)
"""Of strokes and edges, and of two images in one."""
_LOST = tuple(
    Step("noise", "were speckled: pixels were lost", _specks(0, d))
    for d in (0.05, 0.1, 0.2, 0.3, 0.5)
)
_GRAINY = tuple(
    Step("noise", "were made noisy: where there is ink", do)
    for do in (*map(_grainy, (0.2, 0.3, 0.4, 0.6)), _grainy(1 / 16, 0.5), _grainy(1 / 8, 0.5))
)


def noises(now: Look, seen: Look) -> Iterator[Step]:
    """What adds grain, and never takes any away: as much as paper shows that was blank before."""
    if all(seen.mean(name) <= now.mean(name) + GRAIN for name in ("noise", "pits", "beyond")):
        return
    yield from _LOST
    yield from _GRAINY
    blank = (np.abs(now.ink) < BLANK).all(axis=0)
    grain = seen.ink[:, blank].ravel()
    if grain.size and GRAIN < grain.std() < DROWNED:
        yield Step("noise", "were made noisy", _noisy(grain, now.ink), measured=True)
    dark = float(np.mean(grain > 0.5)) if grain.size else 0.0
    for light in (dark, 0.0) if dark > GRAIN else ():
        yield Step("noise", "were speckled", _specks(dark, light), measured=True)
