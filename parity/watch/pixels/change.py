"""What happened to images between two places, in words: known changes are tried and compared.

Whatever may have been done is done to examples of the images as they were. The fewest steps after
which those look like the images as they are now are the explanation; where no steps do, what is
different is said, and that it is not known why.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from parity.watch.fingerprint import Fingerprint
from parity.watch.pixels.levels import CLOSE, level_words
from parity.watch.pixels.likeness import centred, nearest, softened, turned
from parity.watch.pixels.look import FEATURES, Floats, Look
from parity.watch.pixels.transforms import steps
from parity.watch.pixels.turns import Step

UNKNOWN = "differ, and I do not know how it came about"
"""What `change` begins with where no steps explain it."""
ALIKE = 3.0
"""Largest difference of a feature, in its own unit, of images that look the same."""
FITS = 2.2
"""The same after steps that explain all there is: what merely resembles it exceeds 2.3."""
STRICT = 1.6
"""The same after as many steps as are tried, which may fit by chance."""
KIN = 0.25
"""Share of the deviation between images by which their mean may differ for other writers' sake."""
UNLIKE = 0.22
"""Unit of the logarithm of distances to the nearest image."""
PIXEL, PIXEL_KIN, PICTURE = 0.02, 0.1, 0.45
"""Difference of a pixel's mean ink that is none, its `KIN`, and the unit of all pixels together."""
VARIES = 0.5
"""Relative deviation of those distances, at least."""
TRIED = 32
"""Images, about, that are changed on trial."""
DEEPEST = 3
"""Steps at most that are put together."""
BEAM = 3
"""Explanations that are kept from one number of steps to the next."""
SHORTLIST = 4
"""Steps of a kind that are tried together with others."""
MEASURED = ("size", "place")
"""Kinds of steps that are measured anew each time."""
ORDER = ("turn", "size", "place", "pen", "blur", "light", "noise")
"""In which a picture comes about: what is drawn where, with what, in which light."""


@lru_cache
def change(expected: Fingerprint, seen: Fingerprint) -> str | None:
    """What was done to the pixels, in words that follow "the pixels"; None where nothing was.

    Args:
        expected: Of the images as they should be.
        seen: Of the images as they are.
    """
    if expected.finite < 1:
        return None
    if seen.finite < 1:
        return f"hold values that are not finite ({1 - seen.finite:.2%})"
    if expected.maximum == expected.minimum:
        return None
    if seen.maximum == seen.minimum:
        return "are blank: every pixel has the same value"
    if _same(expected, seen):
        return None
    then, now = Look.of(expected.examples), Look.of(seen.examples, seen.levels)
    best = _explain(then, now)
    close = 2 * CLOSE if any(step.kind != "turn" for step in best.taken) else CLOSE
    levels = level_words(best.look, now, expected, close)
    said = [step.words for step in best.taken]
    said = ([levels] if levels is not None else []) + said
    if best.explains:
        return _joined(said) if said else None
    nearest = f"; the nearest that is known: they {_joined(said)}" if said else ""
    return f"{UNKNOWN}: {_told(best, now)}{nearest}"


def levels_alone(expected: Fingerprint, seen: Fingerprint) -> str | None:
    """What was done to the grey levels, in words; of images that may show something else."""
    then, now = Look.of(expected.examples), Look.of(seen.examples, seen.levels)
    return level_words(then, now, expected, 2 * CLOSE)


def _same(expected: Fingerprint, seen: Fingerprint) -> bool:
    """Whether they are of the very same images, but for rounding: needs no trials."""
    first, second = expected.examples, seen.examples
    level = (expected.maximum - expected.minimum) / 255
    return first.shape == second.shape and float(np.abs(first - second).max()) < 1.5 * level


def _joined(said: list[str]) -> str:
    if len(said) == 1:
        return said[0]
    short = [words.partition(":")[0] for words in said]
    return ", ".join(short[:-1]) + " and " + short[-1]


