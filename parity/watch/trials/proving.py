"""When a guard tries remedies, and what it says of them, whatever the framework (NumPy only)."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from parity.watch.alarm import Told
from parity.watch.check import Belief, Match, Program, causes_of
from parity.watch.check.program import Array
from parity.watch.check.training import in_order
from parity.watch.check.words import findings_of, say
from parity.watch.diagnosis import Finding
from parity.watch.trials.departing import departed, in_few_steps, too_few, untaught
from parity.watch.trials.inverted import inverted
from parity.watch.trials.material import Material, shrunk
from parity.watch.trials.ranking import SECONDS, Trial, Tried, tried
from parity.watch.trials.stall import MUCH, STALLED, asks, explains, learned_nothing, lifts, proves
from parity.watch.trials.swings import BEGINS, LOOKS, goes_on, loss_of, swings
from parity.watch.trials.usual import fallen, fell, usual

LARGEST = 20_000_000
"""Weights of which a copy is kept for trials, at most."""
EPOCHS = 1.5
"""Epochs from which on what happens again and again may be a training of its own, of a
cross-validation, say."""
FALLEN_AFTER = 32
"""Steps from which on it is looked whether the learning rate has fallen to nothing."""


def _epoch(program: Program) -> float:
    """Steps of an epoch; endless where that is not known."""
    targets = program.targets if program.whole else None
    return np.inf if targets is None or not program.batch else len(targets) / program.batch


class Prover(ABC):
    """Knows a program and its initial weights, and tries what may be wrong with it on a copy."""

    speaks = True
    """Whether this process prints."""

    def __init__(self) -> None:
        self.program: Program | None = None
        self.told: Told | None = None
        """Is told what is said."""
        self.unsure = False
        """Whether what is held out was read no better than by chance."""
        self._initial: Any = None
        self._found = Tried([])
        self._fell = False
        self._losses: list[float] = []
        """After one step after the other, where they are looked at."""

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
        if self._found.gain > 0 or program is None or self._initial is None:
            return self._found if self._found.gain > 0 else None
        with suppress(Exception):  # a model is anyone's code, and must train all the same
            return self._proved(program)
        return None

    def _proved(self, program: Program) -> Tried:
        """What the facts bear out comes first; with less to try, each is tried for longer."""
        matches = causes_of(program, Belief.MAYBE)
        if not matches:
            return self._tried(usual(program, matches))
        sure = any(match.belief is Belief.SURE for match in matches)
        found = self._tried(matches, SECONDS if sure else SECONDS / 2)
        much = found.gain >= MUCH
        if program.targets is not None and program.task is not None:
            much = lifts(program, program.targets, found)
        if sure or much:
            return found
        others = self._tried(usual(program, matches), SECONDS / 2)
        return others if others.gain > found.gain else found

    def proved(self) -> tuple[list[Finding], list[str]]:
        """What `prove` brings, for an alarm."""
        found, program = self.prove(), self.program
        if found is None or program is None:
            return [], []
        if not explains(program, found):
            found = self._around(program, found)
        return findings_of(found.matches), found.lines

    def _around(self, program: Program, found: Tried) -> Tried:
        """What the program does that the copy, which learns, does not; nothing if unclear."""
        with suppress(Exception):
            targets, around = self._now()[1], self._departures(program)
            if around and targets is not None:
                return departed(program, targets, found, around, STALLED) or Tried([])
        return Tried([])

    def look(self, before: int, step: int, *, ended: bool = False) -> None:
        """Say what would help, where nothing has been learned until now and something does help."""
        program = self.program
        if program is None:
            return
        if step >= FALLEN_AFTER and step & (step - 1) == 0:
            self._look_at_plan(program, step)
        due = asks(before, step, ended=ended, gathered=program.gathered)
        if not due and not (ended and too_few(program, step)):
            return
        if self._found.matches or self._initial is None:
            return
        with suppress(Exception):
            outputs, targets = self._now()
            if targets is None:
                return
            if (match := inverted(program, outputs, targets)) is not None:
                self._say(Tried([match]), f"after {step:,} steps one thing looks wrong")
                return
            if nothing := learned_nothing(program, outputs, targets):
                found = self._why(program, targets, step)
            elif self.unsure:  # it was learned by heart, if at all
                found = self.prove()
                found = found if found and proves(program, targets, found) else None
            else:
                found = (
                    in_few_steps(program, self._trial, outputs, targets, step) if ended else None
                )
            if found is not None:
                much = "nothing" if nothing else "little"
                self._say(found, f"after {step:,} steps the network has learned {much}")

    def _why(self, program: Program, targets: Array, step: int) -> Tried | None:
        """What a network that has learned nothing would have learned with."""
        if program.loss is None:
            return untaught(program, self._usual_trial(), targets)
        found = self.prove()
        if found is None or proves(program, targets, found):
            return found
        return departed(program, targets, found, self._departures(program), step)

    def _departures(self, program: Program) -> list[Match]:
        """What the program does besides that a plain loop does not; none where it is not known."""
        return []

    @property
    def swaying(self) -> bool:
        """Whether the loss is looked at after each step just now."""
        return bool(self._losses)

    def sway(self, step: int) -> None:
        """Say so where the loss goes up and down, and shorter steps help; asked after each step."""
        if step not in BEGINS and not self._losses:
            return
        losses, self._losses = self._losses, []
        program = self.program
        if program is None or self._initial is None or self._found.matches:
            return
        with suppress(Exception):
            outputs, targets = self._now()
            if targets is None or (loss := loss_of(program, outputs, targets)) is None:
                return
            losses.append(loss)
            if len(losses) < LOOKS:
                self._losses = losses if goes_on(losses) else []
            elif matches := swings(program, losses, step):
                found = self._tried(matches)
                best = replace(found, matches=found.matches[:1], lines=found.lines[:1])
                if found.gain >= MUCH:
                    self._say(best, f"after {step:,} steps the loss goes up and down")

    def _look_at_plan(self, program: Program, step: int) -> None:
        """Say so where a plan has brought the rate to nothing, and the training goes on for long.

        A plan that ends with the training does so in its last steps only.
        """
        plan = self._plan()
        before, self._fell = self._fell, fell(plan)
        if not (before and self._fell) or plan is None or self._found.matches:
            return
        with suppress(Exception):
            found = self._tried(fallen(program, *plan)[:1])
            if found.gain > 0:
                self._say(found, f"after {step:,} steps the learning rate is next to nothing")

    def remark(self, match: Match, step: int, every: int = 0) -> None:
        """Say what was seen in the loop, and what its remedy brings.

        Args:
            match: What it was.
            step: After so many steps.
            every: Steps from one time to the next, where it happens again and again.
        """
        if self.program is not None and every > EPOCHS * _epoch(self.program):
            return
        what = f"after {step:,} steps something looks wrong in the loop"
        found, remedy = Tried([match] if match.belief else []), match.remedy
        with suppress(Exception):
            if self.program is not None and remedy is not None:
                still = 0 if remedy.thawed else self.program.trainable
                self.program = replace(
                    self.program, trainable=still, gathers=remedy.zeroed, redrawn=every
                )
                found = self._tried([match])
        if match.belief or found.gain >= MUCH:  # what may be meant so must bring much
            self._say(found, what)

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
        return Tried(likely) if trial is None else tried(trial, matches, seconds)

    def _say(self, found: Tried, what: str = "") -> None:
        self._found = found if found.matches else self._found
        findings = findings_of(found.matches)
        if findings and self.told is not None:
            self.told(what or "before the first step", findings, found.lines)
        if self.speaks:
            say(findings, found.lines, what=what)
