"""What a guard looks at while a network trains, beside a collapse (NumPy only)."""

from contextlib import suppress
from dataclasses import replace

import numpy as np

from parity.watch.check import Change, Match, Program
from parity.watch.check.program import Array
from parity.watch.trials.departing import departed, in_few_steps, too_few, unpaired, untaught
from parity.watch.trials.inverted import inverted
from parity.watch.trials.proving import Prover
from parity.watch.trials.ranking import HELPS, STEPS, Tried
from parity.watch.trials.stall import MUCH, asks, floor, learned_nothing, proves, reads
from parity.watch.trials.swings import BEGINS, LOOKS, goes_on, loss_of, swings
from parity.watch.trials.usual import fallen, fell

EPOCHS = 1.5
"""Epochs from which on what happens again and again may be a training of its own, of a
cross-validation, say."""
FALLEN_AFTER = 32
"""Steps from which on it is looked whether the learning rate has fallen to nothing."""


def _epoch(program: Program) -> float:
    """Steps of an epoch; endless where that is not known."""
    targets = program.targets if program.whole else None
    return np.inf if targets is None or not program.batch else len(targets) / program.batch


class Follower(Prover):
    """Follows a training, and says what would help it, once a trial has borne that out."""

    def __init__(self) -> None:
        super().__init__()
        self._fell = False
        self._losses: list[float] = []
        """After one step after the other, where they are looked at."""

    def look(self, before: int, step: int, *, ended: bool = False) -> None:
        """Say what would help, where nothing has been learned until now and something does help."""
        program = self.program
        if program is None:
            return
        if step >= FALLEN_AFTER and step & (step - 1) == 0:
            self._look_at_plan(program, step)
        due = asks(before, step, ended=ended, gathered=program.gathered)
        if not (due or ended) or self._found.matches or self._initial is None:
            return
        with suppress(Exception):
            outputs, targets = self._now()
            if targets is None:
                return
            if (match := inverted(program, outputs, targets)) is not None:
                self._say(Tried([match]), f"after {step:,} steps one thing looks wrong")
                return
            if not due and not too_few(program, step):
                return
            found, what = self._found_out(program, outputs, targets, step, ended=ended)
            if found is not None:
                self._say(found, f"after {step:,} steps the network has learned {what}")

    def _found_out(
        self, program: Program, outputs: Array, targets: Array, step: int, *, ended: bool
    ) -> tuple[Tried | None, str]:
        """What explains a network that has learned nothing, or little, and which of them it is."""
        if learned_nothing(program, outputs, targets):
            return self._why(program, targets, step), "nothing"
        if self.unsure:  # it was learned by heart, if at all
            found = self.prove()
            return (found if found and proves(program, targets, found) else None), "little"
        if not ended:
            return None, ""
        little = learned_nothing(program, outputs, targets, 2 * HELPS)
        # What reads samples that are held out has been told something by its own.
        found = None if self.unsure is False else unpaired(program, self._trial, little=little)
        if found is not None:
            return found, "little" if little else "its samples by heart"
        found = in_few_steps(program, self._trial, outputs, targets, step)
        if found is None and step >= STEPS:
            found = self._sooner(program, outputs, targets, step)
        return found, "little"

    def _sooner(self, program: Program, outputs: Array, targets: Array, step: int) -> Tried | None:
        """What would have brought much more in fewer steps than the whole training took."""
        if program.same_as_inputs or (program.loss is None and program.task == "values"):
            return None  # it may be asked for more: of its code, or a quantile and not the mean
        now = reads(program, outputs, targets)
        if now is None or now > min(floor(program, targets) + MUCH, 1 - MUCH):
            return None
        found = self.prove()
        base = 0.0 if found is None else max(found.base or 0.0, 0.0)
        if found is not None and base >= now + MUCH:  # what the copy leaves out is in the way
            around = self._departures(program)
            return departed(program, targets, found, around, step) if around else None
        return found if found is not None and base + found.gain >= now + MUCH else None

    def _why(self, program: Program, targets: Array, step: int) -> Tried | None:
        """What a network that has learned nothing would have learned with."""
        if program.loss is None:
            return untaught(program, self._usual_trial(), targets)
        found = self.prove()
        if found is None or proves(program, targets, found):
            return found
        around, trial = self._departures(program), self._trial()
        return departed(program, targets, found, around, step, trial) or unpaired(
            program, lambda: trial, little=True
        )

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
                still = 0 if Change.THAWED in remedy else self.program.trainable
                self.program = replace(
                    self.program, trainable=still, gathers=Change.ZEROED in remedy, redrawn=every
                )
                found = self._tried([match])
        if match.belief or found.gain >= MUCH:  # what may be meant so must bring much
            self._say(found, what)
