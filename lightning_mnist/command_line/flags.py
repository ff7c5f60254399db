"""Flags of Lightning and torch that mean something else here: steps are taken by hand."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from rich.console import Console

from lightning_mnist import short_floats
from lightning_mnist.command_line.progress import BlockProgressBar, EpochLines
from lightning_mnist.errors import InputError
from lightning_mnist.steps.step_callbacks import GradientClipping

SCALED = ("16-mixed", "16", 16)
"""Values of ``--trainer.precision`` with which the loss is scaled."""


def fuse_optimizer(config: Namespace) -> None:
    """Have the optimiser update all weights in one call, where it can and nobody has chosen.

    Raises:
        InputError: a fused optimiser is asked for that would see gradients clipped while scaled.
    """
    chosen = config.optimizer and config.optimizer.get("init_args")
    if not chosen or "fused" not in chosen:
        return
    if config.trainer.precision in SCALED and config.trainer.gradient_clip_val:
        if chosen.fused:
            raise InputError(
                "--optimizer.fused true: cannot clip the gradients of a scaled loss; expected "
                "false, or --trainer.precision bf16-mixed, or no --trainer.gradient_clip_val"
            )
    elif chosen.fused is None and chosen.get("foreach") is None:
        chosen.fused = True


def step_callbacks(config: Namespace) -> list[Callback]:
    """What stands in for flags of the trainer that want one optimiser step a call.

    Raises:
        InputError: gradients are to be accumulated.
    """
    if config.accumulate_grad_batches != 1:
        raise InputError(
            f"--trainer.accumulate_grad_batches {config.accumulate_grad_batches}: expected 1; "
            "choose a --data.batch_size as many times as large, which takes the same step"
        )
    callbacks: list[Callback] = []
    if config.gradient_clip_val:
        callbacks.append(GradientClipping(config.gradient_clip_val, config.gradient_clip_algorithm))
    if config.precision in short_floats.PRECISIONS:
        callbacks.append(short_floats.WatchForSlowFloats())
    bars = [c for c in as_list(config.callbacks) if isinstance(c, ProgressBar)]
    if config.enable_progress_bar is not False and not bars:
        callbacks.append(BlockProgressBar() if Console().is_terminal else EpochLines())
    return callbacks


def tensorboard(run_dir: Path | None) -> TensorBoardLogger | bool:
    """A TensorBoard logger where TensorBoard is installed; history.csv is always written."""
    if run_dir is None or find_spec("tensorboard") is None:
        return False
    return TensorBoardLogger(run_dir, name="", version="tensorboard")


def as_list(value: Any) -> list[Any]:
    """What a flag that takes one or several holds."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
