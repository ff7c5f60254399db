"""When a guard tries remedies, and what it says of them, whatever the framework (NumPy only)."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from parity.watch.check import Belief, Match, Program, causes_of
from parity.watch.check.program import Array
from parity.watch.check.training import in_order
from parity.watch.check.words import findings_of, say
from parity.watch.diagnosis import Finding
from parity.watch.trials.material import Material
from parity.watch.trials.ranking import Trial, Tried, tried
from parity.watch.trials.stall import asks, learned_nothing, proves
from parity.watch.trials.usual import usual

LARGEST = 20_000_000
"""Weights of which a copy is kept for trials, at most."""


class Prover(ABC):
    """Knows a program and its initial weights, and tries what may be wrong with it on a copy."""

    speaks = True
    """Whether this process prints."""

    def __init__(self) -> None:
        self.program: Program | None = None
        self._initial: Any = None
        self._found = Tried([])

    @abstractmethod
    def _trial(self) -> Trial | None:
        """What trains copies; None where that cannot be."""

    @abstractmethod
    def _now(self) -> tuple[Array, Array | None]:
        """What the network answers now, [N, ...], and the targets of the same samples."""

    def prove(self) -> Tried | None:
        """Try everything that may help where nothing is learned; None where that cannot be."""
        program = self.program
        if self._found.gain > 0 or program is None or self._initial is None:
            return self._found if self._found.gain > 0 else None
        with suppress(Exception):  # a model is anyone's code, and must train all the same
            matches = causes_of(program, Belief.MAYBE)
            sure = any(match.belief is Belief.SURE for match in matches)
            return self._tried(matches if sure else matches + usual(program, matches))
        return None

    def proved(self) -> tuple[list[Finding], list[str]]:
        """What `prove` brings, for an alarm."""
        found = self.prove()
        return ([], []) if found is None else (findings_of(found.matches), found.lines)

    def look(self, before: int, step: int, *, ended: bool = False) -> None:
        """Say what would help, where nothing has been learned until now and something does help."""
        program = self.program
        if not asks(before, step, ended=ended) or program is None:
            return
        if self._found.matches or self._initial is None:
            return
        with suppress(Exception):
            outputs, targets = self._now()
            if targets is None or not learned_nothing(program, outputs, targets):
                return
            found = self.prove()
            if found is not None and proves(program, targets, found):
                self._say(found, f"after {step:,} steps the network has learned nothing")

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
        )

    def _tried(self, matches: Sequence[Match]) -> Tried:
        likely = [match for match in matches if match.belief >= Belief.LIKELY]
        trial = self._trial()
        return Tried(likely) if trial is None else tried(trial, matches)

    def _say(self, found: Tried, what: str = "") -> None:
        self._found = found if found.matches else self._found
        if self.speaks:
            say(findings_of(found.matches), found.lines, what=what)
