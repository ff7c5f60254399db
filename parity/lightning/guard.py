"""The collapse guard as a callback of Lightning: it measures, `parity.watch.guard` decides."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from parity.lightning.monitors import few_batches, upside_downs
from parity.lightning.samples import samples_of_batch
from parity.torch.first_step import FirstStep
from parity.torch.kinds import learns
from parity.torch.layouts import Array, as_array
from parity.torch.loop import NO_STEP, Loop
from parity.torch.samples import TARGETS
from parity.torch.watcher import Watcher
from parity.watch.alarm import Reaction
from parity.watch.guard import PROBE, Guard
from parity.watch.story import Story


class CollapseGuard(Callback):
    """Stops a training, or warns, once the network no longer looks at its inputs.

    ``Trainer(callbacks=[CollapseGuard()])``, for any LightningModule and any data. It keeps what
    the network is fed in the first steps, and asks for it again after 1, 2, 4, 8, ... steps and
    after every epoch, in inference; the training does not notice. Where no classes are told apart,
    as in regression, it looks for answers that are not finite and for dead layers, and says so.

    Args:
        reaction: "stop" raises `parity.watch.alarm.CollapsedError`, "warn" prints and goes on.
        run_dir: Folder for evidence.
        trials: Whether remedies of what looks wrong are tried on a copy, for ten seconds at most.
        report: Folder for ``training.html``: what was fed, answered and said, in pictures.

    Raises:
        OSError: the folder for the report cannot be made.
    """

    def __init__(
        self,
        reaction: Reaction = "stop",
        run_dir: Path | None = None,
        *,
        trials: bool = True,
        report: Path | str | None = None,
    ) -> None:
        self.trials = trials
        self.guard = Guard(run_dir, reaction, go_on='CollapseGuard(reaction="warn")')
        self.first = FirstStep(trials)
        self.story = None if report is None else Story(Path(report), self.guard, self.first)
        self._handles: list[RemovableHandle] = []
        self._batch: Any = None
        self._steps = 0
        self.loop: Loop | None = None

    def on_sanity_check_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Be ready for a validation that fails before the training begins."""
        self._trainer, self._module = trainer, pl_module
        self.first = FirstStep(self.trials, trainer.is_global_zero, graded=False)
        if trainer.optimizers and getattr(pl_module, "_compiler_ctx", None) is None:
            self._wait(pl_module)

    def on_validation_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Note the batch that is about to be judged before the training."""
        if trainer.sanity_checking:
            self._batch = batch

    def on_sanity_check_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """It has not failed."""
        self._stop_waiting()
        self.first.close(failed=False)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Wait for the network to be fed."""
        self.guard.alarm.writes = trainer.is_global_zero
        self.watcher = Watcher(self.guard, trainer.strategy.broadcast)
        self._trainer, self._module = trainer, pl_module
        self.first = FirstStep(self.trials)
        self.guard.alarm.prove = self.first.proved
        if self.story is not None:
            self.story.follow(self.first)
        self._steps = trainer.global_step
        if trainer.gradient_clip_algorithm != "value":
            self.first.clipped = trainer.gradient_clip_val
        if not trainer.optimizers or getattr(pl_module, "_compiler_ctx", None) is not None:
            self.watcher.leave_out("it has no optimiser, or its steps are compiled")
            return
        if trainer.world_size == 1:
            self.loop = Loop(pl_module, trainer.optimizers[0])
        self._wait(pl_module)
        for match in upside_downs(trainer):
            self.first.remark(match, self._steps)
        if few := few_batches(trainer):
            self.watcher.note(few)

    def _wait(self, pl_module: LightningModule) -> None:
        """Until the module, or a part of it, is fed."""
        self.first.listen()
        parts = [part for part in pl_module.children() if learns(part)]
        self._parts = len(parts)
        self._handles = [
            part.register_forward_pre_hook(self._fed, with_kwargs=True)
            for part in (pl_module, *parts)
        ]

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Note the targets of the batch that the network is about to be fed."""
        self._batch = batch

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        """Say what looks wrong, before the weights change for the first time."""
        self.first.check()
        self.watcher.heed(self.first.program)
        if self.loop is not None and optimizer is trainer.optimizers[0]:
            found = self.loop.before_step()
            self.first.follow(self.loop, self._steps)
            for match in found:
                self.first.remark(match, self._steps, self.loop.anew.every)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Look again after 1, 2, 4, 8, ... steps."""
        before, self._steps, self._batch = self._steps, trainer.global_step, None
        if self._handles and not self.watcher.samples:
            self._stop_waiting()
            self.watcher.leave_out("its training step has called neither forward() nor a module")
        self.first.after(self._steps)
        self.first.sway(self._steps)
        self.first.look(before, self._steps)
        if any(map(Guard.looks_after, range(before + 1, self._steps + 1))):
            self.watcher.after(self._steps, trainer.optimizers[0])

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look again."""
        self.watcher.after(trainer.global_step, trainer.optimizers[0], trainer.current_epoch + 1)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave nothing behind."""
        self._stop_waiting()
        if self.loop is not None:
            self.loop.close()
        if not self._steps and self.first.heard:
            self.first.check()
            match = NO_STEP if self.loop is None else self.loop.never(self.first.overflows)
            if match is not None:
                self.first.remark(match, 0)
        self.first.look(self._steps, self._steps, ended=True)
        self.first.close(failed=False)
        self._tell()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Leave nothing behind; what fails in its first step is checked all the same."""
        self._stop_waiting()
        if self.loop is not None:
            self.loop.close()
        self.first.close(failed=isinstance(exception, Exception))
        self._tell()

    def _fed(self, part: nn.Module, args: Any, kwargs: Any) -> None:
        """Keep what the network is fed in the first steps, before it has learned it."""
        whole = part is self._module
        early = self._trainer.sanity_checking
        redirected = whole and getattr(part.forward, "__func__", None) is not type(part).forward
        if self._batch is None or redirected or (not early and self.watcher.looking):
            return  # several ranks call training_step in the place of forward
        batch, self._batch = self._batch, None
        targets = _targets(batch, (*args, *kwargs.values()))
        x = _copy(args if not kwargs else {} if args else kwargs)
        if early:
            if x and (whole or self._parts == 1):
                self._begin(part, x, targets, batch)
            self._stop_waiting()
            return
        if self.watcher.samples:
            self.watcher.extend(x, targets)
        elif not whole and self._parts > 1:
            self.watcher.leave_out("it has no forward(), and not one module with weights but more")
        elif not x:
            self.watcher.leave_out("its network is called with named and unnamed arguments")
        else:
            self.watcher.start(part, x, targets, self._trainer.optimizers[0])
            self._begin(part, x, targets, batch)
        if self.watcher.samples >= PROBE or self.watcher.network is None:
            self._stop_waiting()

    def _begin(self, part: nn.Module, x: Any, targets: Array | None, batch: Any) -> None:
        """Look at the program before its first step, where one process trains it."""
        samples = samples_of_batch(part, self._trainer.train_dataloader, x, targets, batch)
        if samples is not None and self._trainer.world_size == 1:
            self.first.begin(part, self._trainer.optimizers[0], samples)

    def _tell(self) -> None:
        if self.story is not None:
            self.story.write()

    def _stop_waiting(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()


def _targets(batch: Any, fed: Sequence[Any]) -> Array | None:
    """The targets of a batch: what the network was not fed; None where that is unclear."""
    if isinstance(batch, dict):
        found = next((batch[name] for name in TARGETS if name in batch), None)
    else:
        others = batch[1:] if isinstance(batch, tuple | list) else ()
        found = next((part for part in others if all(part is not each for each in fed)), None)
    return as_array(found) if isinstance(found, Tensor) else None


def _copy(values: Any) -> Any:
    """The same with copies of the tensors, at most `PROBE` samples."""
    return apply_to_collection(values, Tensor, lambda tensor: tensor[:PROBE].detach().clone())
