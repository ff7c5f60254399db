"""Optimiser steps by hand: a block of them in each call of Lightning's training loop.

A call of that loop costs as much as a small network's own step. What K steps a call come to is the
same to the bit as one step a call: batches, augmentation and schedules depend on the step alone.
"""

from collections.abc import Callable
from itertools import islice
from typing import Any, Literal

import torch
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.strategies import SingleDeviceStrategy
from torch import Tensor
from torch.optim import LBFGS
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lightning_mnist.data.batches import Batch
from lightning_mnist.data.blocks import Block
from lightning_mnist.errors import InputError
from lightning_mnist.preprocessing import Preprocessing
from lightning_mnist.scores import RunningScores
from lightning_mnist.steps.fused_adam import fused_step
from lightning_mnist.steps.position import begin_epoch_again, can_be_saved, describe, restore
from lightning_mnist.steps.step_callbacks import StepCallback
from lightning_mnist.steps.steps_per_execution import overrides
from lightning_mnist.steps.whole_steps import Learn, feeds, whole_steps
from lightning_mnist.steps.without_graph import WithoutGraph


class Execution:
    """Takes the optimiser steps of one training.

    Args:
        module: Its trainer has been set up.
        prepare: A batch and its index in the epoch to the network's input [B, F] and targets.
        loss: Input and targets to the loss, a scalar, and the logits [B, C].
        resumed_at: What `save` has added to the checkpoint that the training goes on from.
        without_graph: Computes the gradients of what `loss` computes, where nothing of Lightning's
            looks on.
        plain: All that `prepare` does, where it does nothing else.

    Raises:
        InputError: several ranks, and an optimiser that looks at the loss.
    """

    def __init__(
        self,
        module: LightningModule,
        prepare: Callable[[Batch, int], tuple[Tensor, Tensor]],
        loss: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
        resumed_at: dict[str, Any] | None = None,
        without_graph: WithoutGraph | None = None,
        plain: Preprocessing | None = None,
    ) -> None:
        self.module = module
        self.trainer = module.trainer
        self.prepare = prepare
        self.loss = loss
        self.resumed_at = resumed_at
        self.scores = RunningScores()
        self.learned = 0
        """Mini-batches of this epoch."""
        self.finished_epoch = False
        """Whether the last block was run whole and was the last of its epoch."""
        self._parameters = list(module.parameters())
        self._watchers = [c for c in self.trainer.callbacks if isinstance(c, StepCallback)]  # type: ignore[attr-defined]
        self._direct = _needs_nothing_of_lightning(module)
        self._optimizer: Any = module.optimizers(use_pl_optimizer=not self._direct)
        if isinstance(self._optimizer, LBFGS) and self.trainer.world_size > 1:
            raise InputError(
                "--optimizer LBFGS: decides by the loss, of which each of several ranks knows a "
                "part; choose --trainer.devices 1, or another optimiser"
            )
        self._backward = Tensor.backward if self._direct else module.manual_backward
        self._without_graph = without_graph if self._direct else None
        self._plain = plain
        loop = self.trainer.fit_loop.epoch_loop
        self._loop, self._progress = loop, loop.manual_optimization.optim_step_progress

    def start_epoch(self, seed: int) -> None:
        """Forget the last epoch, or go on with one; what dropout draws is a function of `seed`."""
        torch.manual_seed(seed)
        self.scores.reset()
        self.learned = 0
        if self.resumed_at:
            rank, device = self.module.global_rank, self.module.device
            self.learned = restore(self.resumed_at, rank, self.scores, device)
            self.resumed_at = None
            self.trainer.train_dataloader.learned = self.learned  # type: ignore[union-attr]

    def save(self, checkpoint: dict[str, Any]) -> None:
        """Add to a checkpoint where within the epoch the training is, if it is within one."""
        loader: Any = self.trainer.train_dataloader
        if can_be_saved(self.trainer) and 0 < self.learned < loader.mini_batches:
            checkpoint["position"] = describe(self.learned, self.scores, self.module.device)
            begin_epoch_again(checkpoint["loops"])

    def run(self, block: Block) -> None:
        """Take a step for each mini-batch of a block, but none after ``--trainer.max_steps``."""
        step, limit = self.trainer.global_step, self.trainer.max_steps
        count = block.steps if limit < 0 else min(block.steps, limit - step)
        coming = list(islice(block.batches(), count))
        learned = 0
        while coming:  # a training that goes on passes over what it has learned
            for watcher in self._watchers:
                if watcher.looks_before(self.trainer, step):
                    watcher.on_step_start(self.trainer, self.module, coming[0][1], step)
            unseen = self._unseen(step, len(coming))
            part, coming = coming[:unseen], coming[unseen:]
            batches = [batch for _, batch, _ in part]
            losses, logits = self._learn_all(part)
            sizes = [answers.shape[0] for answers in logits]
            labels = block.labels[learned : learned + sum(sizes)]
            self.scores.add(losses, logits, labels, sizes)
            for watcher in self._watchers:
                watcher.on_block_end(self.trainer, batches, losses, step)
            step += len(part)
            learned += sum(sizes)
        self.learned = block.first + count
        self.finished_epoch = self.trainer.is_last_batch and count == block.steps
        self._loop._batches_that_stepped += count - 1  # the step that loggers are told

    def _unseen(self, step: int, most: int) -> int:
        """How many steps, of `most` to come, are taken before somebody looks again."""
        count = 1
        while count < most and not any(
            watcher.looks_before(self.trainer, step + count) for watcher in self._watchers
        ):
            count += 1
        return count

    def _learn_all(self, part: list[tuple[int, Batch, float]]) -> tuple[list[Tensor], list[Tensor]]:
        """Take a step for each mini-batch; the losses, scalars, and logits [B, C] of before it."""
        if (whole := self._whole_steps(*part[0])) is not None:
            losses, answers = whole([batch for _, batch, _ in part])
            for _ in part:
                self._count_step()
            return losses, answers
        self._step = (self._without_graph and fused_step(self._optimizer)) or self._optimizer.step
        losses, answers = [], []
        for index, batch, weight in part:
            loss, logits = self._learn(*self.prepare(batch, index), weight)
            self.update_schedules("step", index + 1)
            losses.append(loss)
            answers.append(logits)
        return losses, answers

    def _whole_steps(self, index: int, batch: Batch, weight: float) -> Learn | None:
        """What takes all steps at once, the first of which learns `batch`, if they are plain."""
        scheduled = any(c.interval == "step" for c in self.trainer.lr_scheduler_configs)
        whole = whole_steps(self._without_graph, self._optimizer, self._plain)
        if scheduled or whole is None or type(self)._learn is not _LEARN:
            return None
        assert self._plain is not None
        return whole if feeds(self._plain, batch.images, self.prepare(batch, index)[0]) else None

    def _count_step(self) -> None:
        self._progress.increment_ready()
        self._progress.increment_completed()

    def _learn(self, pixels: Tensor, targets: Tensor, weight: float) -> tuple[Tensor, Tensor]:
        """Take a step; the loss, a scalar, and the logits [B, C] from before it."""
        seen: list[Tensor] = []

        def closure() -> Tensor:
            if self._without_graph is not None:
                seen[:] = self._without_graph(pixels, targets)
                return seen[0]
            for parameter in self._parameters:
                parameter.grad = None
            loss, logits = self.loss(pixels, targets)
            if weight == 0:  # no samples: the mean is not a number, the sum a zero with gradients
                loss = logits.sum()
            self._backward(loss if weight == 1 else loss * weight)
            seen[:] = loss.detach(), logits.detach()
            return loss

        self._step(closure)
        if self._direct:  # otherwise Lightning has counted it
            self._count_step()
        loss, logits = seen
        return loss, logits

    def update_schedules(self, interval: Literal["step", "epoch"], count: int) -> None:
        """Step the learning-rate schedules of an interval, of which `count` have passed.

        Raises:
            InputError: a schedule waits for a value that is not measured.
        """
        for config in self.trainer.lr_scheduler_configs:
            if config.interval != interval or count % config.frequency:
                continue
            on = config.scheduler
            value = self._monitored(on) if isinstance(on, ReduceLROnPlateau) else None
            self.module.lr_scheduler_step(on, value)

    def _monitored(self, schedule: ReduceLROnPlateau) -> Tensor:
        measured = self.trainer.callback_metrics
        name = getattr(schedule, "monitor", None)
        if name not in measured:
            known = ", ".join(measured)
            raise InputError(
                f"--lr_scheduler.monitor {name}: not measured; expected one of {known}"
            )
        return measured[name]


_LEARN = Execution._learn  # ours, should anybody put another way to take a step in its place


def _needs_nothing_of_lightning(module: LightningModule) -> bool:
    """Whether plain ``backward`` and ``step`` do all that Lightning's would.

    Several ranks must average gradients, fp16 must scale the loss, and hooks must be called.
    """
    trainer = module.trainer
    hooks = ("on_before_backward", "on_after_backward", "on_before_optimizer_step")
    return (
        isinstance(trainer.strategy, SingleDeviceStrategy)
        and getattr(trainer.precision_plugin, "scaler", None) is None
        and not overrides(module, LightningModule, (*hooks, "backward"))
        and not any(overrides(callback, Callback, hooks) for callback in trainer.callbacks)  # type: ignore[attr-defined]
    )
