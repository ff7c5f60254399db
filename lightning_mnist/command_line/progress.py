"""A progress bar that costs nothing: it counts mini-batches and is drawn a few times a second."""

import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar
from rich.progress import ProgressColumn, Task
from rich.text import Text

from lightning_mnist.data.blocks import Block
from lightning_mnist.module import DigitClassifier

DRAWN = 4  # times a second


class SpeedColumn(ProgressColumn):
    """How fast mini-batches are done: lately or, where a bar has hardly moved, since it began.

    Lightning's own column has rich's estimate, which takes two moves, and says 0.00 without it.
    """

    def render(self, task: Task) -> Text:
        """Nothing where nothing is done yet; slow ones in seconds a mini-batch."""
        speed = task.finished_speed or task.speed
        seconds = task.finished_time or task.elapsed
        if not speed and task.completed and seconds:
            speed = task.completed / seconds
        if not speed:
            return Text()
        said = f"{speed:.2f}it/s" if speed >= 1 else f"{1 / speed:.2f}s/it"
        return Text(said, style="dim underline")


class BlockProgressBar(RichProgressBar):
    """Lightning's bar, for blocks of mini-batches; loss and accuracy are those so far."""

    def __init__(self) -> None:
        super().__init__(refresh_rate=DRAWN)
        self._drawn = 0.0
        self._step = 0

    @property
    def total_train_batches(self) -> int:
        """Mini-batches in an epoch, or until ``--trainer.max_steps``."""
        trainer = self.trainer
        total: int = trainer.train_dataloader.mini_batches  # type: ignore[union-attr]
        return total if trainer.max_steps < 0 else min(total, trainer.max_steps)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start another bar."""
        self._step = trainer.global_step
        super().on_train_epoch_start(trainer, pl_module)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Block,
        batch_idx: int,
    ) -> None:
        """Move on, unless it was drawn a moment ago."""
        now = time.monotonic()
        done = batch.first + trainer.global_step - self._step  # --trainer.max_steps cuts a block
        self._step = trainer.global_step
        last = trainer.is_last_batch or trainer.global_step == trainer.max_steps
        if now - self._drawn < 1 / DRAWN and not last:
            return
        self._drawn = now
        super().on_train_batch_end(trainer, pl_module, outputs, batch, done - 1)

    def configure_columns(self, trainer: Trainer) -> list[Any]:
        """Lightning's columns, the last of which says how fast it is."""
        return [*super().configure_columns(trainer)[:-1], SpeedColumn()]

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """What stands beside the bar."""
        assert isinstance(pl_module, DigitClassifier)
        return {**super().get_metrics(trainer, pl_module), **pl_module.running_scores()}
