"""What the guard does before the first step: it checks the program, and tries what looks wrong."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from parity.arrays import Array
from parity.keras.calls import as_array
from parity.keras.checking import array_of, held_out_of, one_batch, program_of, repeats
from parity.keras.facts import Facts, facts_of
from parity.keras.fit import Fit
from parity.keras.heads import causes_of_heads
from parity.keras.late import elsewhere, lagging, no_code, not_seen, own_step, steps_itself
from parity.keras.metrics import misjudging
from parity.keras.probe import LEAST, Probe, probe_of
from parity.keras.traced import Traced, Watched
from parity.keras.trial import Trial, state_of
from parity.keras.unmoved import still, unmoved
from parity.keras.updates import optimizer_of, plan_of, rate_of
from parity.keras.weighing import UNTOLD, Weighing
from parity.watch.check import Belief, Match, Program, causes_of
from parity.watch.check.anew import Anew
from parity.watch.check.telling import unrelated
from parity.watch.check.training import rate as too_high
from parity.watch.check.words import findings_of, say
from parity.watch.guard import PROBE
from parity.watch.trials import AS_IT_IS, SAMPLES, Tried
from parity.watch.trials.proving import LARGEST
from parity.watch.trials.ranking import HELPS, SECONDS, STEPS, told
from parity.watch.trials.stall import MUCH, SHORT, STALLED, chance, learned_nothing

UNMOVED, SOME = 64, 16
"""Steps after which it is asked what has changed, and at the end: gradients may be gathered."""
KERNEL, NOTHING = 1000, np.empty(0)
"""Weights of the first kernel that are watched from epoch to epoch, and none."""

NOTHING_MORE = 0.03
"""Accuracy above that of answering the most frequent class, up to which nothing is known."""


class FirstStep(Weighing):
    """Looks at a program before its first step.

    Args:
        x: What `fit` is given.
        y: Targets; None for data in batches.
        trials: Whether remedies are tried on a copy.
    """

    def __init__(self, x: Any, y: Any, trials: bool) -> None:
        super().__init__()
        self.x, self.y, self.trials = x, y, trials
        self._kernel: keras.Variable | None = None
        self._left: Array = NOTHING
        self._anew = Anew(NOTHING)
        self.loss, self._source = np.nan, ""
        """What `fit` draws samples from, where that is not what is known here."""

    def check(
        self,
        traced: Traced,
        seen: Watched,
        probe: Probe,
        batch: int | None,
        validation: Probe | None,
        fit: Fit,
    ) -> None:
        """Say what looks wrong; called once, before the weights change for the first time.

        Args:
            traced: The model.
            seen: What it and its layers give for `probe`.
            probe: Samples that it is trained on.
            batch: Samples of a batch, where that is known.
            validation: Samples that are held out.
            fit: What ``fit`` was given besides.
        """
        self.traced, self.probe, self._source = traced, probe, fit.source_beside(self.x)
        model = traced.model
        with suppress(Exception):  # a model is anyone's code, and must train all the same
            facts: Facts = facts_of(*seen)
            known: dict[str, Any] = {} if batch is None else {"batch": batch}
            known |= held_out_of(traced, validation, split=fit.split) | {
                "inputs": array_of(self.x),
                "repeats": repeats(self.x) or one_batch(probe, validation),
            }
            program = program_of(traced, probe, facts, **known)
            self.program = program = fit.ordered(fit.weighted(program))
            if self.trials and model.count_params() <= LARGEST and not tf.distribute.has_strategy():
                self._initial = state_of(model)
            self._kernel = next((v for v in model.trainable_variables if len(v.shape) > 1), None)
            self._anew = Anew(_some(self._kernel))
            likely = causes_of(program)
            if likely:
                self._say(self._at_first(causes_of(program, Belief.MAYBE)))
            elif facts.several:
                self._say(Tried(causes_of_heads(model, *seen, probe)))
            self.mention(misjudging(model, program))

    def mention(self, matches: Sequence[Match], what: str = "") -> None:
        """Say what needs no trial, and explains nothing else that may be wrong.

        Args:
            matches: What looks wrong.
            what: Where; else before the first step.
        """
        findings = findings_of(matches)
        if findings and self.told is not None:
            self.told(what or "before the first step", findings, [])
        say(findings, what=what)

    def hold(self, accuracy: float | None, loss: float) -> None:
        """Note how well what is held out was read, None where unknown, and the loss of `fit`."""
        self.loss = loss
        classes = None if self.program is None else self.program.classes
        if accuracy is not None and classes is not None:
            most = np.unique(classes, return_counts=True)[1].max() / len(classes)
            self.unsure = accuracy < most + NOTHING_MORE

    def leave(self) -> None:
        """Note some weights at the end of an epoch."""
        self._left = _some(self._kernel)

    def begin(self, step: int) -> None:
        """Look at what callbacks have done since the check, or since the epoch before.

        Args:
            step: The first of the epoch.
        """
        if step == 1:
            self._raised()
        else:
            match = self._anew.found(self._left, _some(self._kernel), step)
            if match is not None and not self._found.matches:
                self.remark(replace(match, remedy=None), step)

    def _raised(self) -> None:
        """Look at a learning rate that a callback has raised."""
        program = self.program
        rate = None if program is None else rate_of(optimizer_of(self.traced.model))
        if program is None or rate is None or program.rate is None or rate <= program.rate:
            return
        self.program = program = replace(program, rate=rate)
        match = too_high(program)
        if match is not None and match.belief >= Belief.LIKELY and not self._found.matches:
            with suppress(Exception):
                self._say(self._tried([match]))

    def look(self, before: int, step: int, *, ended: bool = False) -> None:
        """See `Follower.look`; and say so where something was left as it was, or tells nothing."""
        if ended and self.program is not None and not self._found.matches:
            with suppress(Exception):  # a model is anyone's code
                match = lagging(self.traced, self.program, self.probe, step)
                if match is None and self._source and step >= SHORT:
                    by_heart = self.loss < UNTOLD * (self._unweighted() or 0.0)
                    least = HELPS if by_heart else MUCH
                    match = elsewhere(self.program, self._source, *self._now(), self._trial, least)
                if match is not None:
                    self.remark(match, step)
        super().look(before, step, ended=ended)
        late = before < STALLED <= step or (ended and step >= UNMOVED)
        if not (late or before < UNMOVED <= step or (ended and step >= SOME)):
            return
        # What helped nothing does not explain what is seen now.
        told = self._found.matches and (self._found.base is None or self._found.gain >= HELPS)
        if self._initial is None or told:
            return
        with suppress(Exception):  # a model is anyone's code
            calls = self.traced(self.probe.first(LEAST).x)[1]
            match = unmoved(self.traced.model, self._initial, calls, late=late) or still(calls)
            match = match or (self._of_no_use(step) if late else None)
            if match is not None:
                self.remark(match, step)

    def sway(self, step: int) -> None:
        """See `Follower.sway`; few samples tell it."""
        whole, self.probe = self.probe, self.probe.first(PROBE)
        super().sway(step)
        self.probe = whole

    def _of_no_use(self, step: int) -> Match | None:
        """Why what was learned is nothing, or nothing of the samples."""
        program, probe = self.program, self.probe
        if program is None:
            return None
        if (match := no_code(self.traced, program, probe.x)) is not None:
            return match
        outputs, targets = self._now()
        if targets is None or not (self.unsure or learned_nothing(program, outputs, targets)):
            return None
        if (match := not_seen(self.traced, program, probe.x, targets)) is not None:
            return match
        one = isinstance(probe.x, np.ndarray)
        match = unrelated(program, probe.x, targets) if one else None
        if (match is None and not steps_itself(self.traced.model)) or program.task is None:
            return None
        trial = self._trial()
        score = 0.0 if trial is None else trial.run(AS_IT_IS, min(step, STEPS), SECONDS)[0]
        nothing = chance(program, targets)
        if match is not None:
            return match if score < nothing + HELPS else None
        if score < nothing + MUCH:
            return None
        learned = f" after {step:,} of its steps, and with as many steps of fit's own it "
        return own_step(program, learned + told(program.task, score))

    def _departures(self, program: Program) -> list[Match]:
        """A step of its own, where that of Keras learns."""
        own = steps_itself(self.traced.model)
        return [own_step(program)] if own and program.task is not None else []

    def _trial(self) -> Trial | None:
        program = self.program
        if program is None or program.task is None or self._initial is None:
            return None
        samples = probe_of(self.x, self.y, SAMPLES)
        if samples is None or samples.y is None:
            return None
        material = self._material(program, samples.x, samples.y)
        return Trial(self.traced, self._initial, material, program)

    def _usual_trial(self) -> Trial | None:
        return self._trial()

    def _plan(self) -> tuple[float, float] | None:
        optimizer = optimizer_of(self.traced.model)
        if (plan := plan_of(optimizer)) is not None or self.program is None:
            return plan
        began, now = self.program.rate, rate_of(optimizer)  # a callback may have changed it
        return None if began is None or now is None or now == began else (began, now)

    def _now(self) -> tuple[Any, Any]:
        return as_array(self.traced(self.probe.x)[0]), self.probe.y


def _some(kernel: keras.Variable | None) -> Array:
    """Of its weights, evenly spaced: those of a picture's dark edge are never changed."""
    values = NOTHING if kernel is None else as_array(kernel).ravel()
    return values[:: max(1, len(values) // KERNEL)]
