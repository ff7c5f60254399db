"""What a training does whose numbers are no numbers any more: it says when, and keeps what was."""

import sys
from collections.abc import Callable

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn

from lightning_mnist.data.batches import Batch
from lightning_mnist.steps.step_callbacks import StepCallback
from parity.watch.alarm import CollapsedError, Reaction

MOST_IDS = 256
"""Sample ids in a message."""
Look = Callable[[int], None]


class DivergedError(RuntimeError):
    """A training has come to values that are not finite; the message says when."""


def not_finite(module: nn.Module) -> str | None:
    """The first of a module's tensors that holds a value which is not finite."""
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            return str(name)
    return None


class WatchForNaN(StepCallback):
    """Notices the first loss that is not finite, or such weights before they are kept.

    It comes before the guard, if there is one, and asks it for the cause.

    Args:
        reaction: "warn" says so and goes on; otherwise `DivergedError` ends the training.
        look: Has the guard look at the network after so many steps; it may raise `CollapsedError`.
    """

    def __init__(self, reaction: Reaction, look: Look | None) -> None:
        self.reaction = reaction
        self.look = look
        self.seen: str | None = None
        """What was noticed first."""
        self._learned: dict[int, Tensor] = {}

    def on_block_end(
        self, trainer: Trainer, batches: list[Batch], losses: list[Tensor], step: int
    ) -> None:
        """Look at the losses of the block, and note which samples its last steps have learned."""
        for old in list(self._learned)[:-1]:
            del self._learned[old]
        for number, batch in enumerate(batches, step + 1):
            self._learned[number] = batch.sample_ids
        finite = torch.isfinite(torch.stack(losses))
        if not finite.all():
            first = int((~finite).int().argmax())
            at = step + first + 1
            self._notice(f"the loss of step {at:,} is {losses[first].item()}", at, trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at the weights, which the last step may have spoilt, before they are saved."""
        if name := not_finite(pl_module):
            step = trainer.global_step
            self._notice(f"after step {step:,} {name} is not finite", step, trainer)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Where the guard stops the training, say which samples it had just learned."""
        if isinstance(exception, CollapsedError) and not_finite(pl_module):
            where = self.seen or self._samples(trainer.global_step)
            exception.args = (f"{exception}\n  {where}; {_kept(trainer)}",)

    def _notice(self, what: str, step: int, trainer: Trainer) -> None:
        if self.seen:
            return
        self.seen = f"{what}; {self._samples(step)}"
        said = f"training has diverged in epoch {trainer.current_epoch + 1}: {self.seen}"
        if self.reaction == "warn":
            if trainer.is_global_zero:
                print(f"warning: {said}; {_kept(trainer)}", file=sys.stderr)
            return
        if self.look is not None:
            self.look(step)
        raise DivergedError(
            f"{said}; {_kept(trainer)}; lower --optimizer.lr, or find the cause with --guard stop"
        )

    def _samples(self, step: int) -> str:
        """Those of the step, and of the one before, which may have spoilt the weights."""
        said = []
        for number in (step, step - 1):
            if (ids := self._learned.get(number)) is not None:
                named = " ".join(map(str, ids[:MOST_IDS].tolist()))
                more = f" and {len(ids) - MOST_IDS} more" if len(ids) > MOST_IDS else ""
                said.append(f"step {number:,} learned sample ids {named}{more}")
        return "; ".join(said)


def _kept(trainer: Trainer) -> str:
    kept = [c for c in trainer.checkpoint_callbacks if getattr(c, "best_model_path", "")]
    return "the checkpoints are those of before" if kept else "no checkpoint was kept"
