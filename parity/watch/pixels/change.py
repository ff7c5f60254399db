"""What happened to images between two places: known changes are tried and compared (NumPy only).

Whatever may have been done is done to examples of the images as they were. The fewest steps after
which those look like the images as they are now are the explanation; where no steps do, or several
do equally well, what is different is said, and that it is not known why.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from parity.watch.fingerprint import Fingerprint
from parity.watch.pixels.cover import framed
from parity.watch.pixels.levels import CLOSE, level_words, of_own_range, on_one_paper
from parity.watch.pixels.light import WRAPPED
from parity.watch.pixels.look import Look
from parity.watch.pixels.order import shuffled
from parity.watch.pixels.parts import parts
from parity.watch.pixels.rivals import Found
from parity.watch.pixels.search import EXACT, search
from parity.watch.pixels.trial import Trial

STAINED = 0.05
"""Grain, and pixels beyond the paper, from which on grey levels alone are not compared."""
FEW = 8
"""Grey levels in which nothing can be told but their range."""


@dataclass(frozen=True)
class Change:
    """What was done to the pixels, as far as it is known.

    Attributes:
        steps: In words that follow "the pixels". All that was done, or, where that does not
            explain what is seen, the nearest that is known.
        known: Whether it explains what is seen.
        left: The largest difference that is left, in units of what may be by chance and for other
            writers' sake: below 2 it is none.
        rest: What differs still, in words; empty where all is known.
        rival: What explains it about as well as the steps do; neither is known then.
        part: Of which images it is true, in words that follow "the pixels"; empty of all.
    """

    steps: tuple[str, ...]
    known: bool = True
    left: float = 0.0
    rest: tuple[str, ...] = ()
    rival: tuple[str, ...] = ()
    part: str = ""

    def __str__(self) -> str:
        """In words that follow "the pixels"."""
        return f"{self.part} {self._of_those}".lstrip()

    @property
    def _of_those(self) -> str:
        if self.known:
            return _joined(self.steps)
        if self.rival:
            either = f"they {_joined(self.steps)}, or they {_joined(self.rival)}"
            return f"differ, and I do not know which of two things was done: {either}"
        nearest = f"; the nearest that is known: they {_joined(self.steps)}" if self.steps else ""
        return f"differ, and I do not know how it came about: {', '.join(self.rest)}{nearest}"


def _joined(steps: tuple[str, ...]) -> str:
    if len(steps) == 1:
        return steps[0]
    short = [words.partition(":")[0] for words in steps]
    return ", ".join(short[:-1]) + " and " + short[-1]


@lru_cache
def change(expected: Fingerprint, seen: Fingerprint) -> Change | None:
    """What was done to the pixels, of all images or of some; None where nothing was.

    Args:
        expected: Of the images as they should be.
        seen: Of the images as they are.
    """
    of_all = _of_all(expected, seen)
    blank = expected.finite < 1 or seen.finite < 1 or expected.maximum == expected.minimum
    if blank or (of_all is not None and of_all.known):
        return of_all
    examples = seen.examples
    for chosen, words in parts(examples, scattered=of_all is not None):
        rest, some = (Fingerprint.of(examples[which]) for which in (~chosen, chosen))
        if _too_coarse(rest, seen, expected) or _unchanged(expected, rest):
            told = _of_all(expected, some)
            if told is not None and (told.known or of_all is not None):
                return replace(told, part=words)
    return of_all


def _unchanged(expected: Fingerprint, seen: Fingerprint) -> bool:
    """Whether nothing was done to them; nothing is searched for where they are another sight."""
    before, after = of_own_range(expected), of_own_range(seen)
    if not (np.ptp(before) > 0 and np.ptp(after) > 0):
        return False
    start = Trial.of(Look.of(before, expected.levels), Look.of(after, seen.levels), images=None)
    return start.near and _of_all(expected, seen) is None


def _too_coarse(rest: Fingerprint, seen: Fingerprint, expected: Fingerprint) -> bool:
    """Whether images of the range expected are kept in a few levels, beside much larger ones."""
    off = max(abs(rest.maximum - expected.maximum), abs(rest.minimum - expected.minimum))
    return rest.maximum - rest.minimum <= FEW * seen.level and off <= seen.level


def _of_all(expected: Fingerprint, seen: Fingerprint) -> Change | None:
    if expected.finite < 1 or (seen.finite == 1 and expected.maximum == expected.minimum):
        return None
    if seen.finite < 1:
        return Change((f"hold values that are not finite ({1 - seen.finite:.2%})",))
    if seen.maximum == seen.minimum:
        return Change(("are blank: every pixel has the same value",))
    before, after = of_own_range(expected), of_own_range(seen)
    if _same(expected, seen):
        return None
    if len(after) > 1 and _one(after, seen) and not _one(before, expected):
        return Change(("are the same in all images",))
    frame = framed(after, before)
    covers = () if frame is None else (frame[1],)
    then = Look.of(before, expected.levels)
    now = Look.of(after if frame is None else frame[0], seen.levels)
    start = Trial.of(then, now, *covers, images=None)
    order = shuffled(start.look, now)
    if order is not None:
        said = (level_words(then, now, expected, seen, exact=True), *start.words, order)
        return Change(tuple(words for words in said if words is not None))
    return _told(search(start, then, now), now, expected, seen)


def _told(found: Found, now: Look, expected: Fingerprint, seen: Fingerprint) -> Change | None:
    best = found.trial
    close = 2 * CLOSE if any(step.kind != "turn" for step in best.taken) else CLOSE
    exact = close == CLOSE and best.worst < EXACT
    levels = level_words(best.look, now, expected, seen, close, exact=exact)
    said = (*(() if levels is None else (levels,)), *found.words)
    # Of images of the range expected, ink that is darker than the steps leave it was not scaled.
    narrow = seen.maximum - seen.minimum < 1.02 * (expected.maximum - expected.minimum)
    darker = narrow and abs(now.depth) > (1 + close) * abs(best.look.depth)
    sound = levels is None or (not darker if best.taken else on_one_paper(best.look, now))
    if not found.explains or not sound:
        return Change(said, False, best.worst, best.left(now), found.rival)
    if (most := _levels_left(best)) is not None and seen.levels > most:
        rest = (f"there are {seen.levels} grey levels, of which that leaves {most}",)
        return Change(said, False, best.worst, rest)
    return Change(said, left=best.worst) if said else None


def _levels_left(trial: Trial) -> int | None:
    """How many of 256 grey levels are left after arithmetic in integers and nothing else."""
    if len(trial.taken) != 1 or not trial.words[0].startswith(WRAPPED):
        return None
    levels = np.arange(256).reshape(1, 16, 16) / 255
    return len(np.unique(np.round(trial.taken[0].do(levels) * 255)))


def levels_alone(expected: Fingerprint, seen: Fingerprint) -> Change | None:
    """What was done to the grey levels, of images that may show something else on sound paper."""
    then, now = Look.of(expected.examples), Look.of(seen.examples, seen.levels)
    stained = any(now.mean(name) > then.mean(name) + STAINED for name in ("noise", "beyond"))
    if stained or not on_one_paper(then, now):
        return None
    words = level_words(then, now, expected, seen, 2 * CLOSE)
    return None if words is None else Change((words,))


def _same(expected: Fingerprint, seen: Fingerprint) -> bool:
    """Whether they are of the very same images, but for rounding: needs no trials."""
    first, second = expected.examples, seen.examples
    alike = first.shape == second.shape
    return alike and float(np.abs(first - second).max()) < 1.5 * expected.level


def _one(examples: np.ndarray, print_: Fingerprint) -> bool:
    """Whether all examples are one image."""
    return float(np.ptp(examples, axis=0).max()) < 1.5 * print_.level
