"""What a Trainer was told that may be forgotten, or that is the wrong way round."""

from typing import Any

from lightning.pytorch import Trainer

from parity.watch.check import Match
from parity.watch.check.monitored import upside_down

FEW = 0.1
"""Share of the batches of an epoch up to which a limit is no shorter epoch, but a trial."""


def upside_downs(trainer: Trainer) -> list[Match]:
    """Those of early stopping, checkpoints and ``ReduceLROnPlateau``.

    Args:
        trainer: About to train.
    """
    watching: list[tuple[str, Any, Any]] = [
        (type(each).__name__, getattr(each, "monitor", None), getattr(each, "mode", None))
        for each in trainer.callbacks  # type: ignore[attr-defined]
    ]
    for plan in trainer.lr_scheduler_configs:
        name, mode = type(plan.scheduler).__name__, getattr(plan.scheduler, "mode", None)
        watching.append((name, plan.monitor if plan.reduce_on_plateau else None, mode))
    found = [
        upside_down(who, monitor, mode)
        for who, monitor, mode in watching
        if isinstance(monitor, str) and isinstance(mode, str)
    ]
    return [match for match in found if match is not None]


def few_batches(trainer: Trainer) -> str:
    """That each epoch sees few of the batches, which is for trying a program out; else empty."""
    batches, all_batches = trainer.num_training_batches, _length(trainer.train_dataloader)
    if trainer.fast_dev_run or batches > FEW * all_batches:  # type: ignore[attr-defined]
        return ""
    overfits = trainer.overfit_batches  # type: ignore[attr-defined]
    name = "overfit_batches" if overfits else "limit_train_batches"
    return (
        f"sees {name}={getattr(trainer, name)}: each epoch has {batches:,} of {all_batches:,} "
        "batches, which is for trying a program out"
    )


def _length(loader: Any) -> int:
    return len(loader) if hasattr(type(loader), "__len__") else 0
