"""Changes what a module computes, while it works and without changing the module."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.modules.dropout import _DropoutNd
from torch.overrides import TorchFunctionMode

from parity.torch.kinds import kind_of_function, name_of
from parity.watch.check import Remedy
from parity.watch.check.training import SATURATING

_SQUASHING = (*SATURATING, "softmax")
_LINEAR = ("linear", "conv1d", "conv2d", "conv3d")


@contextmanager
def adjusted(module: nn.Module, remedy: Remedy) -> Iterator[None]:
    """Within, layers have the settings that the remedy asks for."""
    changes: list[tuple[nn.Module, str, Any]] = []
    for part in module.modules():
        if remedy.undropped and isinstance(part, _DropoutNd):
            changes.append((part, "p", 0.0))
        if remedy.batch_first and isinstance(part, nn.RNNBase):
            changes.append((part, "batch_first", True))
    before = [(part, name, getattr(part, name)) for part, name, _ in changes]
    try:
        for part, name, value in changes:
            setattr(part, name, value)
        yield
    finally:
        for part, name, value in before:
            setattr(part, name, value)


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
            elif self.remedy.hidden and name in _SQUASHING:
                return torch.relu(args[0])
        outputs = func(*args, **(kwargs or {}))
        if name in _LINEAR:
            self.seen_layers += 1
            if self.remedy.between and self.seen_layers < self.layers:
                return torch.relu(outputs)
        return outputs
