"""Counts calls in the training of ours alone: how much its pictures draw depends on the answers."""

from typing import ClassVar

from lightning.pytorch import Callback, LightningModule, Trainer

from benchmarks.workers.call_counter import CallCounter


class CountTraining(Callback):
    """A callback that our command line takes as any other; it keeps the last training's counts."""

    counts: ClassVar[dict[str, int]] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start."""
        self.counter = CallCounter()
        self.counter.start()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop."""
        CountTraining.counts = self.counter.stop()
