"""Gradients of an `MLP` without autograd: each layer's backward pass, written out.

It computes what autograd would, by the same kernels in the same order, and so to the same bits;
what it saves is the graph, memory that is asked for and given back at every step, and Python: after
a product has pushed its code out of the processor's caches, each of its calls costs microseconds.
"""

import copy
import sys
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_mnist.network import ACTIVATIONS, MLP, KerasBatchNorm1d
from lightning_mnist.steps import layers_backward
from lightning_mnist.steps.layers_backward import Layers

Criterion = Callable[[Tensor, Tensor], Tensor]
KINDS: dict[type[nn.Module], str] = {
    nn.Linear: "linear",
    nn.BatchNorm1d: "batch_norm",
    KerasBatchNorm1d: "keras_batch_norm",
    nn.Dropout: "dropout",
    **ACTIVATIONS,
}
_WRITTEN_OUT = F.cross_entropy  # torch's own, should anybody put another in its place
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


@cache
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as TorchScript, or where torch has none any more, as it is: the same, slower.

    TorchScript's interpreter is small and stays in the processor's caches.
    """
    if sys.version_info >= (3, 14):  # for which torch no longer promises anything
        return function
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return torch.jit.script(function)  # type: ignore[no-any-return]
    except (AttributeError, OSError, RuntimeError):  # gone, without source, or other kernels
        return function


class WithoutGraph:
    """Takes the place of a forward and a backward pass through autograd.

    Args:
        network: Its layers are of `KINDS`, without hooks, on the CPU.
        criterion: Logits [B, C] and labels to a loss, a scalar. `F.cross_entropy` is written out
            too, anything else is differentiated by autograd.
    """

    def __init__(self, network: MLP, criterion: Criterion) -> None:
        self._criterion = criterion
        modules = list(network)
        self._kinds = [KINDS[type(module)] for module in modules]
        self._parameters = [list(module.parameters()) for module in modules]
        self._buffers = [list(module.buffers()) for module in modules]
        self._numbers = [_numbers(module) for module in modules]
        self._linear = [module if isinstance(module, nn.Linear) else None for module in modules]
        self._rows = 0

    @property
    def is_written_out(self) -> bool:
        """Whether nothing is left to autograd."""
        return self._criterion is _WRITTEN_OUT

    @torch.no_grad()
    def __call__(self, pixels: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Put the gradients of a batch, pixels [B, F] and labels [B], into the parameters.

        Returns:
            The loss, a scalar, and the logits [B, C]; both are the caller's to keep.
        """
        layers = self.layers(len(pixels))
        if self.is_written_out:
            return compiled(layers_backward.step)(pixels, labels, layers)  # type: ignore[no-any-return]
        logits, kept = compiled(layers_backward.forward)(pixels, layers)
        loss, gradient = self._differentiated(logits, labels)
        compiled(layers_backward.backward)(gradient, layers, kept)
        return loss, logits

    def layers(self, rows: int) -> Layers:
        """As they are now, with memory for `rows` images of a batch at least."""
        if rows > self._rows:
            self._rows, self._memory = rows, self._kept_memory(rows)
        gradients: list[list[Any]] = [[p.grad for p in layer] for layer in self._parameters]
        for layer, found in zip(self._parameters, gradients, strict=True):
            for number, parameter in enumerate(layer):
                if found[number] is None:
                    found[number] = parameter.grad = torch.empty_like(parameter)
        tensors = [
            [*(parameter.detach() for parameter in parameters), *buffers]
            for parameters, buffers in zip(self._parameters, self._buffers, strict=True)
        ]
        return self._kinds, tensors, gradients, self._numbers, self._memory

    def _kept_memory(self, rows: int) -> list[list[Tensor]]:
        """For what linear layers answer, and but for the first one for what they were fed."""
        memory: list[list[Tensor]] = []
        for module in self._linear:
            kept: list[Tensor] = []
            if module is not None:
                widths = (
                    [module.out_features, module.in_features]
                    if any(memory)
                    else [module.out_features]
                )
                kept = [module.weight.new_empty(rows, width) for width in widths]
            memory.append(kept)
        return memory

    @torch.enable_grad()
    def _differentiated(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        leaf = logits.detach().requires_grad_()
        loss = self._criterion(leaf, labels)
        (gradient,) = torch.autograd.grad(loss, leaf)
        return loss.detach(), gradient


def _numbers(module: nn.Module) -> list[float]:
    """What a layer's kind needs of its settings."""
    if isinstance(module, nn.Dropout):
        return [1 - module.p]
    if isinstance(module, nn.BatchNorm1d):
        assert module.momentum is not None
        return [module.momentum, module.eps]
    return []


def is_known(network: nn.Module) -> bool:
    """Whether `WithoutGraph` computes what autograd would: nothing is changed, hooked or frozen."""
    if type(network) is not MLP or not isinstance(list(network)[-1], nn.Linear):
        return False
    parameters = list(network.parameters())
    return (
        all(type(module) in KINDS for module in network)
        and not any(getattr(m, name, None) for m in network.modules() for name in _HOOKS)
        and all(p.requires_grad and p.device.type == "cpu" for p in parameters)
        and _agrees(network)
    )


def _agrees(network: MLP) -> bool:
    """Whether a batch through a copy gets autograd's gradients: the kernels are torch's private."""
    copies = [copy.deepcopy(network).train() for _ in range(2)]
    pixels = torch.linspace(0, 1, 4 * network.features, dtype=next(network.parameters()).dtype)
    pixels, labels = pixels.view(4, -1), torch.zeros(4, dtype=torch.int64)
    with torch.random.fork_rng(devices=()), torch.enable_grad():
        state = torch.get_rng_state()
        torch.autograd.backward(F.cross_entropy(copies[0](pixels), labels))
        torch.set_rng_state(state)
        try:
            WithoutGraph(copies[1], F.cross_entropy)(pixels, labels)
        except (AttributeError, RuntimeError, TypeError):
            return False
    pairs = zip(copies[0].parameters(), copies[1].parameters(), strict=True)
    return all(torch.allclose(a.grad, b.grad, rtol=1e-4, equal_nan=True) for a, b in pairs)  # type: ignore[arg-type]
