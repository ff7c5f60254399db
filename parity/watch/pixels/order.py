"""Pixels in another order: what of images no order changes, and what every order does (NumPy)."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from parity.watch.pixels.figures import FEATURES
from parity.watch.pixels.look import Floats, Look
from parity.watch.pixels.raster import named_order
from parity.watch.pixels.trial import FITS, means_apart
from parity.watch.pixels.turns import Step

KEPT = ("ink", "core", "contrast", "levels", "tone", "beyond")
"""Figures that depend on how often each level occurs in an image, and not on where."""
DESTROYED, TORN = 0.5, 0.85
"""Share of the likeness between neighbours that another order of pixels, or of lines, leaves."""
SPREAD = 0.5
"""Logarithm of the ratio by which the ink may vary more or less between images."""
FEWEST = 10
"""Images below which the mean image does not tell whether all are in one order."""
PARTED = 0.1
"""Share of the ink that goes around the edge, or does not, in what is more than a move."""
AGREE = 0.8
"""Correlation of mean images that are the same but for where they begin."""
LONGEST = 200
"""Pixels before or behind which an image begins, at most: NumPy's header is 128 bytes long."""
ALIKE = 0.3
"""Likeness of neighbours below which images are noise, or in an order of their own already."""


def shuffled(then: Look, now: Look) -> str | None:
    """In what order the pixels are if it is none that people have a name for, in words.

    Evidence: each level is as frequent in each image as it was, and neighbours, which were alike,
    are no longer. Where they were not alike before, only the mean image tells.
    """
    named = dict(zip(FEATURES, means_apart(then, now), strict=False))
    if any(named[name] >= FITS for name in KEPT) or len(now.ink) < FEWEST:
        return None
    ink = list(FEATURES).index("ink")
    before, after = (np.std(side.figures[:, ink]) for side in (then, now))
    if not before > 0 or not after > 0 or abs(np.log(after / before)) > SPREAD:
        return None  # pixels of other images, too
    if (words := named_order(then, now)) is not None:
        return f"are in another order: {words}"
    kept = {name: now.mean(name) / max(then.mean(name), 0.1) for name in ("below", "beside")}
    if max(kept.values()) < DESTROYED:
        every = _flat(now.ink)
        if not every and not _same_values(then.ink, now.ink):
            return None
        were_alike = max(then.mean("below"), then.mean("beside")) > ALIKE
        if not were_alike and (every or _agrees(then.ink.mean(axis=0), now.ink.mean(axis=0))):
            return None
        order = "elsewhere in each image" if every else "the same one in all images"
        return f"are in another order, {order}"
    for name, other, axis, lines in (
        ("below", "beside", 1, "rows"),
        ("beside", "below", 2, "columns"),
    ):
        if not _same_ink(then.ink, now.ink, axis):
            continue
        intact = named[other] < FITS and _same_lines(then.ink.mean(0), now.ink.mean(0), axis - 1)
        if kept[name] < TORN and intact:
            return f"are in another order: the {lines} are shuffled"
    return None


def _flat(ink: Floats) -> bool:
    """Whether the mean image is the same everywhere, but for chance."""
    mean, variance = ink.mean(axis=0), ink.var(axis=0)
    chance = float(variance.mean()) / len(ink)
    return float(mean.var()) < 1.5 * chance


def _same_values(before: Floats, after: Floats) -> bool:
    """Whether means over images are the same numbers, in whatever order."""
    first, second = (np.sort(side.mean(axis=0).ravel()) for side in (before, after))
    off = float(np.sqrt(((first - second) ** 2).mean()))
    return off < 0.2 * float(first.std())


def rolled(then: Look, now: Look) -> Iterator[Step]:
    """Orders in which images begin elsewhere: after a header, or at their middle."""
    before, after = then.ink.mean(axis=0), now.ink.mean(axis=0)
    height, width = before.shape
    by = _shift(before.ravel(), after.ravel())[0]
    late = by if by <= height * width // 2 else by - height * width
    header = abs(late) < LONGEST and _parted(before, by % width, 1)
    if header and _agrees(np.roll(before.ravel(), by), after.ravel()):
        words = f"{abs(late)} pixels too {'late' if late > 0 else 'early'}"
        yield Step(
            "order",
            f"are in another order: each image begins {words}",
            lambda ink: np.roll(ink.reshape(len(ink), -1), by, axis=1).reshape(ink.shape),
            measured=True,
        )
    down, right = _shift(before, after)
    parted = [_parted(before, down, 0), _parted(before, right, 1)]
    if not (down or right) or not _agrees(np.roll(before, (down, right), (0, 1)), after):
        return
    around = partial(np.roll, shift=(down, right), axis=(1, 2))
    if any(parted):
        parts = {(True, True): "the quarters", (True, False): "the upper and the lower part"}
        what = parts.get((parted[0], parted[1]), "the left and the right part")
        words = f"are in another order: {what} have changed places"
        yield Step("order", words, around, measured=True)
    else:  # at most a few pixels come in again on the other side
        by_rows, by_columns = (
            by if by <= size // 2 else by - size for by, size in ((down, height), (right, width))
        )
        words = f"were moved by {by_columns:+.1f} pixels to the right and {by_rows:+.1f} down"
        yield Step("place", words, around, measured=True)


def _same_ink(before: Floats, after: Floats, axis: int) -> bool:
    """Whether rows or columns hold as much ink as they did, in whatever order: none were lost."""
    first, second = (
        np.sort(side.mean(axis=3 - axis), axis=1).mean(axis=0) for side in (before, after)
    )
    return float(np.abs(first - second).max()) < 0.1 * float(first.max())


def _same_lines(before: Floats, after: Floats, axis: int) -> bool:
    """Whether the rows or columns of two mean images are the same ones, wherever they are."""
    first, second = (np.moveaxis(side, axis, 0) for side in (before, after))
    apart = np.sqrt(((second[:, None] - first[None]) ** 2).mean(axis=2))
    closest = len(np.unique(apart.argmin(axis=1)))
    near = float(np.sqrt((apart.min(axis=1) ** 2).mean()))
    return near < 0.25 * float(before.std()) and closest > len(first) / 2


def _parted(mean: Floats, by: int, axis: int) -> bool:
    """Whether ink on both sides of what leaves the image and comes in again has changed places."""
    ink = mean.clip(0).sum(axis=1 - axis)
    around = float(ink[len(ink) - by :].sum() / max(float(ink.sum()), 1e-9))
    return min(around, 1 - around) > PARTED


def _shift(before: Floats, after: Floats) -> list[int]:
    """By which the first, moved around its edges, resembles the second most."""
    first, second = np.fft.fftn(before - before.mean()), np.fft.fftn(after - after.mean())
    likeness = np.fft.ifftn(second * first.conj()).real
    return [int(place) for place in np.unravel_index(int(likeness.argmax()), likeness.shape)]


def _agrees(first: Floats, second: Floats) -> bool:
    if first.std() == 0 or second.std() == 0:
        return False
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1]) > AGREE
