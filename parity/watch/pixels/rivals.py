"""What explains images about as well as the best explanation does (NumPy only)."""

from dataclasses import dataclass

from parity.watch.pixels.light import WRAPPED
from parity.watch.pixels.trial import STRICT, Trial
from parity.watch.pixels.turns import Step

CLEARLY = 1.5
"""Ratio of the costs by which an explanation must be better than one of another kind."""
RESEMBLES = {"pen": "light"}
"""Kinds of steps, and the kind that makes nearly the same of strokes when it is measured."""


@dataclass(frozen=True)
class Found:
    """The best explanation.

    Attributes:
        trial: What it is.
        explains: Whether it explains what is seen, and nothing else does as well.
        rival: What else does, in words.
        alike: What one of the steps can hardly be told from, in words; empty where there is none.
    """

    trial: Trial
    explains: bool
    rival: tuple[str, ...] = ()
    alike: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        """Of the steps, with what they can hardly be told from."""
        if not self.alike:
            return self.trial.words
        either = {s.words: f"{s.name}, or {self.alike}" for s in self.trial.taken if s.like}
        return tuple(
            words.replace(words.partition(":")[0], either.get(words, words.partition(":")[0]))
            for words in self.trial.words
        )


def best_among(fits: list[Trial], tried: list[Trial]) -> Found:
    """The best, or what is common and fits about as well; of what looks alike both are told."""
    close = (trial for trial in fits if trial.cost <= CLEARLY * fits[0].cost)
    best = min(close, key=is_rare)
    rival = rival_of(best, [t for t in tried if is_rare(best) or not is_rare(t)])
    alike = [t for t in fits if t.cost <= CLEARLY * best.cost and name_of(t) == name_of(best)]
    best = min(alike, key=lambda trial: not any(step.degrees for step in trial.taken))
    told = {step.name for step in best.taken}
    others = [step.name for t in alike for step in t.taken if step.like and step.name not in told]
    return Found(best, not rival, rival, ", or ".join(dict.fromkeys(others)))


def as_common(fits: list[Trial], tried: list[Trial]) -> list[Trial]:
    """Rotations that do about as well as a rarer turn, which fits, but leaves something as well."""
    rare = not any(step.degrees for trial in fits for step in trial.taken)
    if not rare or fits[0].worst < STRICT:
        return []
    return [
        trial
        for trial in tried
        if trial not in fits
        and trial.cost < CLEARLY * fits[0].cost
        and name_of(trial) == name_of(fits[0])
        and any(step.degrees for step in trial.taken)
    ]


def rival_of(best: Trial, others: list[Trial]) -> tuple[str, ...]:
    """What else explains it about as well; empty where nothing does."""
    for other in others:
        if other.cost < CLEARLY * best.cost and name_of(other) != name_of(best):
            return other.words
    return ()


def is_rare(trial: Trial) -> bool:
    """Whether one of its steps is."""
    return any(step.rare for step in trial.taken)


def of_a_sort(step: Step, other: Step) -> bool:
    """Whether it is the same but for how much, of the kind of a rare one, or a gamma for a pen."""
    resembles = step.kind == RESEMBLES.get(other.kind) and step.measured
    return step.name == other.name or (step.kind == other.kind and other.rare) or resembles


def wraps(trial: Trial) -> bool:
    """Whether one of its steps is arithmetic in integers."""
    return any(words.startswith(WRAPPED) for words in trial.words)


def name_of(trial: Trial) -> set[str]:
    """What was done, but for how much; arithmetic in integers is another with another factor."""
    return {
        step.words if step.words.startswith(WRAPPED) else step.like or step.name
        for step in trial.taken
    }
