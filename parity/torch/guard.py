"""The collapse guard around any training loop in torch: it measures, `parity.watch` decides."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

from torch import nn
from torch.optim import Optimizer

from parity.torch.compiled import eager
from parity.torch.evaluation import Evaluation
from parity.torch.first_step import FirstStep
from parity.torch.gradients import STEPS
from parity.torch.loop import Loop
from parity.torch.samples import BATCHES, samples_of
from parity.torch.watcher import Watcher
from parity.watch.alarm import Reaction
from parity.watch.check import Match
from parity.watch.guard import LIMITS, PROBE, Guard
from parity.watch.story import Story


class CollapseGuard:
    """Stops a training, or warns, once the network no longer looks at its inputs.

    ``with CollapseGuard(model, optimizer, x, y):`` and the loop as it was. It asks the network for
    some of the samples after 1, 2, 4, 8, ... steps of the optimiser, after every thousand and at
    the end, in inference; the training does not notice. Where no classes are told apart, as in
    regression, it looks for answers that are not finite and for dead layers, and says so. Before
    the first step it prints what looks wrong, as `parity.torch.check`, with what its remedy brings.

    Args:
        model: What is trained.
        optimizer: Of its weights.
        x: Samples [N, ...] as the model takes them, tensor or array, or a tuple of several; or a
            ``DataLoader`` of a data set with numbered samples: ``(x, y)``, ``(a, b, y)`` for a
            model of two arguments, or a dictionary with ``"labels"``.
        y: Targets, [N] or [N, C]; None for a ``DataLoader``, and where there are none, as for an
            autoencoder or an adversary.
        reaction: "stop" raises `parity.watch.alarm.CollapsedError`, "warn" prints and goes on.
        run_dir: Folder for evidence.
        trials: Whether remedies of what looks wrong are tried on a copy, for ten seconds at most.
        report: Folder for ``training.html``: what was fed, answered and said, in pictures.

    Raises:
        TypeError: `x` is neither; what can be read only once belongs to the training.
        OSError: the folder for the report cannot be made.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        x: Any,
        y: Any = None,
        *,
        reaction: Reaction = "stop",
        run_dir: Path | None = None,
        trials: bool = True,
        report: Path | str | None = None,
    ) -> None:
        guard = Guard(run_dir, reaction, go_on='CollapseGuard(..., reaction="warn")')
        guard.counts_epochs = False
        self.watcher = Watcher(guard)
        self.model = model
        self.optimizer = optimizer
        self.samples = samples_of(x, y, PROBE, "CollapseGuard", model)
        self.first = FirstStep(trials)
        guard.alarm.prove = self.first.proved
        self.story = None if report is None else Story(Path(report), guard, self.first)
        self.steps = 0
        self._due = 1
        """The step after which there is something to do."""

    def __enter__(self) -> Self:
        self.loop = Loop(self.model, self.optimizer)
        self.evaluation = Evaluation(self.model, self._remark) if eager(self.model) else None
        self.handles = [
            self.optimizer.register_step_pre_hook(self._before_step),
            self.optimizer.register_step_post_hook(self._after_step),
        ]
        if self.first.begin(self.model, self.optimizer, self.samples):
            self._start()
        else:
            self.first.listen()
            self.handles.append(self.model.register_forward_pre_hook(self._fed))
        return self

    def _start(self) -> None:
        samples = self.samples
        self.watcher.start(self.model, samples.x, samples.y, self.optimizer, samples.targets)

    def _fed(self, module: nn.Module, args: Any) -> None:
        """The first call of the loop tells the shape and type in which it gives the samples."""
        self.handles.pop().remove()
        if len(args) == 1 and (samples := self.samples.given_as(args[0])) is not None:
            self.samples = samples
            self.first.begin(module, self.optimizer, samples)
        self._start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.first.close(failed=isinstance(error, Exception))
        self.loop.close()
        if self.evaluation is not None:
            self.evaluation.close()
        for handle in self.handles:
            handle.remove()
        if error is None and not self.steps and self.first.heard:
            self.first.check()
            if (match := self.loop.never(self.first.overflows)) is not None:
                self._remark(match)
        if error is None:
            self.first.look(self.steps, self.steps, ended=True)
        try:
            if error is None and self.steps:
                self.watcher.after(self.steps, self.optimizer)
        finally:
            if self.story is not None:
                self.story.write()

    def _before_step(self, *_: Any) -> None:
        if self.steps == 0:
            self.first.check()
            self.watcher.heed(self.first.program)
        found = self.loop.before_step()
        if self.steps < STEPS:
            self.first.follow(self.loop, self.steps)
        for match in found:
            self._remark(match, self.loop.anew.every)

    def _remark(self, match: Match, every: int = 0) -> None:
        if not self.watcher.looking:
            self.first.remark(match, self.steps, every)

    def _after_step(self, *_: Any) -> None:
        self.steps += 1
        if self.steps < self._due and not self.first.waiting:
            return  # most steps end here
        step, looks = self.steps, Guard.looks_after(self.steps)
        self._due = min(2 ** step.bit_length(), (step // LIMITS.patience + 1) * LIMITS.patience)
        if step <= BATCHES:
            self.first.after(step)
            self._due = step + 1
        self.first.sway(step)
        self.first.look(step - 1, step)
        if looks or step % LIMITS.patience == 0:
            self.watcher.after(step, self.optimizer)
