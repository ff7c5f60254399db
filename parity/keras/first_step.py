"""What the guard does before the first step: it checks the program, and tries what looks wrong."""

from contextlib import suppress
from typing import Any

import tensorflow as tf

from parity.keras.calls import as_array, unchanged
from parity.keras.checking import array_of, program_of
from parity.keras.facts import Facts, facts_of
from parity.keras.probe import Probe, probe_of
from parity.keras.traced import Traced
from parity.keras.trial import Trial, state_of
from parity.keras.updates import plan_of, rate_of
from parity.watch.check import Belief, Match, causes_of
from parity.watch.trials import SAMPLES
from parity.watch.trials.proving import LARGEST, Prover

WEIGHTLESS = "the samples weigh nothing, and nothing is learned of them"


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

    def check(
        self, traced: Traced, probe: Probe, batch: int | None, validation: Probe | None
    ) -> None:
        """Say what looks wrong; called once, before the weights change for the first time."""
        self.traced, self.probe = traced, probe
        model = traced.model
        with suppress(Exception):  # a model is anyone's code, and must train all the same
            facts: Facts = facts_of(*traced(probe.x))
            known: dict[str, Any] = {} if batch is None else {"batch": batch}
            if validation is not None and (fed := facts_of(*traced(validation.x)).fed) is not None:
                known["others"] = {"validation": fed}
            program = program_of(traced, probe, facts, inputs=array_of(self.x), **known)
            self.program = program
            if self.trials and model.count_params() <= LARGEST and not tf.distribute.has_strategy():
                self._initial = state_of(model)
            likely = causes_of(program)
            if likely:
                all_of_them = causes_of(program, Belief.MAYBE)
                self._say(self._tried(all_of_them))

    def weigh(self, loss: float, step: int) -> None:
        """Say so where the first loss is 0 and that of the samples is not: all weights are 0."""
        program = self.program
        if loss != 0 or program is None or program.loss is None or not program.loss.kind:
            return
        with suppress(Exception):
            model, outputs = self.traced.model, self.traced(self.probe.x)[0]
            with unchanged(model):
                own = float(model.compute_loss(y=self.probe.y, y_pred=outputs))
            if own > 0:
                what = (
                    f"fit tells a loss of 0, and without weights that of its samples is {own:.3g}"
                )
                self.remark(Match(WEIGHTLESS, what, "Look at sample_weight and class_weight"), step)

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
        optimizer = self.traced.model.optimizer
        if (plan := plan_of(optimizer)) is not None or self.program is None:
            return plan
        began, now = self.program.rate, rate_of(optimizer)  # a callback may have changed it
        return None if began is None or now is None or now == began else (began, now)

    def _now(self) -> tuple[Any, Any]:
        return as_array(self.traced(self.probe.x)[0]), self.probe.y
