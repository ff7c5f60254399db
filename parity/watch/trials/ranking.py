"""Which causes are named, and in which order: those whose remedy helps first (NumPy only)."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Protocol

from parity.watch.check import Belief, Change, Match, Remedy
from parity.watch.check.program import Task
from parity.watch.trials.material import Material

SECONDS = 10.0
"""For all trials together."""
STEPS = 200
"""Of a trial, at most."""
LEAST = 10
"""Steps that a trial must have taken to say anything."""
HELPS = 0.1
"""Of a score, from which on a remedy helps; chance makes 0.04 of a few hundred samples."""
LUCKY = 1.5
"""Samples more that are right by luck, at most."""
BEST, CLOSE = 2, 0.75
"""Causes that only a trial shows, of which so many are named at most, and the part of the best gain
that another must bring to be named beside it."""
SOONER = 8
"""Part of the steps after which it is looked who is ahead, where all end well."""
AS_IT_IS = Remedy("as it is")


class Trial(Protocol):
    """Trains copies of one network, from its initial weights; see `Outcome`."""

    task: Task
    material: Material
    runs: bool
    """Whether the program gets through a step as it is."""

    def run(self, remedy: Remedy, steps: int, seconds: float) -> tuple[float, int]:
        """Train with a remedy; gives the score, as `material.score`, and the steps taken.

        Raises:
            ValueError: the remedy cannot be applied to this network.
        """
        ...


@dataclass(frozen=True)
class Tried:
    """What trials have brought.

    Attributes:
        matches: Causes to name, in order.
        lines: What was tried, for people.
        gain: What the best remedy brings of a score.
        base: The score as it is; None where there is none.
    """

    matches: list[Match]
    lines: list[str] = field(default_factory=list)
    gain: float = 0.0
    base: float | None = None


@dataclass(frozen=True)
class Scores:
    """What the same steps have brought with each remedy.

    Attributes:
        steps: Of each trial.
        base: Score as it is; None where it cannot even be trained.
        found: By remedy.
        least: Of a gain, from which on a remedy helps.
    """

    steps: int
    base: float | None
    found: dict[Remedy, float]
    least: float

    def gain(self, match: Match) -> float | None:
        """What the remedy of a cause brings; None where it was not tried.

        Answers that explain less than the mean are worth nothing, however bad they are.
        """
        score = None if match.remedy is None else self.found.get(match.remedy)
        return None if score is None else max(score, 0.0) - max(self.base or 0.0, 0.0)

    def helps(self, match: Match) -> bool:
        """Whether that is no chance."""
        gain = self.gain(match)
        return gain is not None and gain >= self.least


def tried(
    trial: Trial, matches: Sequence[Match], seconds: float = SECONDS, steps: int = STEPS
) -> Tried:
    """Try the remedy of each cause and rank the causes by what it brings.

    A likely cause whose remedy brings nothing is not named, nor is one that only may be; a mistake
    is named last then. Where all ends well, it counts how fast it does.

    Args:
        trial: Trains copies.
        matches: Causes, however sure.
        seconds: For all of it.
        steps: Of each trial, at most.
    """
    remedies = list(dict.fromkeys(m.remedy for m in matches if m.remedy is not None))
    likely = [match for match in matches if match.belief >= Belief.LIKELY]
    if not remedies:
        return Tried(likely)
    end = time.monotonic() + seconds
    try:
        scores = _scores(trial, remedies, steps, end)
        if not any(map(scores.helps, matches)):
            together = _together([match.remedy for match in likely])
            if together is not None:
                whole = _scores(trial, [together], scores.steps, end)
                if whole.found.get(together, -1.0) - (whole.base or 0.0) >= HELPS:
                    gain = whole.found[together] - (whole.base or 0.0)
                    return Tried(likely, [_line(trial.task, together, whole)], gain)
        # Rare classes are learned later than others, and that is no mistake.
        slow = [m for m in likely if not (m.remedy and Change.BALANCED in m.remedy)]
        if not any(map(scores.helps, matches)) and (scores.base or 0.0) > 0.5 and slow:
            sooner = replace(
                _scores(trial, remedies, max(scores.steps // SOONER, LEAST), end), least=2 * HELPS
            )
            if any(map(sooner.helps, slow)):
                return _ranked(trial.task, likely, sooner)
    except TimeoutError:
        return Tried(likely, ["not tried: a step takes too long"])
    except LookupError:
        return Tried(likely)
    return _ranked(trial.task, matches, scores) if scores.found else Tried(likely)


def _scores(trial: Trial, remedies: Sequence[Remedy], steps: int, end: float) -> Scores:
    """Train as it is, and then as many steps with each remedy.

    Raises:
        TimeoutError: a step takes too long.
        LookupError: the program trains, and a copy of it does not.
    """
    share = (end - time.monotonic()) / (len(remedies) + 1)
    base: float | None = None
    try:
        base, steps = trial.run(AS_IT_IS, steps, share)
    except Exception as error:  # a model is anyone's code: its loss, say, refuses the targets
        if trial.runs:
            raise LookupError("what the program does cannot be repeated") from error
    if steps < LEAST:
        raise TimeoutError
    found = {}
    for place, remedy in enumerate(remedies):
        left = max((end - time.monotonic()) / (len(remedies) - place), 0.1)
        with suppress(Exception):  # where it cannot be applied to this network
            score, taken = trial.run(remedy, steps, left)
            if taken >= min(steps, LEAST):
                found[remedy] = score
    return Scores(steps, base, found, max(HELPS, LUCKY / len(trial.material.held)))


def _together(remedies: Sequence[Remedy | None]) -> Remedy | None:
    """All of them in one; None where there are not several."""
    found = list(dict.fromkeys(remedy for remedy in remedies if remedy is not None))
    if len(found) < 2:
        return None
    whole = found[0]
    for remedy in found[1:]:
        plain = {n: v for n, v in vars(remedy).items() if v not in ("", False, None)}
        whole = replace(whole, **plain)
    return replace(whole, words="with all of this changed")


def _ranked(task: Task, matches: Sequence[Match], scores: Scores) -> Tried:
    def place(match: Match) -> tuple[int, float]:
        gain = scores.gain(match)
        if gain is None:
            return 1, -float(match.belief)
        return (3 if not scores.helps(match) else 0 if match.belief else 2), -gain

    named = [
        match
        for match in matches
        if (scores.helps(match) and match.belief)
        or match.belief is Belief.SURE
        or (match.belief is Belief.LIKELY and scores.gain(match) is None)
    ]
    if not any(map(scores.helps, named)):
        may_be = [match for match in matches if not match.belief and scores.helps(match)]
        best: dict[str, Match] = {}
        for match in sorted(may_be, key=place):
            best.setdefault(match.cause, match)
        most = max((scores.gain(match) or 0.0 for match in best.values()), default=0.0)
        close = [m for m in best.values() if (scores.gain(m) or 0.0) >= CLOSE * most]
        if len(close) > 1:  # a larger network learns more in any case
            close = [
                match for match in close if not (match.remedy and Change.DEEPER in match.remedy)
            ]
        named += close[:BEST]
    named.sort(key=place)
    named = list({match.cause: match for match in reversed(named)}.values())[::-1]
    helping = [match.remedy for match in named if match.remedy and scores.helps(match)]
    lines = [_line(task, remedy, scores) for remedy in dict.fromkeys(helping)]
    if not helping and any(scores.gain(m) is not None for m in named) and scores.base is not None:
        words = ", ".join(remedy.words for remedy in scores.found)
        good = scores.base > 0.9
        first = "it makes no difference here" if good else "nothing that was tried helps"
        lines = [f"{first} ({words}): {told(task, scores.base)} after {scores.steps} steps"]
    gains = [gain for match in named if (gain := scores.gain(match)) is not None]
    return Tried(named, lines, max(gains, default=0.0), scores.base)


def _line(task: Task, remedy: Remedy, scores: Scores) -> str:
    as_it_is = (
        "it cannot be trained"
        if scores.base is None
        else told(task, scores.base).removeprefix("reads ").removeprefix("explains ")
    )
    return (
        f"tried: {remedy.words} the same network {told(task, scores.found[remedy])} after "
        f"{scores.steps} steps; as it is, {as_it_is}"
    )


def told(task: Task, score: float) -> str:
    """A score in words."""
    if task == "values":
        return f"explains {max(score, 0):.0%} of the targets' variance"
    return f"reads {score:.0%}"
