"""Gradients of an `MLP` without autograd: each layer's backward pass, written out.

It computes what autograd would, by the same kernels in the same order, and so to the same bits;
what it saves is the graph, and memory that is asked for and given back at every step.
"""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_mnist.layers_backward import KNOWN, Layer, Linear
from lightning_mnist.network import MLP

aten = torch.ops.aten
Criterion = Callable[[Tensor, Tensor], Tensor]
_WRITTEN_OUT = F.cross_entropy  # torch's own, should anybody put another in its place
_MEAN, _NO_CLASS = 1, -100  # torch's numbers of a reduction, and of a class that is ignored
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class WithoutGraph:
    """Takes the place of a forward and a backward pass through autograd.

    Args:
        network: Its layers are of `KNOWN` kinds, without hooks, on the CPU.
        criterion: Logits [B, C] and labels to a loss, a scalar. `F.cross_entropy` is written out
            too, anything else is differentiated by autograd.
    """

    def __init__(self, network: MLP, criterion: Criterion) -> None:
        self._criterion = criterion
        self._loss = _cross_entropy if criterion is _WRITTEN_OUT else self._differentiated
        self._parameters = list(network.parameters())
        self._layers: list[Layer] = [KNOWN[type(module)](module) for module in network]
        first = next(layer for layer in self._layers if isinstance(layer, Linear))
        first.is_first = True
        self._back = self._layers[self._layers.index(first) :][::-1]

    def __call__(self, pixels: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Put the gradients of a batch into the parameters.

        Args:
            pixels: [B, F].
            labels: [B].

        Returns:
            The loss, a scalar, and the logits [B, C]; both are the caller's to keep.
        """
        for parameter in self._parameters:
            if parameter.grad is None:
                parameter.grad = torch.empty_like(parameter)
        with torch.no_grad():
            outputs = pixels
            for layer in self._layers:
                outputs = layer.forward(outputs)
            logits = outputs.clone()
            loss, gradient = self._loss(logits, labels)
            for layer in self._back:
                gradient = layer.backward(gradient)
        return loss, logits

    @torch.enable_grad()
    def _differentiated(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        leaf = logits.detach().requires_grad_()
        loss = self._criterion(leaf, labels)
        (gradient,) = torch.autograd.grad(loss, leaf)
        return loss.detach(), gradient


def _cross_entropy(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean loss, a scalar, and its gradient [B, C]."""
    shares = torch.log_softmax(logits, 1)
    settings = (None, _MEAN, _NO_CLASS)
    loss, weight = aten.nll_loss_forward(shares, labels, *settings)
    of_shares = aten.nll_loss_backward(torch.ones_like(loss), shares, labels, *settings, weight)
    return loss, aten._log_softmax_backward_data(of_shares, shares, 1, logits.dtype)


def is_known(network: nn.Module) -> bool:
    """Whether `WithoutGraph` computes what autograd would: nothing is changed, hooked or frozen."""
    if type(network) is not MLP or not isinstance(list(network)[-1], nn.Linear):
        return False
    parameters = list(network.parameters())
    return (
        all(type(module) in KNOWN for module in network)
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
