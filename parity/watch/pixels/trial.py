"""Images as they would be after some steps, held against those that are seen (NumPy only)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from parity.watch.pixels.figures import FEATURES
from parity.watch.pixels.likeness import nearest, softened
from parity.watch.pixels.look import Floats, Look
from parity.watch.pixels.turns import Step

ALIKE = 2.4
"""Largest difference, in its own unit, of images that look the same."""
FITS = 1.7
"""The same after a step that explains all there is."""
STRICT = 1.4
"""The same after several steps, which may fit by chance."""
UNCERTAIN, UNCERTAIN_COST = 3.0, 30.0
"""Largest difference, and cost, of images of one class from the few of their kind."""
FEW = 20
"""Images that are the nearest to most others; of all ten classes they are more."""
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
ORDER = ("turn", "mix", "size", "place", "pen", "cover", "cut", "blur", "light", "noise", "order")
"""In which a picture comes about: what is drawn where, with what, in which light."""
_VARYING = [list(FEATURES).index(name) for name in VARIETY]
_LEAST_VARIETY = np.array(list(VARIETY.values()))
_COLUMNS = (len(FEATURES), 6, 18)
"""Of `Look.values`, before the ink: figures, tones, texture."""
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
    def of(cls, then: Look, now: Look, *taken: Step, images: int | None = TRIED) -> "Trial":
        """Take the steps and compare; with so many images, about, or with all."""
        return cls.each(then, now, [taken], images)[0]

    @classmethod
    def each(
        cls, then: Look, now: Look, ways: Sequence[tuple[Step, ...]], images: int | None = TRIED
    ) -> list["Trial"]:
        """The same of several ways, measured together."""
        top = float(then.ink.max())
        if not 0 < top < 1.2:  # images that are standardised one by one have no highest level
            top = 1.0
        tried, seen = [], []
        for way in ways:
            taken = tuple(sorted(way, key=lambda step: ORDER.index(step.kind)))
            apart_by = 1 if images is None or not taken else max(1, len(then.ink) // images)
            ink = then.ink[::apart_by] / top
            for step in taken:
                ink = step.do(ink)
            tried.append((taken, np.ptp(ink) > 0))
            if tried[-1][1]:
                seen.append(then.paper + then.depth * top * ink)
        levels = None if all(ways) else 2 ** round(then.mean("levels"))
        looks = iter(Look.each(seen, levels, now.depth) if seen else ())
        return [
            cls._compared(taken, next(looks), now)
            if drawn
            else cls(taken, then, np.full(len(TOLD), np.inf))
            for taken, drawn in tried
        ]

    @classmethod
    def _compared(cls, taken: tuple[Step, ...], look: Look, now: Look) -> "Trial":
        shaped = any(step.kind in ("turn", "size") for step in taken)
        return cls(taken, look, apart(look, now, shaped=shaped))

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

    @property
    def near(self) -> bool:
        """Whether what is left may be a matter of few images, or of one class."""
        return self.worst < UNCERTAIN and self.cost < UNCERTAIN_COST

    def may_be_chance(self, now: Look) -> bool:
        """Whether those that are seen resemble few of these images, as one class does, and well."""
        alike = self.near and self.differences[-1] <= ALIKE / 2
        return bool(alike) and _repeated(nearest(softened(now), softened(self.look))[1]) > 1 / FEW

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


def apart(look: Look, now: Look, *, shaped: bool = False) -> Floats:
    """Compared as they are, and as if the nearest of each image were all there is.

    The second makes up for other shares of the classes; the better one counts. Where all were
    turned or stretched alike, they still lean as differently as they did.
    """
    before, after = softened(look), softened(now)
    away, closest = nearest(after, before)
    among, _ = nearest(before, before, itself=False)
    # Some kinds of digits are less like each other than others: also against where they are.
    far = min(_ratio(away, among), _ratio(away, among[closest]))
    uneven = max(UNEVEN, float(away.std() / max(float(away.mean()), 1e-9)))
    unlike = max(0.0, far) / np.hypot(UNLIKE, uneven / np.sqrt(len(away)))
    best = min((means_apart(look, now, which) for which in (None, closest)), key=_cost)
    varied = max(_varied(look, now), _upright(look, now, closest) if shaped else 0.0)
    result: Floats = np.concatenate([best, [varied, unlike]])
    return result


def _ratio(first: Floats, second: Floats) -> float:
    with np.errstate(divide="ignore"):  # a single image is endlessly far from the others
        return float(np.log(max(float(first.mean()), 1e-9) / max(float(second.mean()), 1e-9)))


def means_apart(look: Look, now: Look, closest: NDArray[np.int64] | None = None) -> Floats:
    """Differences of means, float64 [F + 3].

    Args:
        look: N images before.
        now: M images.
        closest: Of each of the M, the one of the N to compare it with, [M]; None compares all.
    """
    few = np.sqrt(1 + 3 / len(now.figures))
    pixels = look.ink[0].size
    least, kin = _units(pixels)
    least = least * np.repeat([few, 1.0], [sum(_COLUMNS), pixels])
    if closest is None:
        off = np.abs(look.means - now.means)
        deviation = np.maximum(look.deviations, now.deviations)
        single, repeated = deviation, 1 / len(look.figures)
    else:
        off, before, single = _of_pairs(look, now, closest)
        deviation = np.maximum(before, now.deviations)
        repeated = _repeated(closest)
    by_chance = single**2 * (repeated + 2 / len(now.figures))  # tails are heavy
    off /= np.sqrt(least**2 + (kin * deviation) ** 2 + by_chance)
    figures, *groups = np.split(off, np.cumsum(_COLUMNS))
    units = (GROUP, GROUP, PICTURE * few**2)
    lengths = [_length(group) / unit for group, unit in zip(groups, units, strict=True)]
    result: Floats = np.append(figures, lengths)
    return result


def _repeated(closest: NDArray[np.int64]) -> float:
    """Share of a mean that is one image's: 1 / N where each of N is as often the closest."""
    return float((np.bincount(closest) ** 2).sum()) / len(closest) ** 2


