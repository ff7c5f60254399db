"""Two programs of your own on the ladder: softmax regression by hand, and in torch.

python -m parity ladder --a examples.own_pair:by_hand --b examples.own_pair:in_torch
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

Array = NDArray[Any]
Table = dict[str, Array]
LEARNING_RATE = 0.1


class ByHand:
    """Plain gradient descent, every derivative written out."""

    def __init__(self, dtype: str) -> None:
        rng = np.random.default_rng(0)
        self.table = {"kernel": 0.01 * rng.standard_normal((784, 10)), "bias": np.zeros(10)}
        self.table = {name: array.astype(dtype) for name, array in self.table.items()}
        self.dtype = dtype

    def weights(self) -> Table:
        return {name: array.copy() for name, array in self.table.items()}

    def set_weights(self, weights: Table) -> None:
        self.table = {name: weights[name].astype(self.dtype) for name in self.table}

    def forward(self, images: Array, training: bool) -> Table:
        pixels = images.reshape(len(images), -1).astype(self.dtype) / 255
        return {"pixels": pixels, "logits": pixels @ self.table["kernel"] + self.table["bias"]}

    def gradients(self, images: Array, labels: Array) -> tuple[float, Table]:
        passed = self.forward(images, training=True)
        shifted = passed["logits"] - passed["logits"].max(axis=1, keepdims=True)
        logarithms = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        rows = np.arange(len(labels))
        errors = np.exp(logarithms)
        errors[rows, labels] -= 1
        errors /= len(labels)
        gradients = {"kernel": passed["pixels"].T @ errors, "bias": errors.sum(axis=0)}
        return float(-logarithms[rows, labels].mean()), gradients

    def step(self, images: Array, labels: Array) -> float:
        loss, gradients = self.gradients(images, labels)
        for name, gradient in gradients.items():
            self.table[name] -= np.dtype(self.dtype).type(LEARNING_RATE) * gradient
        return loss


class InTorch:
    """The same with a module, autograd and torch.optim.SGD."""

    def __init__(self, dtype: str) -> None:
        self.linear = nn.Linear(784, 10, dtype=getattr(torch, dtype))
        self.optimizer = torch.optim.SGD(self.linear.parameters(), lr=LEARNING_RATE)

    def weights(self) -> Table:
        # Kernels as [in, out] on both sides; torch keeps them as [out, in].
        kernel, bias = (p.detach().clone().numpy() for p in self.linear.parameters())
        return {"kernel": kernel.T, "bias": bias}

    def set_weights(self, weights: Table) -> None:
        with torch.no_grad():
            self.linear.weight.copy_(torch.from_numpy(weights["kernel"].T.copy()))
            self.linear.bias.copy_(torch.from_numpy(weights["bias"].copy()))

    def forward(self, images: Array, training: bool) -> Table:
        pixels = torch.from_numpy(images).flatten(1).to(self.linear.weight.dtype) / 255
        return {"pixels": pixels.numpy(), "logits": self.linear(pixels).detach().numpy()}

    def gradients(self, images: Array, labels: Array) -> tuple[float, Table]:
        pixels = torch.from_numpy(self.forward(images, training=True)["pixels"])
        loss = nn.functional.cross_entropy(self.linear(pixels), torch.from_numpy(labels).long())
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        kernel, bias = (np.array(p.grad) for p in self.linear.parameters())
        return loss.item(), {"kernel": kernel.T, "bias": bias}

    def step(self, images: Array, labels: Array) -> float:
        loss, _ = self.gradients(images, labels)
        self.optimizer.step()
        return loss


def by_hand(flags: list[str], precision: str) -> ByHand:
    """An entry point; what `flags` say is for the sides of this project."""
    return ByHand(precision)


def in_torch(flags: list[str], precision: str) -> InTorch:
    """The other one."""
    return InTorch(precision)
