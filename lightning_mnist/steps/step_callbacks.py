"""Callbacks that are told of optimiser steps, of which Lightning's own see blocks."""

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from lightning_mnist.data.batches import Batch
from lightning_mnist.steps.steps_per_execution import overrides


class StepCallback(Callback):
    """A callback that is told of every optimiser step; Lightning's own hooks see blocks of them."""

    def looks_before(self, trainer: Trainer, step: int) -> bool:
        """Whether to call `on_step_start` of the step after `step` earlier ones.

        Steps before which nobody looks may be taken in one call.
        """
        return overrides(self, StepCallback, ("on_step_start",))

    def on_step_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Batch, step: int
    ) -> None:
        """Called before the optimiser step that learns `batch`, after `step` earlier ones."""

    def on_block_end(
        self, trainer: Trainer, batches: list[Batch], losses: list[Tensor], step: int
    ) -> None:
        """Called once some batches are learned, with the loss of each, after `step` earlier ones.

        They are at least one, and no more than a block: nobody has looked between them. Their
        images are overwritten by those of the next block, losses are scalars.
        """


class GradientClipping(Callback):
    """Clips gradients before each step, as ``--trainer.gradient_clip_val`` asks."""

    def __init__(self, value: float, algorithm: str | None) -> None:
        self.value = value
        self.algorithm = algorithm

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Clip what backward has left, unscaled."""
        pl_module.clip_gradients(optimizer, self.value, self.algorithm)
