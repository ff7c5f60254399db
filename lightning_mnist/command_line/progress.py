"""What is shown of a training: a bar, drawn a few times a second, or a line an epoch."""

import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar, RichProgressBar
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


class EpochLines(ProgressBar):
    """A line an epoch where nobody watches: logs and pipes keep what a bar would overwrite."""

    def __init__(self) -> None:
        super().__init__()
        self._started = 0.0
        self._prints = True

    def disable(self) -> None:
        """Lightning calls it on all ranks but the first."""
        self._prints = False

    def enable(self) -> None:
        """Print again."""
        self._prints = True

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the epoch's clock."""
        self._started = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say how the epoch went; the scores are those of all ranks, and so every one asks."""
        assert isinstance(pl_module, DigitClassifier)
        scores = {name: value.item() for name, value in pl_module.train_scores().items()}
        for name in ("val_loss", "val_accuracy"):
            if name in trainer.callback_metrics:
                scores[name] = trainer.callback_metrics[name].item()
        if not self._prints:
            return
        of = f"/{trainer.max_epochs}" if (trainer.max_epochs or 0) > 0 else ""
        said = ", ".join(
            f"{name} {value:.2%}" if name.endswith("accuracy") else f"{name} {value:.4g}"
            for name, value in scores.items()
        )
        seconds = time.perf_counter() - self._started
        print(f"epoch {trainer.current_epoch + 1}{of}: {said}, {seconds:.1f} s", flush=True)
