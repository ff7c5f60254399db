"""What the guard does before the first step: it checks the program, and tries what looks wrong."""

from contextlib import suppress
from typing import Any

import keras
import tensorflow as tf

from parity.keras.checking import array_of, program_of
from parity.keras.facts import Facts, facts_of
from parity.keras.probe import Probe, probe_of
from parity.keras.trial import Trial, Values, state_of
from parity.watch.check import Belief, Program, causes_of
from parity.watch.check.training import in_order
from parity.watch.check.words import findings_of, say
from parity.watch.diagnosis import Finding
from parity.watch.trials import SAMPLES, Material, Tried, tried
from parity.watch.trials.stall import asks, learned_nothing, proves
from parity.watch.trials.usual import usual

LARGEST = 20_000_000
"""Weights of which a copy is kept for trials, at most."""


class FirstStep:
    """Looks at a program before its first step.

    Args:
        x: What `fit` is given.
        y: Targets; None for data in batches.
        trials: Whether remedies are tried on a copy.
    """

    def __init__(self, x: Any, y: Any, trials: bool) -> None:
        self.x, self.y, self.trials = x, y, trials
        self.program: Program | None = None
        self._initial: Values | None = None
        self._found = Tried([])

    def check(
        self, model: keras.Model, probe: Probe, batch: int | None, validation: Probe | None
    ) -> None:
        """Say what looks wrong; called once, before the weights change for the first time."""
        self.model, self.probe = model, probe
        with suppress(Exception):  # a model is anyone's code, and must train all the same
            facts: Facts = facts_of(model, probe.x)
            known: dict[str, Any] = {} if batch is None else {"batch": batch}
            if validation is not None and (fed := facts_of(model, validation.x).fed) is not None:
                known["others"] = {"validation": fed}
            program = program_of(model, probe, facts, inputs=array_of(self.x), **known)
            self.program = program
            if self.trials and model.count_params() <= LARGEST and not tf.distribute.has_strategy():
                self._initial = state_of(model)
            likely = causes_of(program)
            if likely:
                all_of_them = causes_of(program, Belief.MAYBE)
                self._say(self._tried(all_of_them))

    def prove(self) -> Tried | None:
        """Try everything that may help where nothing is learned; None where that cannot be."""
        program = self.program
        if self._found.gain > 0 or program is None or self._initial is None:
            return self._found if self._found.gain > 0 else None
        with suppress(Exception):
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
        if self._found.matches or self._initial is None or (targets := self.probe.y) is None:
            return
        with suppress(Exception):
            outputs = facts_of(self.model, self.probe.x).outputs
            if not learned_nothing(program, outputs, targets):
                return
            found = self.prove()
            if found is not None and proves(program, targets, found):
                self._say(found, f"after {step:,} steps the network has learned nothing")

    def _tried(self, matches: Any) -> Tried:
        likely = [match for match in matches if match.belief >= Belief.LIKELY]
        trial = self._trial()
        return Tried(likely) if trial is None else tried(trial, matches)

    def _trial(self) -> Trial | None:
        program = self.program
        if program is None or program.task is None or self._initial is None:
            return None
        samples = probe_of(self.x, self.y, SAMPLES)
        if samples is None or samples.y is None:
            return None
        material = Material(
            samples.x,
            samples.y,
            program.task,
            min(program.batch or 32, 128),
            in_order(program) is not None,
            program.pictures,
        )
        return Trial(self.model, self._initial, material, program)

    def _say(self, found: Tried, what: str = "") -> None:
        self._found = found if found.matches else self._found
        say(findings_of(found.matches), found.lines, what=what)
