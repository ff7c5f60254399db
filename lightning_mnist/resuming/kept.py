"""What a training keeps: the best epoch, the latest moment, and whether it has stopped itself."""

import sys
import time
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint

from lightning_mnist.divergence import not_finite
from lightning_mnist.resuming.resume import FORMER, LATEST
from lightning_mnist.steps.position import can_be_saved
from parity.flags import load
from parity.seal import damage
from parity.signals import Waiting
from parity.writing import give_another_name

Keep = Literal["best", "last"]
EVERY = 10.0
"""Seconds of training after which the latest checkpoint is written anew within an epoch."""


def kept_checkpoints(run_dir: Path, keep: Keep) -> list[Checkpoint]:
    """The callbacks that keep the epoch to test, and the latest moment.

    Args:
        run_dir: Of the training.
        keep: The epoch where ``val_loss`` is lowest (best), or the last one, which is that of a
            schedule that ends at a rate of 0: few validation images choose an earlier one by luck.
    """
    best = BestCheckpoint(
        dirpath=run_dir / "checkpoints",
        filename="best",
        monitor="val_loss" if keep == "best" else None,
        save_on_train_epoch_end=True,  # after the recorder has added the epoch
        enable_version_counter=False,
    )
    return [best, LatestCheckpoint(best)]


class BestCheckpoint(ModelCheckpoint):
    """Keeps the best epoch; a run whose folder has been moved knows it still.

    Lightning's own forgets the best score where the folder has another name, and so a worse epoch
    takes the place of the best.
    """

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the epoch if it is the best; never weights that are not finite."""
        if not not_finite(pl_module):
            super().on_train_epoch_end(trainer, pl_module)

    @property
    def _file(self) -> Path:
        return Path(str(self.dirpath), f"{self.filename}.ckpt")

    def state_dict(self) -> dict[str, Any]:
        """The best score; where the file is goes without saying."""
        return {"best_model_score": self.best_model_score}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the best score, unless its file is not here."""
        score = state_dict["best_model_score"]
        if score is None or not self._file.is_file():
            return
        if reason := damage(self._file):
            print(
                f"warning: {self._file} cannot be read ({reason}); the best epoch is the best of "
                "those to come",
                file=sys.stderr,
            )
            return
        path = str(self._file)
        self.best_model_score = self.kth_value = score
        self.best_model_path = self.kth_best_model_path = path
        self.best_k_models = {path: score}


class _Clock:
    """Says when to save within an epoch: to all ranks at the same step.

    To ask the others at each step would cost more than a small step does. So the first rank says
    after how many steps it is asked again: half as many as it would take until then.
    """

    def restart(self, trainer: Trainer) -> None:
        """A checkpoint has just been written."""
        self._saved, self._step = time.monotonic(), trainer.global_step
        self._asked_at = self._step + 1

    def is_time(self, trainer: Trainer) -> bool:
        """Whether `EVERY` seconds have passed on the first rank."""
        passed = time.monotonic() - self._saved
        if trainer.world_size == 1:
            return passed >= EVERY
        step = trainer.global_step
        if step < self._asked_at:
            return False
        steps_until_then = (EVERY - passed) * (step - self._step) / passed
        is_time, steps = trainer.strategy.broadcast((passed >= EVERY, int(steps_until_then / 2)))
        self._asked_at = step + max(1, steps)
        return is_time


class LatestCheckpoint(Checkpoint):
    """Keeps the latest moment, beside the best: where it is that, as another name of its file.

    Written after every epoch, every few seconds within one, and when a signal asks the training to
    end. Lightning 2.6 takes `save_last` of a `ModelCheckpoint` for "the last of those that were
    best".

    Args:
        best: Comes before this one, and saves when it does.
    """

    def __init__(self, best: ModelCheckpoint) -> None:
        self.best = best
        self._clock = _Clock()
        self._signals = Waiting()

    @property
    def _path(self) -> Path:
        return Path(str(self.best.dirpath), LATEST.name)

    def _keep_former(self) -> None:
        """Keep the checkpoint of before, should the next one come to harm once it is written."""
        if self._path.exists():
            give_another_name(self._path, self._path.with_name(FORMER.name))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """From now on a signal waits for the end of the block."""
        self._clock.restart(trainer)
        if trainer.world_size == 1:
            self._signals.begin()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """From now on a signal ends the program at once."""
        self._signals.end()
        self._signals.obey()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """So it does."""
        self._signals.end()

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Save, if it is time to, or if the training is to end; the last block ends the epoch."""
        asked = self._signals.asked is not None
        if trainer.is_last_batch or not (asked or self._clock.is_time(trainer)):
            return
        if can_be_saved(trainer) and not trainer.strategy.broadcast(not_finite(pl_module)):
            if trainer.is_global_zero:
                self._keep_former()
            trainer.save_checkpoint(self._path, weights_only=False)
        self._clock.restart(trainer)
        self._signals.obey()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the epoch, if the best one is not it."""
        if trainer.fast_dev_run or not_finite(pl_module):  # type: ignore[attr-defined]
            return
        if trainer.is_global_zero:
            self._keep_former()
        if self.best._last_global_step_saved != trainer.global_step:
            trainer.save_checkpoint(self._path, weights_only=False)
        elif trainer.is_global_zero:
            give_another_name(Path(self.best.best_model_path), self._path)
        self._clock.restart(trainer)
        self._signals.obey()


class Ending(Callback):
    """Has early stopping survive a checkpoint: resumed, the training is tested and learns no more.

    Lightning forgets that it has happened and trains an epoch more, and it goes on with the
    patience of before, whatever is asked for now.
    """

    def __init__(self, recipe: str) -> None:
        self._recipe = recipe

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Note whether the training has stopped itself."""
        checkpoint["stops"] = trainer.should_stop

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """End at once, unless the training is to be another from now on."""
        callbacks = checkpoint["callbacks"]
        recipes = (callbacks["RunRecorder"]["recipe"], self._recipe)
        before, now = (load(recipe)["trainer"] for recipe in recipes)
        trainer.should_stop = bool(checkpoint.get("stops")) and before == now
        for stopping in trainer.early_stopping_callbacks:
            if (state := callbacks.get(stopping.state_key)) is not None:
                state["patience"] = stopping.patience