def _of_pairs(look: Look, now: Look, closest: NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
    """Mean difference, without its sign, deviation of the images before, and of the differences."""
    count = len(closest)
    shares = np.bincount(closest, minlength=len(look.figures)) / count
    mean, square = shares @ look.values, shares @ look.squares
    both = np.einsum("mv,mv->v", look.values[closest], now.values) / count
    apart = now.means - mean
    variance = square - mean**2
    off = square + now.mean_squares - 2 * both - apart**2
    return np.abs(apart), np.sqrt(variance.clip(0)), np.sqrt(off.clip(0))


@lru_cache
def _units(pixels: int) -> tuple[Floats, Floats]:
    """Of `Look.values`: what is no difference, and the share of the deviation that is none."""
    counts = np.array([*[1] * len(FEATURES), *_COLUMNS[1:], pixels])
    least = [*(feature.least for feature in FEATURES.values()), TONE, TEXTURE, PIXEL]
    kin = [*(feature.kin for feature in FEATURES.values()), GROUP_KIN, GROUP_KIN, PIXEL_KIN]
    return np.repeat(least, counts), np.repeat(kin, counts)


def _length(values: Floats) -> float:
    return float(np.sqrt((values**2).mean()))


def _upright(look: Look, now: Look, closest: NDArray[np.int64]) -> float:
    """How much less the images seen differ in how far they lean: each was set upright."""
    column, least = list(FEATURES).index("slant"), VARIETY["slant"]
    before = np.std(look.figures[closest, column]) + least
    after = np.std(now.figures[:, column]) + least
    return float(np.log(before / after).clip(0) / _chance(now))


def _chance(now: Look) -> float:
    """Of the logarithm of a ratio of deviations."""
    return float(np.hypot(0.15, 1.3 / np.sqrt(len(now.figures))))


def _varied(look: Look, now: Look) -> float:
    """How much more the images seen differ among themselves: each elsewhere, each turned."""
    before, after = (side.deviations[_VARYING] + _LEAST_VARIETY for side in (look, now))
    return float(np.log(after / before).max().clip(0) / _chance(now))
