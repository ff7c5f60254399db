"""What the guard does before the first step: it checks the program, and tries what looks wrong."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from parity.arrays import Array
from parity.keras.calls import as_array, unchanged
from parity.keras.checking import array_of, program_of, repeats
from parity.keras.facts import Facts, facts_of
from parity.keras.fit import Fit
from parity.keras.heads import causes_of_heads
from parity.keras.late import no_code, not_seen, own_step
from parity.keras.probe import LEAST, Probe, probe_of
from parity.keras.traced import Traced, Watched
from parity.keras.trial import Trial, state_of
from parity.keras.unmoved import still, unmoved
from parity.keras.updates import optimizer_of, plan_of, rate_of
from parity.watch.check import Belief, Match, causes_of
from parity.watch.check.anew import Anew
from parity.watch.check.telling import unrelated
from parity.watch.check.training import rate as too_high
from parity.watch.check.words import findings_of, say
from parity.watch.trials import AS_IT_IS, SAMPLES, Tried
from parity.watch.trials.proving import LARGEST, Prover
from parity.watch.trials.ranking import HELPS, SECONDS, STEPS, told
from parity.watch.trials.stall import MUCH, STALLED, chance, learned_nothing, reads

WEIGHTLESS = "the samples weigh nothing, and nothing is learned of them"
NEGATIVE = "sample weights are below 0: the loss drives the answers away from the targets"
UNMOVED, SOME = 64, 16
"""Steps after which it is asked what has changed, and at the end: gradients may be gathered."""
KERNEL, NOTHING = 1000, np.empty(0)
"""Weights of the first kernel that are watched from epoch to epoch, and none."""
UNTOLD = 0.5
"""Part of the samples' own loss below which that of `fit` shows that some of them weigh less."""


class FirstStep(Prover):
    """Looks at a program before its first step.

    Args:
        x: What `fit` is given.
        y: Targets; None for data in batches.
        trials: Whether remedies are tried on a copy.
    """

    def __init__(self, x: Any, y: Any, trials: bool) -> None:
        super().__init__()
        self.x, self.y, self.trials = x, y, trials
        self._weighed = False
        self.unsure = False
        """Whether what is held out was read no better than by chance."""
        self._kernel: keras.Variable | None = None
        self._left: Array = NOTHING
        self._anew = Anew(NOTHING)

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
        self.traced, self.probe = traced, probe
        model = traced.model
        with suppress(Exception):  # a model is anyone's code, and must train all the same
            facts: Facts = facts_of(*seen)
            known: dict[str, Any] = {} if batch is None else {"batch": batch}
            if validation is not None and (fed := facts_of(*traced(validation.x)).fed) is not None:
                known["others"] = {"validation": fed}
            known |= {"inputs": array_of(self.x), "repeats": repeats(self.x)}
            program = program_of(traced, probe, facts, **known)
            self.program = program = fit.weighted(program)
            if self.trials and model.count_params() <= LARGEST and not tf.distribute.has_strategy():
                self._initial = state_of(model)
            weights = model.trainable_variables
            self._kernel = next((v for v in weights if len(v.shape) > 1), None)
            self._anew = Anew(_some(self._kernel))
            likely = causes_of(program)
            if likely:
                all_of_them = causes_of(program, Belief.MAYBE)
                self._say(self._tried(all_of_them))
            elif facts.several:
                self._say(Tried(causes_of_heads(model, *seen, probe)))

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

    def weigh(self, loss: float, step: int) -> None:
        """Say so where weights make a loss of 0, or below 0, of samples whose own is above."""
        if loss > 0 or self._weighed or (own := self._unweighted()) is None or own <= 0:
            return
        self._weighed = True
        what = (
            f"fit tells a loss of {loss:.3g}, and without weights that of its samples is {own:.3g}"
        )
        cause = NEGATIVE if loss < 0 else WEIGHTLESS
        self.remark(Match(cause, what, "Look at sample_weight and class_weight"), step)

    def leave_out(self, names: list[int], loss: float, step: int) -> None:
        """Say so where these classes count for nothing: without weights, they are learned.

        Args:
            names: Classes that the network takes for all but impossible.
            loss: That `fit` tells.
            step: After so many steps.
        """
        program, own = self.program, self._unweighted() if names else None
        if program is None or own is None or not loss < UNTOLD * own or self._found.matches:
            return
        with suppress(Exception):
            outputs, targets = self._now()
            trial = self._trial()
            now = None if targets is None else reads(program, outputs, targets)
            if trial is None or now is None:
                return
            score, steps = trial.run(AS_IT_IS, STEPS, SECONDS)
            if score < now + HELPS:
                return
            classes = ", ".join(map(str, names))
            match = Match(
                f"the loss leaves out class {classes}: its samples weigh nothing",
                f"they are trained on, and the network takes them for all but impossible; fit "
                f"tells a loss of {loss:.3g}, and without weights that of its samples is {own:.3g}",
                "Look at class_weight and sample_weight",
            )
            line = (
                f"tried: with all samples weighted alike the same network reads {score:.0%} after "
                f"{steps} steps; as it is, {now:.0%}"
            )
            what = f"after {step:,} steps something looks wrong in the loop"
            self._say(Tried([match], [line], score - now, now), what)

    def look(self, before: int, step: int, *, ended: bool = False) -> None:
        """See `Prover.look`; and say so where something was left as it was, or tells nothing."""
        super().look(before, step, ended=ended)
        late = before < STALLED <= step or (ended and step >= UNMOVED)
        if not (late or before < UNMOVED <= step or (ended and step >= SOME)):
            return
        if self._initial is None or self._found.matches:
            return
        with suppress(Exception):  # a model is anyone's code
            calls = self.traced(self.probe.first(LEAST).x)[1]
            match = unmoved(self.traced.model, self._initial, calls, late=late) or still(calls)
            match = match or (self._of_no_use(step) if late else None)
            if match is not None:
                self.remark(match, step)

    def _of_no_use(self, step: int) -> Match | None:
        """Why what was learned is nothing, or nothing of the samples."""
        program, probe = self.program, self.probe
        if program is None or (match := no_code(self.traced, probe.x)) is not None:
            return match if program is not None else None
        outputs, targets = self._now()
        if targets is None or not (self.unsure or learned_nothing(program, outputs, targets)):
            return None
        if (match := not_seen(self.traced, program, probe.x, targets)) is not None:
            return match
        match, trial = unrelated(program, targets), self._trial()
        score, steps = (0.0, 0) if trial is None else trial.run(AS_IT_IS, min(step, STEPS), SECONDS)
        nothing = chance(program, targets)
        if match is not None:
            return match if score < nothing + HELPS else None
        if score < nothing + MUCH or program.task is None:
            return None
        return own_step(self.traced.model, program, step, told(program.task, score))

    def _unweighted(self) -> float | None:
        """The loss of the samples, each counted once; None where it is none of Keras'."""
        program, found = self.program, None
        if program is None or program.loss is None or not program.loss.kind:
            return None
        with suppress(Exception):
            model, outputs = self.traced.model, self.traced(self.probe.x)[0]
            with unchanged(model):
                found = float(model.compute_loss(y=self.probe.y, y_pred=outputs))
        return found

    def _trial(self) -> Trial | None:
        program = self.program
        if program is None or program.task is None or self._initial is None:
            return None
        samples = probe_of(self.x, self.y, SAMPLES)
        if samples is None or samples.y is None:
            return None
        material = self._material(program, samples.x, samples.y)
        return Trial(self.traced, self._initial, material, program)

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
