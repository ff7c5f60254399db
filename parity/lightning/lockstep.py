"""Any LightningModule as a side of the divergence ladder: its own training step and optimiser."""

import warnings
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from parity.torch import lockstep
from parity.torch.kinds import learns
from parity.torch.network import Array


class LockStep(lockstep.LockStep):
    """A LightningModule that is being trained; see `parity.sides.lockstep.LockStep`.

    Its layers are those of ``forward``, or of its one module with weights where it has none. The
    loss is that of ``training_step``, which is given a batch ``(x, y)``.

    Args:
        module: Optimises automatically, with one optimiser.
        dtype: ``float64`` or ``float32``, by name or as torch's.

    Raises:
        ValueError: another kind of module.
    """

    def __init__(self, module: LightningModule, dtype: torch.dtype | str = "float32") -> None:
        name = type(module).__name__
        if not module.automatic_optimization:
            raise ValueError(
                f"{name} takes its optimiser steps by hand; expected automatic optimisation, or "
                "give (module, optimizer, loss)"
            )
        network = answering(module)
        if network is None:
            raise ValueError(f"{name} has no forward(), and not one module with weights but more")
        self.lightning = module
        optimizer, self.schedules = optimizer_of(module)
        super().__init__(module, optimizer, _no_loss, dtype)
        self.network = network

    def step(self, images: Array, labels: Array) -> float:
        """One optimiser step, and one of each schedule that goes by steps."""
        loss = super().step(images, labels)
        for schedule in self.schedules:
            schedule.step()
        return loss

    def training_loss(self, x: Any, labels: Array) -> Tensor:
        """The loss that ``training_step`` gives for a batch."""
        values = torch.from_numpy(np.array(labels)).to(self.lightning.device)
        y = values.to(self.dtype) if values.is_floating_point() else values.long()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*`self.trainer` reference is not registered")
            given: Any = self.lightning.training_step((x, y), 0)
        loss = given["loss"] if isinstance(given, dict) else given
        if not isinstance(loss, Tensor):
            raise ValueError(f"training_step gave {type(loss).__name__}; expected a loss")
        return loss


def _no_loss(given: Tensor, labels: Tensor) -> Tensor:
    raise NotImplementedError("the loss is that of training_step")


def answering(module: LightningModule) -> nn.Module | None:
    """What answers: the module itself where it has ``forward``, else its one part with weights."""
    if type(module).forward is not LightningModule.forward:
        return module
    parts = [part for part in module.children() if learns(part)]
    return parts[0] if len(parts) == 1 else None


def optimizer_of(module: LightningModule) -> tuple[Optimizer, list[LRScheduler]]:
    """The one optimiser that ``configure_optimizers`` gives, and its schedules that go by steps.

    Of those that go by epochs the first epoch shows nothing.

    Raises:
        ValueError: it gives no optimiser, or several.
    """
    configured: Any = module.configure_optimizers()
    schedules: Any = []
    if isinstance(configured, list | tuple) and len(configured) == 2:
        first, second = configured
        if isinstance(first, list) and isinstance(second, list):
            configured, schedules = first, second
    found = list(configured) if isinstance(configured, list | tuple) else [configured]
    schedules += [e["lr_scheduler"] for e in found if isinstance(e, dict) and "lr_scheduler" in e]
    found = [entry["optimizer"] if isinstance(entry, dict) else entry for entry in found]
    if len(found) != 1 or not isinstance(found[0], Optimizer):
        kinds = ", ".join(type(entry).__name__ for entry in found)
        raise ValueError(
            f"{type(module).__name__}.configure_optimizers gives {kinds}; expected one optimiser"
        )
    by_steps = [
        plan["scheduler"]
        for plan in schedules
        if isinstance(plan, dict) and plan.get("interval") == "step"
    ]
    return found[0], by_steps
