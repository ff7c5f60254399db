"""A training that has stopped itself has ended: resumed, it is tested and learns no more."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from parity.flags import load


class Ending(Callback):
    """Has early stopping survive a checkpoint.

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
