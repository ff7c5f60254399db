"""The layers of an `MLP`, forward and backward, without autograd.

Written in the part of Python that TorchScript knows, so that a whole step is one call of it.
"""

import torch
from torch import Tensor

Layers = tuple[
    list[str], list[list[Tensor]], list[list[Tensor]], list[list[float]], list[list[Tensor]]
]
"""Each layer's kind, its tensors, their gradients, its numbers and memory that is kept.

| kind | tensors | numbers |
|---|---|---|
| linear | weight [O, I], bias [O] | |
| batch_norm, keras_batch_norm | and moving mean, variance, count | momentum, epsilon |
| dropout | | share kept |
| an activation | | |

Weight and bias have gradients; a linear layer's memory is for its outputs [B, O] and, but for the
first, for the gradient of its inputs [B, I].
"""


def step(pixels: Tensor, labels: Tensor, layers: Layers) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy, a scalar, and logits [B, C]; parameters get their gradients."""
    logits, kept = forward(pixels, layers)
    loss, gradient = cross_entropy(logits, labels)
    backward(gradient, layers, kept)
    return loss, logits


def forward(pixels: Tensor, layers: Layers) -> tuple[Tensor, list[list[Tensor]]]:
    """Logits [B, C] of pixels [B, F], new ones, and what each layer keeps for `backward`."""
    kinds, tensors, _, numbers, memory = layers
    kept: list[list[Tensor]] = []
    x = pixels
    for i in range(len(kinds)):
        kind = kinds[i]
        if kind == "linear":
            kept.append([x])
            weight, bias = tensors[i][0], tensors[i][1]
            if i == len(kinds) - 1:
                x = torch.addmm(bias, x, weight.t())
            else:
                y = memory[i][0].narrow(0, 0, x.size(0))
                x = torch.addmm(bias, x, weight.t(), out=y)
        elif kind == "relu":  # in place, as in the network; what it overwrites, nobody looks at
            x = torch.relu_(x)
            kept.append([x])
        elif kind == "dropout":  # drawn as `torch.nn.functional.dropout` draws on the CPU
            share = numbers[i][0]
            mask = torch.empty_like(x).bernoulli_(share).div_(share)
            kept.append([mask])
            x = x * mask
        elif kind == "batch_norm" or kind == "keras_batch_norm":
            y, mean, scale = batch_norm(x, kind == "batch_norm", tensors[i], numbers[i])
            kept.append([x, mean, scale])
            x = y
        else:
            y = activation(kind, x)
            kept.append([x, y])
            x = y
    return x, kept


def batch_norm(
    x: Tensor,
    usual: bool,
    tensors: list[Tensor],
    numbers: list[float],
) -> tuple[Tensor, Tensor, Tensor]:
    """Normalise over the batch, and move the averages, torch's way or Keras'."""
    weight, bias, mean, variance, count = tensors
    momentum, epsilon = numbers[0], numbers[1]
    if usual:
        y, m, s = torch.native_batch_norm(x, weight, bias, mean, variance, True, momentum, epsilon)
    else:
        y, m, s = torch.native_batch_norm(x, weight, bias, None, None, True, momentum, epsilon)
        v, u = torch.var_mean(x, [0], correction=0)
        mean.mul_(1 - momentum).add_(u, alpha=momentum)
        variance.mul_(1 - momentum).add_(v, alpha=momentum)
    count.add_(1)
    return y, m, s


def activation(kind: str, x: Tensor) -> Tensor:
    """That of the kind, anew."""
    y = x
    if kind == "gelu":
        y = torch.ops.aten.gelu(x, approximate="none")
    elif kind == "silu":
        y = torch.ops.aten.silu(x)
    elif kind == "elu":
        y = torch.ops.aten.elu(x)
    elif kind == "tanh":
        y = torch.tanh(x)
    else:
        y = torch.sigmoid(x)
    return y


def cross_entropy(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean loss, a scalar, and its gradient [B, C]."""
    mean, no_class = 1, -100  # torch's numbers of a reduction, and of a class that is ignored
    shares = torch.log_softmax(logits, 1)
    loss, weight = torch.ops.aten.nll_loss_forward(shares, labels, None, mean, no_class)
    of_shares = torch.ops.aten.nll_loss_backward(
        torch.ones_like(loss), shares, labels, None, mean, no_class, weight
    )
    return loss, torch.ops.aten._log_softmax_backward_data(of_shares, shares, 1, logits.dtype)


def backward(gradient: Tensor, layers: Layers, kept: list[list[Tensor]]) -> None:
    """From the gradient of the logits [B, C] to those of the parameters."""
    kinds, tensors, gradients, numbers, memory = layers
    g = gradient
    for j in range(len(kinds)):
        i = len(kinds) - 1 - j
        kind = kinds[i]
        if kind == "linear":
            torch.mm(g.t(), kept[i][0], out=gradients[i][0])
            torch.sum(g, [0], out=gradients[i][1])
            if len(memory[i]) < 2:  # the first one: nobody asks for that of its inputs
                return
            y = memory[i][1].narrow(0, 0, g.size(0))
            g = torch.mm(g, tensors[i][0], out=y)
        elif kind == "relu":
            g = torch.ops.aten.threshold_backward(g, kept[i][0], 0, grad_input=g)
        elif kind == "dropout":
            g = g * kept[i][0]
        elif kind == "batch_norm" or kind == "keras_batch_norm":
            x, mean, scale = kept[i]
            g, weight, bias = torch.ops.aten.native_batch_norm_backward(
                g, x, tensors[i][0], None, None, mean, scale, True, numbers[i][1],
                [True, True, True],
            )  # fmt: skip
            gradients[i][0].copy_(weight)
            gradients[i][1].copy_(bias)
        else:
            g = activation_backward(kind, g, kept[i][0], kept[i][1])


def activation_backward(kind: str, g: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The kernel that autograd calls, of what came in and went out."""
    of_inputs: Tensor = g
    if kind == "gelu":
        of_inputs = torch.ops.aten.gelu_backward(g, x, approximate="none")
    elif kind == "silu":
        of_inputs = torch.ops.aten.silu_backward(g, x)
    elif kind == "elu":
        of_inputs = torch.ops.aten.elu_backward(g, 1.0, 1, 1, False, x)
    elif kind == "tanh":
        of_inputs = torch.ops.aten.tanh_backward(g, y)
    else:
        of_inputs = torch.ops.aten.sigmoid_backward(g, y)
    return of_inputs
