"""The climb: what both sides are asked, from the raw arrays to the trained network."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

import numpy as np

from parity.arrays import Array, Table
from parity.ladder import by_layer, matching, outputs, penalties, recut, rungs, spare, steps
from parity.ladder.climber import Climber
from parity.ladder.constants import forgiven
from parity.ladder.dropped import told
from parity.ladder.plan import Plan
from parity.ladder.rung import Rung
from parity.ladder.rungs import Start
from parity.ladder.steps import Stretch
from parity.ladder.tolerance import Tolerance, moved_by_an_ulp
from parity.readings.trace import Trace
from parity.sides.lockstep import LOGITS

TRACED = 4
"""Steps of which gradients and weights are kept: enough to tell optimisers apart."""
CHUNK = 50
"""Steps between two signs of life."""
EVALUATION_BATCH = 2048
MARKS = (1, 10, 100)
"""Steps after which the sides are compared, and after the epoch."""
Progress = Callable[[str], None]
Pass = tuple[Table, Table]
"""What each layer of A and of B gives, by name."""


class Climb:
    """Two sides on the way up.

    Args:
        a: Side A, just started.
        b: Side B.
        echo: Side B once more, for float32: what an ulp in its weights does is the yardstick.
        plan: What is climbed.
        progress: Is told what goes on.
    """

    def __init__(
        self, a: Climber, b: Climber, echo: Climber | None, plan: Plan, progress: Progress
    ) -> None:
        self.sides = [a, b] if echo is None else [a, b, echo]
        self.plan = plan
        self.progress = progress
        self.done = 0
        self.losses = [np.zeros(0, plan.precision) for _ in self.sides]
        self.traces = [Trace([], [], []) for _ in self.sides]

    def rungs(self) -> Iterator[Rung]:
        """Each rung as it is reached; whoever has seen enough stops asking.

        Raises:
            SideFailedError: a side cannot do what it is asked.
        """
        broken, coarse = "", False
        for strict in self._rungs():
            rung = forgiven(strict, self.plan.precision, follows=coarse)
            yield rung.after(broken)
            coarse = coarse or rung.passed > strict.passed
            broken = broken or ("" if rung.passed else rung.name)

    def _rungs(self) -> Iterator[Rung]:
        self.progress("building both sides")
        for side in self.sides:
            side.receive()
        a, b, *_ = self._ask("read", path=str(self.plan.data))
        yield rungs.raw(a, b)
        self.digits = b
        self.order = np.random.default_rng(self.plan.seed).permutation(len(b["y_train"]))
        if not self.plan.told and recut.by_hand(self.sides, self._ask("weights"), b["x_train"][:2]):
            self.sides.reverse()
        self.sides = recut.alike(self.sides, self._ask("weights")[:2])
        self.sides, own, self.spare = spare.without(self.sides, self._ask("weights")[:2])
        start = self._start(own[1])
        match = matching.matched(
            self.sides[0], self.sides[1], (own[0], own[1]), start.images, self.plan.told
        )
        if not match.found:
            rung = replace(rungs.initial_weights(start, *own), note=match.tried)
            other = matching.of_other_kinds(own[0], own[1], match.tried)
            yield rung.because(other) if other else rung
            return  # two networks: neither can be given the other's weights
        self.sides[0] = match.side
        held, inference, training = self._begun(start)
        if not match.tried and not matching.same(*(side[LOGITS] for side in inference)):
            match = matching.rematched(
                self.sides[0], self.sides[1], (own[0], own[1]), (held[0], held[1]), start.images
            )
            self.sides[0] = match.side
            held, inference, training = self._begun(start)
        initial = spare.initial_weights(start, held, self.spare, match, own)
        yield from self._first_batch(start, initial, (inference, training))
        yield from self._steps(start, training)
        answers = [t[LOGITS] for t in self._ask("evaluate", batch_size=EVALUATION_BATCH)]
        answers[0] = outputs.squeezed_as(answers[0], answers[1])
        yield steps.metrics(start, self.digits["y_test"], *answers)

    def _first_batch(self, start: Start, initial: Rung, both: tuple[Pass, Pass]) -> Iterator[Rung]:
        """The rungs before any step: `both` passes are in inference and in training."""
        inference, training = both
        pixels = rungs.pixels(start, *inference)
        if pixels.passed:
            yield pixels
        tables = self._ask("gradients", {"ids": self._ids(0, 1)})[:2]
        loss = rungs.loss(start, training, *tables)
        gradients = rungs.gradients(start, training[1], *tables)
        passes = {"inference": inference, "training": training}
        logits = rungs.logits(start, passes, (loss, gradients))
        if not pixels.passed:
            yield rungs.begun(pixels, (logits, loss, gradients))
        yield initial
        if not logits.passed:
            logits = by_layer.explained(logits, self.sides[0], self.sides[1], start, passes)
        yield told(logits, self.sides[:2], start)
        if penalties.suspected(loss, gradients):
            self._trace_steps(start)
            if self.optimizers()[1]:
                loss, gradients = map(penalties.forgiven, (loss, gradients))
        yield loss
        yield gradients

    def _begun(self, start: Start) -> tuple[list[Table], Pass, Pass]:
        """What A and B hold, and give for the first batch in inference and in training."""
        held = self._ask("set_weights", start.weights)[:2]
        images = {"images": start.images}
        given = [self._ask("forward", images, training=mode) for mode in (False, True)]
        inference, training = (outputs.of_one_shape(a, b, start.weights) for a, b, *_ in given)
        return held, inference, training

    def _ask(self, call: str, table: Table | None = None, **arguments: object) -> list[Table]:
        """The answers of all sides, which work on them at the same time."""
        for side in self.sides:
            side.send(call, table, **arguments)
        return [side.receive() for side in self.sides]

    def _ids(self, step: int, count: int) -> Array:
        """Numbers of the training images of `count` steps from `step` on, int64 [count * B]."""
        size = self.plan.batch_size
        return self.order[step * size : (step + count) * size]

    def _start(self, own: Table) -> Start:
        """Weights near those of `own`, none of them 0 or 1, which would hide mistakes."""
        rng = np.random.default_rng(self.plan.seed)
        weights = {
            name: (w + (0.1 * rng.random(w.shape) if w.ndim < 2 else 0)).astype(w.dtype)
            for name, w in own.items()
        }
        return Start(
            names=(self.sides[0].name, self.sides[1].name),
            weights=weights,
            tolerance=Tolerance.of(weights, self.plan.precision),
            images=self.digits["x_train"][self._ids(0, 1)],
            labels=self.digits["y_train"][self._ids(0, 1)],
        )

    @property
    def _epoch(self) -> int:
        """Steps of one."""
        return -(-len(self.order) // self.plan.batch_size)

    def _trace_steps(self, start: Start) -> None:
        """The first steps, unless they have been taken."""
        if self.done:
            return
        for echo in self.sides[2:]:
            echo.ask("set_weights", moved_by_an_ulp(start.weights, self.plan.seed))
        for _ in range(min(TRACED, self._epoch)):
            self._trace()
        traces = self.traces[0], self.traces[1]
        how = start.names, len(start.labels)
        self.optimizers = cache(lambda: penalties.optimizers(*traces, *how))

    def _steps(self, start: Start, passes: Pass) -> Iterator[Rung]:
        self._trace_steps(start)
        epoch = self._epoch
        for mark in (*(mark for mark in MARKS if mark < epoch), epoch):
            self._advance(mark - 1 if mark == epoch else mark, epoch)
            before_last = self._ask("weights")[:2] if self.done < mark == epoch else None
            self._advance(mark, epoch)
            early = mark <= len(self.traces[0].after)
            weights = (
                [trace.after[mark - 1] for trace in self.traces] if early else self._ask("weights")
            )
            yield steps.steps(start, self._stretch(mark, epoch, weights, passes, before_last))

    def _trace(self) -> None:
        """One step of which everything is kept."""
        known = [trace.after[-1] for trace in self.traces if trace.after]
        before = known or self._ask("weights")
        ids = self._ids(self.done, 1)
        gradients = self._ask("gradients", {"ids": ids})
        self._take(1)
        for number, after in enumerate(self._ask("weights")):
            trace = self.traces[number]
            trace.losses.append(float(gradients[number].pop("loss")))
            trace.before.append(before[number])
            trace.gradients.append(gradients[number])
            trace.after.append(after)
            trace.images.append(self.digits["x_train"][ids])

    def _advance(self, to: int, epoch: int) -> None:
        while self.done < to:
            self.progress(f"step {self.done:,} of {epoch:,}")
            self._take(min(CHUNK, to - self.done))

    def _take(self, count: int) -> None:
        ids = self._ids(self.done, count)
        taken = self._ask("steps", {"ids": ids}, batch_size=self.plan.batch_size)
        for number, table in enumerate(taken):
            losses = table["losses"].astype(self.plan.precision)
            self.losses[number] = np.concatenate([self.losses[number], losses])
        self.done += count

    def _stretch(
        self,
        mark: int,
        epoch: int,
        weights: list[Table],
        passes: Pass,
        before_last: list[Table] | None,
    ) -> Stretch:
        sizes = np.full(mark, self.plan.batch_size)
        if mark == epoch:
            sizes[-1] = len(self.order) - (epoch - 1) * self.plan.batch_size
        label = f"{mark:,} step" + ("s" if mark > 1 else "")
        return Stretch(
            label=f"epoch, {label}" if mark == epoch else label,
            weights=(weights[0], weights[1]),
            echo=weights[2] if len(weights) > 2 else None,
            traces=(self.traces[0], self.traces[1]),
            optimizers=lambda: self.optimizers()[0],
            outputs=passes,
            losses=(self.losses[0][:mark], self.losses[1][:mark]),
            batch_sizes=sizes,
            before_last=(before_last[0], before_last[1]) if before_last else None,
        )
