"""The layers of an `MLP`, forward and backward, without autograd."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn

from lightning_mnist.network import KerasBatchNorm1d

aten = torch.ops.aten


class Layer(Protocol):
    """One layer forward and backward; what it gives may be overwritten by its next call."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs [B, I] to outputs [B, O]."""

    def backward(self, gradient: Tensor) -> Tensor:
        """Gradient of the outputs [B, O] to that of the inputs [B, I]; parameters get theirs."""


class Linear:
    """Products into memory that is kept."""

    is_first = False
    """Whether nobody asks for the gradient of its inputs."""

    def __init__(self, module: nn.Linear) -> None:
        self._module = module
        self._outputs = self._gradient = module.weight.new_empty(0, 0)

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs times weights, and the bias."""
        self._inputs = inputs
        if len(self._outputs) < len(inputs):
            self._outputs = inputs.new_empty(len(inputs), self._module.out_features)
            self._gradient = inputs.new_empty(len(inputs), self._module.in_features)
        outputs = self._outputs[: len(inputs)]
        return torch.addmm(self._module.bias, inputs, self._module.weight.t(), out=outputs)

    def backward(self, gradient: Tensor) -> Tensor:
        """Products with what came in, and with the weights."""
        assert self._module.weight.grad is not None
        assert self._module.bias.grad is not None
        torch.mm(gradient.t(), self._inputs, out=self._module.weight.grad)
        torch.sum(gradient, 0, out=self._module.bias.grad)
        if self.is_first:
            return gradient
        return torch.mm(gradient, self._module.weight, out=self._gradient[: len(gradient)])


class BatchNorm:
    """Batch normalisation in training, torch's own or with Keras' averages."""

    def __init__(self, module: nn.BatchNorm1d) -> None:
        self._module = module
        self._keras = isinstance(module, KerasBatchNorm1d)
        assert module.momentum is not None
        self._momentum = module.momentum

    def forward(self, inputs: Tensor) -> Tensor:
        """Normalise over the batch, and move the averages."""
        module, self._inputs = self._module, inputs
        averages = (None, None) if self._keras else (module.running_mean, module.running_var)
        outputs, self._mean, self._scale = torch.native_batch_norm(
            inputs, module.weight, module.bias, *averages, True, self._momentum, module.eps
        )
        if isinstance(module, KerasBatchNorm1d):
            module.track(inputs)
        elif module.num_batches_tracked is not None:
            module.num_batches_tracked.add_(1)
        return outputs

    def backward(self, gradient: Tensor) -> Tensor:
        """Through mean and variance of the batch too."""
        module = self._module
        inputs, weight, bias = aten.native_batch_norm_backward(
            gradient, self._inputs, module.weight, None, None, self._mean, self._scale,
            True, module.eps, [True, True, True],
        )  # fmt: skip
        assert module.weight.grad is not None
        assert module.bias.grad is not None
        module.weight.grad.copy_(weight)
        module.bias.grad.copy_(bias)
        return inputs  # type: ignore[no-any-return]


class Dropout:
    """Zeros at random, drawn as `torch.nn.functional.dropout` draws them on the CPU."""

    def __init__(self, module: nn.Dropout) -> None:
        self._kept = 1 - module.p

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs times 0 or 1 / share kept."""
        self._mask = torch.empty_like(inputs).bernoulli_(self._kept).div_(self._kept)
        return inputs * self._mask

    def backward(self, gradient: Tensor) -> Tensor:
        """Times the same."""
        return gradient * self._mask


class ReLU:
    """In place, as in the network; what it overwrites, nobody looks at."""

    def __init__(self, _: nn.ReLU) -> None:
        pass

    def forward(self, inputs: Tensor) -> Tensor:
        """Negative ones are 0."""
        self._outputs = torch.relu_(inputs)
        return self._outputs

    def backward(self, gradient: Tensor) -> Tensor:
        """Where the output is above 0."""
        return aten.threshold_backward.grad_input(  # type: ignore[no-any-return]
            gradient, self._outputs, 0, grad_input=gradient
        )


class Activation:
    """Any other activation."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module

    def forward(self, inputs: Tensor) -> Tensor:
        """The module's own."""
        outputs: Tensor = self._module(inputs)
        self._inputs, self._outputs = inputs, outputs
        return outputs

    def backward(self, gradient: Tensor) -> Tensor:
        """The kernel that autograd calls."""
        kernel = _BACKWARD[type(self._module)]
        return kernel(gradient, self._inputs, self._outputs)


_BACKWARD: dict[type[nn.Module], Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    nn.GELU: lambda gradient, x, y: aten.gelu_backward(gradient, x, approximate="none"),
    nn.SiLU: lambda gradient, x, y: aten.silu_backward(gradient, x),
    nn.ELU: lambda gradient, x, y: aten.elu_backward(gradient, 1.0, 1, 1, False, x),
    nn.Tanh: lambda gradient, x, y: aten.tanh_backward(gradient, y),
    nn.Sigmoid: lambda gradient, x, y: aten.sigmoid_backward(gradient, y),
}
KNOWN: dict[type[nn.Module], Callable[..., Layer]] = {
    nn.Linear: Linear,
    nn.BatchNorm1d: BatchNorm,
    KerasBatchNorm1d: BatchNorm,
    nn.Dropout: Dropout,
    nn.ReLU: ReLU,
    **dict.fromkeys(_BACKWARD, Activation),
}
