"""Changes what a module computes, while it works and without changing the module."""

from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from parity.torch.kinds import kind_of_function, name_of
from parity.watch.check import Remedy
from parity.watch.check.training import SATURATING

_LINEAR = ("linear", "conv1d", "conv2d", "conv3d")


class Intervention(TorchFunctionMode):
    """Leaves out the last activation, or puts ReLUs in the place of others, or between layers.

    Args:
        remedy: What to change.
        activations: How many activations a pass has; the last one is left out for a new head.
        layers: How many layers a pass has that multiply.
        ends: Whether the last activation is what the module gives.
    """

    def __init__(self, remedy: Remedy, activations: int = 0, layers: int = 0, ends: bool = False):
        super().__init__()
        self.remedy, self.ends = remedy, ends
        self.activations, self.layers = activations, layers
        self.seen_activations = self.seen_layers = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Count, and change."""
        name = name_of(func)
        if kind_of_function(func) == "activation" and args:
            self.seen_activations += 1
            last = self.seen_activations == self.activations
            if last and self.ends:
                if self.remedy.head:
                    return args[0]
            elif self.remedy.hidden and name in SATURATING:
                return torch.relu(args[0])
        outputs = func(*args, **(kwargs or {}))
        if name in _LINEAR:
            self.seen_layers += 1
            if self.remedy.between and self.seen_layers < self.layers:
                return torch.relu(outputs)
        return outputs
