"""Ends a training whose numbers are no numbers any more, where no guard does."""

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn

from lightning_mnist.execution import StepCallback


class DivergedError(RuntimeError):
    """A training has come to values that are not finite; the message says when."""


def not_finite(module: nn.Module) -> str | None:
    """The first of a module's tensors that holds a value which is not finite."""
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            return str(name)
    return None


class StopAtNaN(StepCallback):
    """Ends a training at the first loss that is not finite, or before such weights are kept."""

    def on_block_end(
        self, trainer: Trainer, pl_module: LightningModule, losses: list[Tensor], step: int
    ) -> None:
        """Look at the losses of the block."""
        finite = torch.isfinite(torch.stack(losses))
        if not finite.all():
            first = int((~finite).int().argmax())
            self._stop(f"the loss of step {step + first + 1:,} is {losses[first].item()}", trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at the weights, which the last step may have spoilt, before they are saved."""
        if name := not_finite(pl_module):
            self._stop(f"after step {trainer.global_step:,} {name} is not finite", trainer)

    def _stop(self, what: str, trainer: Trainer) -> None:
        kept = [c for c in trainer.checkpoint_callbacks if getattr(c, "best_model_path", "")]
        rest = "the checkpoints are those of before" if kept else "no checkpoint was kept"
        raise DivergedError(
            f"training has diverged in epoch {trainer.current_epoch + 1}: {what}; {rest}; lower "
            "--optimizer.lr, or find the cause with --guard stop"
        )
