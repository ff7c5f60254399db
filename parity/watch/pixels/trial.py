"""Images as they would be after some steps, held against those that are seen (NumPy only)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parity.watch.pixels.likeness import centred, nearest, softened
from parity.watch.pixels.look import FEATURES, Floats, Look
from parity.watch.pixels.turns import Step

ALIKE = 2.4
"""Largest difference, in its own unit, of images that look the same."""
FITS = 1.7
"""The same after a step that explains all there is."""
STRICT = 1.4
"""The same after several steps, which may fit by chance."""
PIXEL, PIXEL_KIN, PICTURE = 0.02, 0.1, 0.6
"""Difference of a pixel's mean ink that is none, its share of the deviation, and the unit of all
pixels together."""
TONE, TEXTURE, GROUP = 0.02, 0.01, 0.65
"""Differences of the shares in a group that are none, and the unit of a group together."""
GROUP_KIN = 0.25
UNLIKE, UNEVEN = 0.28, 0.5
"""Unit of the logarithm of distances to the nearest image, and their least relative deviation."""
VARIETY = {"down": 0.4, "right": 0.4, "slant": 0.05, "aspect": 0.1, "ink": 0.02}
"""Figures whose deviation between images is compared, and what is added to it."""
TOP = 12.0
"""Differences above this do not matter more."""
TRIED = 32
"""Images, about, that are changed on trial."""
ORDER = ("turn", "mix", "size", "place", "pen", "cover", "blur", "light", "noise", "order")
"""In which a picture comes about: what is drawn where, with what, in which light."""
TOLD = (
    *(feature.words for feature in FEATURES.values()),
    "tones are distributed differently",
    "neighbouring pixels go together differently",
    "the mean image is another",
    "the images differ more among themselves",
    "the images are like none of those of before",
)


@dataclass(frozen=True)
class Trial:
    """Images after some steps.

    Attributes:
        taken: The steps, in the order in which a picture comes about.
        look: What the images look like then.
        differences: From those that are seen, of all that `TOLD` names, float64 [F + 5], each in
            units of what may be by chance and for other writers' sake.
    """

    taken: tuple[Step, ...]
    look: Look
    differences: Floats

    @classmethod
    def of(cls, then: Look, now: Look, *taken: Step, every: bool = False) -> "Trial":
        """Take the steps and compare; with every image, or with some."""
        top = float(then.ink.max())
        if not 0 < top < 1.2:  # images that are standardised one by one have no highest level
            top = 1.0
        some = taken and not every
        ink = then.ink[:: max(1, len(then.ink) // TRIED) if some else 1] / top
        taken = tuple(sorted(taken, key=lambda step: ORDER.index(step.kind)))
        for step in taken:
            ink = step.do(ink)
        if np.ptp(ink) == 0:
            return cls(taken, then, np.full(len(TOLD), np.inf))
        levels = None if taken else 2 ** round(then.mean("levels"))
        look = Look.of(then.paper + then.depth * top * ink, levels, now.depth)
        return cls(taken, look, apart(look, now))

    @property
    def worst(self) -> float:
        """The largest difference."""
        return float(self.differences.max())

    @property
    def cost(self) -> float:
        """All differences together: their squares."""
        return _cost(self.differences)

    @property
    def kinds(self) -> set[str]:
        """Of the steps."""
        return {step.kind for step in self.taken}

    @property
    def words(self) -> tuple[str, ...]:
        """Of the steps."""
        return tuple(step.words for step in self.taken)

    def left(self, now: Look) -> tuple[str, ...]:
        """The largest differences, in words."""
        off = now.figures.mean(axis=0) - self.look.figures.mean(axis=0)
        told = [words.format(value) for words, value in zip(TOLD, off, strict=False)]
        told += TOLD[len(off) :]
        order = np.argsort(-self.differences)[:4]
        largest = [n for n in order if self.differences[n] > ALIKE / 2] or order[:1]
        return tuple(told[n] for n in largest)


def _cost(differences: Floats) -> float:
    return float((differences.clip(0, TOP) ** 2).sum())


def apart(look: Look, now: Look) -> Floats:
    """Compared as they are, and as if the nearest of each image were all there is.

    The second makes up for other shares of the classes; the better one counts.
    """
    before, after = (softened(centred(side)) for side in (look, now))
    away, closest = nearest(after, before)
    among, _ = nearest(before, before, itself=False)
    # Some kinds of digits are less like each other than others: also against where they are.
    far = min(_ratio(away, among), _ratio(away, among[closest]))
    uneven = max(UNEVEN, float(away.std() / max(float(away.mean()), 1e-9)))
    unlike = max(0.0, far) / np.hypot(UNLIKE, uneven / np.sqrt(len(away)))
    best = min((means_apart(look, now, which) for which in (None, closest)), key=_cost)
    result: Floats = np.concatenate([best, [_varied(look, now), unlike]])
    return result


def _ratio(first: Floats, second: Floats) -> float:
    return float(np.log(max(float(first.mean()), 1e-9) / max(float(second.mean()), 1e-9)))


def means_apart(look: Look, now: Look, closest: NDArray[np.int64] | None = None) -> Floats:
    """Differences of means, float64 [F + 3].

    Args:
        look: N images before.
        now: M images.
        closest: Of each of the M, the one of the N to compare it with, [M]; None compares all.
    """
    few = np.sqrt(1 + 3 / len(now.figures))
    least = np.array([feature.least for feature in FEATURES.values()]) * few
    kin = np.array([feature.kin for feature in FEATURES.values()])
    figures = _off(look.figures, now.figures, closest, kin, least)
    groups = [
        _length(_off(look.tones, now.tones, closest, GROUP_KIN, TONE * few)) / GROUP,
        _length(_off(look.texture, now.texture, closest, GROUP_KIN, TEXTURE * few)) / GROUP,
        _length(_off(look.ink, now.ink, closest, PIXEL_KIN, PIXEL)) / (PICTURE * few**2),
    ]
    result: Floats = np.append(figures, groups)
    return result


def _off(
    before: Floats,
    after: Floats,
    closest: NDArray[np.int64] | None,
    kin: Floats | float,
    least: Floats | float,
) -> Floats:
    """By how much means differ, of N and of M images, in units of what may be."""
    if closest is None:
        off = np.abs(before.mean(axis=0) - after.mean(axis=0))
        deviation = np.maximum(before.std(axis=0), after.std(axis=0))
        single, repeated = deviation, 1 / len(before)
    else:
        pairs = after - before[closest]
        off = np.abs(pairs.mean(axis=0))
        deviation = np.maximum(before[closest].std(axis=0), after.std(axis=0))
        single = pairs.std(axis=0)
        repeated = float((np.bincount(closest) ** 2).sum()) / len(closest) ** 2
    by_chance = single**2 * (repeated + 2 / len(after))  # tails are heavy
    result: Floats = off / np.sqrt(np.square(least) + (kin * deviation) ** 2 + by_chance)
    return result


def _length(values: Floats) -> float:
    return float(np.sqrt((values**2).mean()))


def _varied(look: Look, now: Look) -> float:
    """How much more the images seen differ among themselves: each elsewhere, each turned."""
    columns = [list(FEATURES).index(name) for name in VARIETY]
    least = np.array(list(VARIETY.values()))
    before, after = (np.std(side.figures[:, columns], axis=0) + least for side in (look, now))
    chance = np.hypot(0.15, 1.3 / np.sqrt(len(now.figures)))
    return float(np.log(after / before).max().clip(0) / chance)
