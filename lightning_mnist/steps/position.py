"""Where within an epoch a training is: what a checkpoint needs besides weights and optimiser.

Order and augmentation are functions of seed, epoch and step. What is left is how far the epoch has
come, what dropout draws next, and the scores so far.
"""

from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import distributed

from lightning_mnist.scores import RunningScores

COUNTERS = ("ready", "started", "processed", "completed")


def can_be_saved(trainer: Trainer) -> bool:
    """Whether a training can go on from within an epoch.

    Lightning counts otherwise where it validates within an epoch or ends after so many steps.
    """
    return (
        not trainer.fast_dev_run  # type: ignore[attr-defined]
        and trainer.val_check_interval == 1.0
        and trainer.max_steps < 0
    )


def describe(batches: int, scores: RunningScores, device: torch.device) -> dict[str, Any]:
    """What `restore` needs; of several ranks each must take part, and all are told the same.

    At least one mini-batch has been learned, with these scores on this rank.
    """
    on_gpu = device.type == "cuda"
    generator = torch.cuda.get_rng_state(device) if on_gpu else torch.get_rng_state()
    own = {"scores": scores.state_dict(), "generator": generator}
    ranks = [own]
    if distributed.is_available() and distributed.is_initialized():
        ranks = [own] * distributed.get_world_size()
        distributed.all_gather_object(ranks, own)
    return {"batches": batches, "ranks": ranks}


def restore(
    position: dict[str, Any], rank: int, scores: RunningScores, device: torch.device
) -> int:
    """Have dropout and scores go on from what `describe` gave; the mini-batches learned."""
    own = position["ranks"][rank]
    scores.load_state_dict(own["scores"], device)
    if device.type == "cuda":
        torch.cuda.set_rng_state(own["generator"], device)
    else:
        torch.set_rng_state(own["generator"])
    return int(position["batches"])


def begin_epoch_again(loops: dict[str, Any]) -> None:
    """Change the state of Lightning's loops from within an epoch to between two.

    On its own Lightning would skip the hooks that begin an epoch, and count blocks, whose size may
    be another next time. Optimiser steps stay counted.
    """
    fit = loops["fit_loop"]
    for counts in fit["epoch_progress"].values():
        counts["ready"] = counts["started"] = counts["processed"]
    batches = fit["epoch_loop.batch_progress"]
    for name in COUNTERS:
        batches["total"][name] -= batches["current"][name]
        batches["current"][name] = 0
    fit["epoch_loop.state_dict"]["_batches_that_stepped"] += 1  # Lightning counts a block late
