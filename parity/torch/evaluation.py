"""Notices a network in the wrong mode: judged as if it were trained, or trained as if judged."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from parity.torch.kinds import kind_of
from parity.watch.check import Match

ENOUGH = 3
"""Calls without gradients after which it is no accident."""


class Evaluation:
    """Watches in which mode an eager module is asked without gradients; `say` is told, once."""

    def __init__(self, module: nn.Module, say: Callable[[Match], object]) -> None:
        kinds = {kind_of(part) for part in module.modules()}
        self.odd = [kind for kind in ("dropout", "batch_norm") if kind in kinds]
        self.say, self.asked = say, 0
        self._handle = module.register_forward_pre_hook(self._called) if self.odd else None

    def close(self) -> None:
        """Watch no more."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None

    def _called(self, module: nn.Module, args: Any) -> None:
        if torch.is_grad_enabled() or not module.training:
            return
        self.asked += 1
        if self.asked == ENOUGH:
            self.close()
            self.say(
                Match(
                    "the network answers in training mode: eval() is missing",
                    f"it was asked {ENOUGH} times without gradients while in training mode, and "
                    f"has {' and '.join(self.odd).replace('_', ' ')}",
                    "Call model.eval() before it is judged, and model.train() after it",
                )
            )


class TrainingMode:
    """Watches in which mode a module takes its steps."""

    def __init__(self, module: nn.Module) -> None:
        self.module, self.steps = module, 0
        self.odd = [part for part in module.modules() if kind_of(part) in ("dropout", "batch_norm")]

    def step(self) -> Match | None:
        """Say, once, that it is trained in inference mode; asked before each step."""
        if not self.odd or self.module.training or any(part.training for part in self.odd):
            self.steps = 0
            return None
        self.steps += 1
        if self.steps != ENOUGH:
            return None
        kinds = sorted({kind_of(part).replace("_", " ") for part in self.odd})
        self.odd = []
        return Match(
            "the network is trained in inference mode: train() is missing",
            f"it was in inference mode in {ENOUGH} steps in a row, and has {' and '.join(kinds)}",
            "Call model.train() before the loop, and again after each model.eval()",
        )
