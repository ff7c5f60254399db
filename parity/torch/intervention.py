"""Changes what a module computes, while it works and without changing the module."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.modules.dropout import _DropoutNd
from torch.overrides import TorchFunctionMode

from parity.torch.kinds import SHUT, kind_of_function, name_of
from parity.watch.check import Change, Remedy
from parity.watch.check.training import SATURATING

_SQUASHING = (*SATURATING, "softmax")
_DATA = torch.Tensor.data.__get__  # type: ignore[attr-defined]
"""What ``x.data`` calls."""
_LINEAR = ("linear", "conv1d", "conv2d", "conv3d")


@contextmanager
def adjusted(module: nn.Module, remedy: Remedy) -> Iterator[None]:
    """Within, layers have the settings that the remedy asks for."""
    changes: list[tuple[nn.Module, str, Any]] = []
    for part in module.modules():
        if Change.UNDROPPED in remedy and isinstance(part, _DropoutNd):
            changes.append((part, "p", 0.0))
        if Change.BATCH_FIRST in remedy and isinstance(part, nn.RNNBase | nn.MultiheadAttention):
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
    """Leaves out the last activations, or puts ReLUs in the place of others, or between layers.

    Or it lets gradients pass where the network would cut them off.

    Args:
        remedy: What to change.
        activations: How many activations a pass has; the last ones make room for a new head.
        layers: How many layers a pass has that multiply.
        tail: How many activations the pass ends in, each fed what the one before it gives.
        ends: Whether the last activation is what the module gives.
    """

    def __init__(
        self,
        remedy: Remedy,
        activations: int = 0,
        layers: int = 0,
        tail: int = 0,
        ends: bool = False,
    ) -> None:
        super().__init__()
        self.remedy, self.ends = remedy, ends
        self.activations, self.layers, self.tail = activations, layers, tail
        self.seen_activations = self.seen_layers = self.seen_tail = 0
        self._before: Any = None
        """What the last activation gave."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Count, and change."""
        name = name_of(func)
        if Change.ATTACHED in self.remedy and (name == "detach" or func == _DATA):
            return args[0]
        if Change.ATTACHED in self.remedy and name == "_set_grad_enabled":
            return None
        if kind_of_function(func) == "activation" and args:
            self.seen_activations += 1
            self.seen_tail = self.seen_tail + 1 if args[0] is self._before else 1
            if self.ends and self.seen_activations > self.activations - self.tail:
                if self.remedy.head:
                    return args[0]
            elif Change.RELU in self.remedy and name in _SQUASHING:
                return torch.relu(args[0])
        outputs = func(*args, **(kwargs or {}))
        if Change.OPEN in self.remedy and name in SHUT and args and _alike(args[0], outputs):
            return args[0] if name.startswith("cl") else args[0] + (outputs - args[0]).detach()
        if kind_of_function(func) == "activation":
            self._before = outputs
        if name in _LINEAR:
            self.seen_layers += 1
            if Change.RELU_BETWEEN in self.remedy and self.seen_layers < self.layers:
                return torch.relu(outputs)
        return outputs


def _alike(given: Any, outputs: Any) -> bool:
    tensors = isinstance(given, torch.Tensor) and isinstance(outputs, torch.Tensor)
    return tensors and given.shape == outputs.shape and outputs.is_floating_point()
