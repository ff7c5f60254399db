"""A progress bar that costs nothing: it counts mini-batches and is drawn a few times a second."""

import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar

from lightning_mnist.blocks import Block
from lightning_mnist.module import DigitClassifier

DRAWN = 4  # times a second


class BlockProgressBar(RichProgressBar):
    """Lightning's bar, for blocks of mini-batches; loss and accuracy are those so far."""

    def __init__(self) -> None:
        super().__init__(refresh_rate=DRAWN)
        self._drawn = 0.0

    @property
    def total_train_batches(self) -> int:
        """Mini-batches in an epoch, or until ``--trainer.max_steps``."""
        trainer = self.trainer
        total: int = trainer.train_dataloader.mini_batches  # type: ignore[union-attr]
        return total if trainer.max_steps < 0 else min(total, trainer.max_steps)

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
        if now - self._drawn < 1 / DRAWN and not trainer.is_last_batch:
            return
        self._drawn = now
        done = min(batch.first + batch.steps, self.total_train_batches)
        super().on_train_batch_end(trainer, pl_module, outputs, batch, done - 1)

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """What stands beside the bar."""
        assert isinstance(pl_module, DigitClassifier)
        return {**super().get_metrics(trainer, pl_module), **pl_module.running_scores()}
