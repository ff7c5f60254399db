"""How many optimiser steps each call of Lightning's training loop takes: a block of them."""

import copy
import time
from collections.abc import Callable
from typing import Literal

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint, ProgressBar, Timer
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_mnist.data.batches import Batch
from lightning_mnist.errors import InputError

StepsPerExecution = int | Literal["auto"]
MOST_STEPS = 32
"""Of a block that nobody has asked for: longer ones save nothing that could be measured."""
BLOCK_SECONDS = 0.25
"""As long as such a block may take: signals, progress, which is drawn four times a second, and the
end of training are seen between blocks."""


def check_asked(asked: StepsPerExecution) -> None:
    """Refuse what is no number of steps.

    Raises:
        InputError: it is below 1.
    """
    if asked != "auto" and asked < 1:
        raise InputError(f"--model.steps_per_execution is {asked}; expected auto or at least 1")


def steps_per_execution(
    asked: StepsPerExecution, trainer: Trainer, step: Callable[[], float], mini_batches: int
) -> int:
    """Mini-batches in a block.

    Args:
        asked: A number, or "auto" for as many as are worth it: 1 for slow steps, for several
            ranks, and where something looks at every batch.
        trainer: Has its callbacks.
        step: Measures the seconds of a step; asked only where they matter.
        mini_batches: In an epoch.

    Raises:
        InputError: several are asked for where something looks at every batch, or a checkpoint is
            wanted every so many minutes.
    """
    keepers = [c for c in trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint)]
    if any(keeper._train_time_interval for keeper in keepers):
        raise InputError(
            "a ModelCheckpoint with train_time_interval: Lightning ignores it here; "
            "give it every_n_epochs or every_n_train_steps"
        )
    watched = _watched_by(trainer)
    if asked != "auto":
        if asked > 1 and watched:
            raise InputError(
                f"--model.steps_per_execution {asked}: {watched} looks at every batch; "
                "choose 1, or auto, which does"
            )
        steps = asked
    elif watched or trainer.world_size > 1:
        steps = 1
    else:
        steps = max(1, min(MOST_STEPS, mini_batches, int(BLOCK_SECONDS / step())))
    # A training that ends within an epoch must not end in its last block: Lightning would take the
    # epoch for finished.
    rest = max(0, trainer.max_steps) % mini_batches
    while rest > (mini_batches - 1) // steps * steps:
        steps -= 1
    return steps


def seconds_of_a_step(
    network: nn.Module, prepare: Callable[[Batch, int], tuple[Tensor, Tensor]], batch: Batch
) -> float:
    """Of preparing a batch, forward and backward, on a copy that is thrown away."""
    network = copy.deepcopy(network)
    first = next(network.parameters())
    seconds = []
    for _ in range(3):  # whatever else the machine does makes them longer, never shorter
        started = time.perf_counter()
        pixels, targets = prepare(batch, 0)
        loss = F.cross_entropy(network(pixels), targets)
        loss.backward()  # type: ignore[no-untyped-call]
        assert first.grad is not None
        first.grad.sum().item()  # waits for the device
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def _watched_by(trainer: Trainer) -> str | None:
    """What looks at every batch, if anything does."""
    interval = trainer.val_check_interval
    if isinstance(interval, int | float) and interval != 1.0:
        return f"--trainer.val_check_interval {interval}"
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, ModelCheckpoint) and callback._every_n_train_steps:
            return "a checkpoint every few steps"
        if not isinstance(callback, Checkpoint | ProgressBar | Timer) and overrides(
            callback, Callback, ("on_train_batch_start", "on_train_batch_end")
        ):
            return f"the callback {type(callback).__name__}"
    return None


def overrides(instance: object, base: type, names: tuple[str, ...]) -> bool:
    """Whether the class of `instance` has its own of any of these methods of `base`."""
    return any(getattr(type(instance), name) is not getattr(base, name) for name in names)
