"""When a guard tries remedies, and what it says of them, whatever the framework (NumPy only)."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from parity.watch.alarm import Told
from parity.watch.check import Belief, Match, Program, causes_of
from parity.watch.check.data import STANDARDISED
from parity.watch.check.program import Array
from parity.watch.check.training import in_order
from parity.watch.check.words import findings_of, say
from parity.watch.diagnosis import Finding
from parity.watch.trials.departing import departed, untaught
from parity.watch.trials.faster import eased, learns_later, slow
from parity.watch.trials.material import FEW, Material, shrunk
from parity.watch.trials.ranking import HELPS, SECONDS, STEPS, Trial, Tried, tried
from parity.watch.trials.stall import MUCH, STALLED, explains, lifts
from parity.watch.trials.usual import usual

LARGEST = 20_000_000
"""Weights of which a copy is kept for trials, at most."""
STEPS_OF_FEW = 500
"""Of a trial on the four samples of an exclusive or, say: each is an epoch, and takes no time."""


class Prover(ABC):
    """Knows a program and its initial weights, and tries what may be wrong with it on a copy."""

    speaks = True
    """Whether this process prints."""

    def __init__(self) -> None:
        self.program: Program | None = None
        self.told: Told | None = None
        """Is told what is said."""
        self.unsure: bool | None = None
        """Whether what is held out was read no better than by chance; None where nothing is."""
        self._initial: Any = None
        self._found = Tried([])

    @abstractmethod
    def _trial(self) -> Trial | None:
        """What trains copies; None where that cannot be."""

    def _usual_trial(self) -> Trial | None:
        """What trains copies with a usual loss, where the program's own is not known."""
        return None

    @abstractmethod
    def _now(self) -> tuple[Array, Array | None]:
        """What the network answers now, [N, ...], and the targets of the same samples."""

    @abstractmethod
    def _plan(self) -> tuple[float, float] | None:
        """Learning rate at first and now, where a plan has changed it."""

    def prove(self) -> Tried | None:
        """Try everything that may help where nothing is learned; None where that cannot be."""
        program = self.program
        if program is not None:
            program = replace(program, plan=self._plan())
        said = self._found if self._found.matches else None
        if self._found.gain > 0 or program is None or self._initial is None:
            return said
        with suppress(Exception):  # a model is anyone's code, and must train all the same
            found = self._proved(program)
            return found if found.gain > 0 or said is None else said
        return said

    def _proved(self, program: Program) -> Tried:
        """What the facts bear out comes first; with less to try, each is tried for longer."""
        matches = causes_of(program, Belief.MAYBE)
        more = [*usual(program, matches), *(slow(program) if self._few else [])]
        if not matches:
            return self._tried(more)
        sure = any(match.belief is Belief.SURE for match in matches)
        found = self._tried(matches, SECONDS if sure else SECONDS / 2)
        if sure or self._lifts(program, found):
            return found
        others = self._tried(more, SECONDS / 2)
        found = others if others.gain > found.gain else found
        return self._eased(program, matches) or found if found.gain < HELPS else found

    def _eased(self, program: Program, matches: Sequence[Match]) -> Tried | None:
        """What helps together with Adam, where nothing helps alone; and whether it is Adam."""
        causes, least = eased(program, matches), 0.0
        for each in filter(None, (slow(program) if causes else [], causes)):
            found = self._tried(each, SECONDS / 2)
            if found.gain >= least and self._lifts(program, found):
                return found
            least = found.gain + HELPS  # beside Adam, a remedy brings more than it alone
        return None

    @property
    def _few(self) -> bool:
        """Whether there are hardly any samples, as the four of an exclusive or."""
        targets = self.program.targets if self.program is not None and self.program.whole else None
        return targets is not None and len(targets) < FEW

    def _lifts(self, program: Program, found: Tried) -> bool:
        targets = program.targets
        if targets is None or program.task is None:
            return found.gain >= MUCH
        return lifts(program, targets, found)

    def proved(self) -> tuple[list[Finding], list[str]]:
        """What `prove` brings, for an alarm."""
        found, program = self.prove(), self.program
        if program is None:
            return [], []
        if program.loss is None and not (found and found.matches):
            with suppress(Exception):
                targets = self._now()[1]
                found = None if targets is None else untaught(program, self._usual_trial(), targets)
        elif found is not None and not explains(program, found):
            found = self._around(program, found)
        self._found = found if found is not None and found.matches else self._found
        return ([], []) if found is None else (findings_of(found.matches), found.lines)

    def _around(self, program: Program, found: Tried) -> Tried:
        """What the program does that the copy, which learns, does not; nothing if unclear."""
        with suppress(Exception):
            targets, around = self._now()[1], self._departures(program)
            if around and targets is not None:
                return departed(program, targets, found, around, STALLED) or Tried([])
        return Tried([])

    def _departures(self, program: Program) -> list[Match]:
        """What the program does besides that a plain loop does not; none where it is not known."""
        return []

    def _material(self, program: Program, x: Any, y: Array) -> Material:
        """Samples to train copies on."""
        assert program.task is not None
        return Material(
            x,
            y,
            program.task,
            min(program.batch or 32, 128),
            in_order(program) is not None,
            program.pictures,
            shrunk(program),
            program.course.drawn,
        )

    def _tried(self, matches: Sequence[Match], seconds: float = SECONDS) -> Tried:
        likely = [match for match in matches if match.belief >= Belief.LIKELY]
        trial = self._trial()
        if trial is None:
            return Tried(likely)
        return tried(trial, matches, seconds, STEPS_OF_FEW if self._few else STEPS)

    def _at_first(self, matches: Sequence[Match]) -> Tried:
        """What is said before the first step: where nothing likely helps, the rest must do much."""
        found, program = self._tried(matches), self.program
        scales = all(match.remedy == STANDARDISED for match in found.matches)
        later = scales and found.base is not None and program is not None and learns_later(program)
        least = Belief.SURE if later else Belief.LIKELY
        said = any(match.belief >= least for match in found.matches) or found.gain >= MUCH
        return found if said else Tried([])

    def _say(self, found: Tried, what: str = "") -> None:
        self._found = found if found.matches else self._found
        findings = findings_of(found.matches)
        if findings and self.told is not None:
            self.told(what or "before the first step", findings, found.lines)
        if self.speaks:
            say(findings, found.lines, what=what)