@dataclass(frozen=True)
class _Trial:
    """Images as they would be after some steps, beside those that are seen.

    Attributes:
        taken: The steps, in the order in which a picture comes about.
        look: What the images look like then.
        differences: By how much each feature still differs, in its own unit, float64 [F + 2]; the
            last two are how far the mean image is from the one that is seen, and how far the images
            that are seen are from the nearest of these.
    """

    taken: tuple[Step, ...]
    look: Look
    differences: Floats

    @classmethod
    def of(cls, then: Look, now: Look, *taken: Step) -> "_Trial":
        """Take the steps and compare."""
        top = float(then.ink.max())
        if not 0 < top < 1.2:  # images that are standardised one by one have no highest level
            top = 1.0
        ink = then.ink[:: max(1, len(then.ink) // TRIED) if taken else 1] / top
        taken = tuple(sorted(taken, key=lambda step: ORDER.index(step.kind)))
        for step in taken:
            ink = step.do(ink)
        if np.ptp(ink) == 0:
            return cls(taken, then, np.full(len(FEATURES) + 2, np.inf))
        look = Look.of(then.paper + then.depth * top * ink)
        return cls(taken, look, _apart(look, now))

    @property
    def worst(self) -> float:
        return float(self.differences.max())

    @property
    def explains(self) -> bool:
        """Whether the images look alike; after steps, more closely so."""
        limit = ALIKE if not self.taken else FITS if len(self.taken) < DEEPEST else STRICT
        return self.worst < limit

    @property
    def cost(self) -> float:
        return float((self.differences.clip(0, 4 * ALIKE) ** 2).sum())


def _apart(look: Look, now: Look) -> Floats:
    """Compared as they are, and as if the nearest of each image were all there is.

    The second makes up for other shares of the classes; the better one counts.
    """
    before, after = (softened(centred(side)) for side in (look, now))
    apart, closest = nearest(after, before)
    among, _ = nearest(before, before, itself=False)
    far = np.log(max(float(apart.mean()), 1e-9) / max(float(among.mean()), 1e-9))
    varies = max(VARIES, float(apart.std() / max(float(apart.mean()), 1e-9)))
    unlike = max(0.0, float(far)) / np.hypot(UNLIKE, varies / np.sqrt(len(apart)))
    even = np.full(len(before), 1 / len(before))
    matched = np.bincount(closest, minlength=len(before)) / len(closest)
    few = np.sqrt(1 + 3 / len(now.figures))
    results = []
    for shares in (even, matched):
        chance = KIN**2 + (shares**2).sum() + 2 / len(now.figures)  # tails are heavy
        least = np.array([least for _, least in FEATURES.values()]) * few
        figures = _off(look.figures, now.figures, shares, chance, least)
        chance += PIXEL_KIN**2 - KIN**2
        pixels = _off(look.ink, now.ink, shares, chance, np.array(PIXEL))
        results.append(np.append(figures, np.sqrt((pixels**2).mean()) / (PICTURE * few**2)))
    best = min(results, key=lambda values: float((values.clip(0, 4 * ALIKE) ** 2).sum()))
    result: Floats = np.append(best, unlike)
    return result


def _off(before: Floats, after: Floats, shares: Floats, chance: float, least: Floats) -> Floats:
    """By how much means differ, of N and of M images, in units of what may be."""
    mean = np.tensordot(shares, before, axes=1)
    spread = np.sqrt(np.tensordot(shares, (before - mean) ** 2, axes=1))
    deviation = np.maximum(spread, after.std(axis=0))
    off = np.abs(mean - after.mean(axis=0))
    result: Floats = off / np.sqrt(least**2 + deviation**2 * chance)
    return result


def _explain(then: Look, now: Look) -> _Trial:
    """The fewest steps after which the images look alike, else those that come nearest.

    Steps that leave the images turned are none. Of as many steps, a turn has evidence of its own.
    """
    upright = _search(_Trial.of(then, now), then, now)
    turn = turned(then, now)
    if turn is None:
        return upright
    other = _search(_Trial.of(then, now, turn), then, now)
    if turned(upright.look, now) is not None:
        return other
    return min(upright, other, key=lambda t: (not t.explains, len(t.taken), t is upright))


def _search(start: _Trial, then: Look, now: Look) -> _Trial:
    """One step more at a time; after the first, only those of each kind that did best alone."""
    best, beam = start, [start]
    worth: set[Step] | None = None
    for _ in range(DEEPEST):
        if best.explains:
            break
        tried = [
            _Trial.of(then, now, *trial.taken, step)
            for trial in beam
            for step in steps(trial.look, now)
            if step.kind not in {other.kind for other in trial.taken}
            and (worth is None or step in worth or step.kind in MEASURED)
        ]
        tried.sort(key=lambda trial: trial.cost)
        if worth is None:
            alone = [_new(trial, start) for trial in tried]
            worth = {
                step
                for kind in ORDER
                for step in [step for step in alone if step.kind == kind][:SHORTLIST]
            }
        beam = sorted([*tried, *beam], key=lambda trial: trial.cost)[:BEAM]
        fits = [trial for trial in tried if trial.explains]
        best = min(fits or beam, key=lambda trial: trial.cost)
    return best


def _new(trial: _Trial, start: _Trial) -> Step:
    return next(step for step in trial.taken if step not in start.taken)


def _told(trial: _Trial, now: Look) -> str:
    """The largest differences, in words."""
    off = now.figures.mean(axis=0) - trial.look.figures.mean(axis=0)
    told = [words.format(value) for (words, _), value in zip(FEATURES.values(), off, strict=True)]
    told.append("the mean image is another")
    told.append("the images are like none of those of before")
    order = np.argsort(-trial.differences)[:4]
    return ", ".join(told[n] for n in order if trial.differences[n] > ALIKE / 2)
