"""What a guard does before the first step: it checks the program, and tries what looks wrong."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from parity.torch.between import following
from parity.torch.checking import program_of
from parity.torch.compiled import eager, plain
from parity.torch.departures import departures
from parity.torch.facts import Facts, facts_of
from parity.torch.facts import stuck as why_stuck
from parity.torch.gradients import STEPS, broken
from parity.torch.heads import causes_of_losses
from parity.torch.heard import Heard
from parity.torch.judged import Judged
from parity.torch.layouts import as_array
from parity.torch.loop import Loop
from parity.torch.losses import Use, factor_of, misread, swapped
from parity.torch.network import answered
from parity.torch.rates import Rates
from parity.torch.refusals import refused_again, refused_by
from parity.torch.samples import BATCHES, Samples, arrays
from parity.torch.trial import Trial, state_of
from parity.torch.untouched import Untouched
from parity.watch.check import Belief, Match, Program, causes_of
from parity.watch.check.steps import clipped, stuck
from parity.watch.check.training import in_order
from parity.watch.check.words import say
from parity.watch.diagnosis import Finding
from parity.watch.trials import SAMPLES, Tried
from parity.watch.trials.following import Follower
from parity.watch.trials.proving import LARGEST


class FirstStep(Follower):
    """Looks at a program before its first step, and at the loss that it calls.

    Args:
        trials: Whether remedies are tried on a copy.
        speaks: Whether this process prints.
        graded: Whether only a loss with gradients counts, and not that of a validation.
    """

    def __init__(self, trials: bool, speaks: bool = True, *, graded: bool = True) -> None:
        super().__init__()
        self.trials, self.speaks = trials, speaks
        self._heard = Heard(graded)
        self._rates: Rates | None = None
        self._ended = False
        self._facts: Facts | None = None
        self._runs = True
        self._refused: Finding | None = None
        """Why the network cannot take its samples."""
        self._head: Tensor | None = None
        """The last kernel before the first step."""
        self.judged: Judged | None = None
        self.clipped: float | None = None
        """Length that clipping leaves to the gradients, where that is known."""

    def listen(self) -> None:
        """Listen from now on; without it, from `begin` on."""
        self._heard.open()

    def begin(self, module: nn.Module, optimizer: Optimizer, samples: Samples) -> bool:
        """Keep what is there, and listen until the first step; whether the samples were taken."""
        self.module, self.optimizer, self.samples = module, optimizer, samples
        self._rates = Rates(optimizer)
        try:
            self._facts = facts_of(module, samples.x)
        except Exception as error:  # a model is anyone's code, and must train all the same
            with suppress(Exception):
                self._refused = refused_by(module, error, samples)
            return False
        with suppress(Exception):
            self._head = next((w.detach().clone() for w in self._facts.kernels[:-2:-1]), None)
            if self.trials and sum(w.numel() for w in module.parameters()) <= LARGEST:
                self._initial = state_of(plain(module))
        self._untouched = Untouched(module, optimizer)
        self._heard.listen(module, samples.y if samples.targets is None else samples.targets)
        if eager(module):
            self.judged = Judged(module)
        self._refused = None
        return True

    def check(self) -> None:
        """Say what looks wrong; called once, before the weights change for the first time."""
        if self._facts is None or self.program is not None:
            return
        with suppress(Exception), self._heard.apart():
            use = self._heard.use
            if isinstance(self.samples.x, Tensor) and self._heard.itself:
                self.samples = self.samples.as_targets()
            seen = () if use is None else (use.given, use.targets, *self._heard.scaled)
            not_finite = broken(self.module, self._heard.answers, *seen)
            self.program = replace(self._known(), broken=not_finite)
            known = self._between is not None
            likely = causes_of(self.program) + causes_of_losses(self._heard, known=known)
            all_causes = causes_of(self.program, Belief.MAYBE) if likely else []
            may_be = [match for match in all_causes if match.belief is Belief.MAYBE]
            self._say(self._at_first(likely + may_be) if likely else Tried([]))

    def after(self, steps: int) -> None:
        """Look at the order of the samples, once a few batches have been seen."""
        if steps < BATCHES or self._heard.closed:
            return
        program = self.program
        self._heard.close()
        if self._rates is not None:
            self._rates.early()
        if steps != BATCHES or program is None:
            return
        with suppress(Exception), self._heard.apart():
            before = in_order(program)
            known = self._known() if program.loss is None and self.heard else program
            self.program = replace(
                known,
                stuck=self._stuck(),
                gathered=program.gathered,
                **self._heard.asked(self.samples),
            )
            if before is None and (match := in_order(self.program)) is not None:
                self._say(self._tried([match]))
            if (match := stuck(self.program)) is not None:
                self._say(self._tried([match]), f"after {steps} steps one thing looks wrong")

    def follow(self, loop: Loop, step: int) -> None:
        """Note how gradients are gathered, and say so where clipping leaves next to nothing."""
        if self.program is None or loop.steps > STEPS:
            return
        self.program = replace(self.program, gathered=loop.batches)
        if loop.clipped is not None:
            self.program = replace(self.program, clipped=loop.clipped)
            match = clipped(self.program)
            if match is not None and match.belief >= Belief.LIKELY:
                self.remark(match, step)

    def close(self, failed: bool) -> None:
        """Listen no more; a program that has failed in its first step is checked all the same."""
        if failed and self.program is None:
            self._runs = False
            self.check()
            with self._heard.apart():
                again = None if self._found.matches else refused_again(self._heard.use)
            say([each for each in (self._refused or again,) if each and self.speaks])
        self._heard.close()
        if self.judged is not None:
            self.judged.close()

    @property
    def waiting(self) -> bool:
        """Whether to look after each step just now."""
        judged, program = self.judged, self.program
        gathers = program is not None and program.gathered > 1
        return self.swaying or gathers or (judged is not None and judged.enough)

    def look(self, before: int, step: int, *, ended: bool = False) -> None:
        """As `Follower.look`, and at the samples that the program judges its network on."""
        judged, program, self._ended = self.judged, self.program, ended
        if self._rates is not None:
            self._rates.see()
        if judged is not None and judged.enough and program is not None:
            matches = [match] if (match := judged.compared(program)) is not None else []
            self._say(Tried(matches), f"after {step:,} steps one thing looks wrong")
        if ended and program is not None:
            with suppress(Exception), self._heard.apart():
                self._forgotten(program, step)
        super().look(before, step, ended=ended)

    def _forgotten(self, program: Program, step: int) -> None:
        """Say so where an optimiser, a loss, or a schedule's steps were left out all along."""
        match = self._untouched.found(self._heard.unreached)
        if match is not None:
            self.program = replace(program, stuck=match.figures)
        elif self._rates is not None:
            match = self._rates.unrisen(program, step)
        if match is not None and step and not self._found.matches:
            self._say(self._tried([match]), f"after {step:,} steps one thing looks wrong")

    def remark(self, match: Match, step: int, every: int = 0) -> None:
        """As `Follower.remark`."""
        with self._heard.apart():
            super().remark(match, step, every)

    @property
    def overflows(self) -> bool:
        """Whether it was said why gradients are not finite."""
        return bool(self.program and self.program.broken)

    @property
    def heard(self) -> bool:
        """Whether a loss was computed."""
        return self._facts is not None and bool(self._heard.uses)

    def _stuck(self) -> str:
        """Why the last kernel is what it was before the first step; another optimiser may do it."""
        assert self._facts is not None
        changed = self._head is None or not torch.equal(self._facts.kernels[-1], self._head)
        return "" if changed else why_stuck(self._facts, self.optimizer)

    def _known(self) -> Program:
        """All facts."""
        assert self._facts is not None
        heard, use, given = self._heard, self._heard.use, self._heard.answers
        between = following(given, use.given) if use is not None and given is not None else ""
        self._between = between
        factor = None if use is None else factor_of(use, heard.gradients.get(heard.trained))
        program = program_of(
            *(self.module, self.optimizer, self.samples, self._facts, use, between),
            stuck="",
            clipped=self.clipped,
            misread=use is not None and given is not None and misread(given, use),
            swapped=use is not None and given is not None and swapped(given, use),
            **heard.asked(self.samples),
            ascends=factor is not None
            and (factor < 0) != bool(self.optimizer.param_groups[0].get("maximize")),
        )
        course = heard.course(program.course, factor, self.module)
        ungiven = program.undrawn > 0 and self._untouched.ungiven
        return replace(program, course=course._replace(ungiven=ungiven))

    def _trial(self) -> Trial | None:
        use = self._heard.use if self._between is not None else None
        return None if use is None else self._trial_of(use)

    def _usual_trial(self) -> Trial | None:
        return self._trial_of(None)

    def _trial_of(self, use: Use | None) -> Trial | None:
        program = self.program
        if program is None or program.task is None or self._initial is None:
            return None
        x, y = self.samples.more(SAMPLES)
        material = self._material(program, arrays(x), y)
        known = plain(self.module), self._initial, material, program
        return Trial(*known, use, self._between or "", self.optimizer, self._runs)

    def _departures(self, program: Program) -> list[Match]:
        return departures(program, self._heard, self.samples)

    def _plan(self) -> tuple[float, float] | None:
        return None if self._rates is None else self._rates.plan(self._ended)

    def _now(self) -> tuple[Any, Any]:
        outputs = answered(self.module, self.samples.x)
        return as_array(outputs.float()), self.samples.y
