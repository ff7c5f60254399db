"""What callbacks and schedules of a Trainer watch, where they take it the wrong way round."""

from typing import Any

from lightning.pytorch import Trainer

from parity.watch.check import Match
from parity.watch.check.monitored import upside_down


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
