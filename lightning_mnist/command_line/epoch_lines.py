"""A line an epoch where nobody watches: logs of CI and pipes keep what a bar would overwrite."""

import time

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar

from lightning_mnist.module import DigitClassifier


class EpochLines(ProgressBar):
    """Prints losses, accuracies and seconds of each epoch, and nothing in between."""

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
