"""A program of other people on the ladder: a tiny network in plain torch, any part replaceable.

Its layers give activated outputs (fused) or the activation as a layer of its own, and its tensors
have names that this project never heard of.
"""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from parity.arrays import Array, Table
from parity.ladder.climb import Climb
from parity.ladder.plan import Plan
from parity.ladder.rung import Rung
from tests.support.in_process import InProcess

CLASSES, HIDDEN = 4, (6, 5)
BATCH, TRAIN = 24, 84
Tensor = torch.Tensor


class Program:
    """A network of two hidden layers, trained with plain gradient descent.

    Args:
        planted: Methods that are replaced, by name.
    """

    fused = True

    def __init__(self, **planted: Any) -> None:
        for name, method in planted.items():
            setattr(self, name, method)
        rng = np.random.default_rng(5)
        sizes = [16, *HIDDEN, CLASSES]
        self.tensors: dict[str, Tensor] = {}
        for number, (wide, narrow) in enumerate(pairwise(sizes), 1):
            for name, shape in ((f"w{number}", (wide, narrow)), (f"b{number}", (narrow,))):
                start = torch.tensor(rng.normal(0, 0.5, shape))
                self.tensors[name] = start.requires_grad_()

    def pixels(self, images: Tensor) -> Tensor:
        return images.flatten(1) / 255

    def activation(self, x: Tensor) -> Tensor:
        return torch.relu(x)

    def affine(self, x: Tensor, number: int) -> Tensor:
        return x @ self.tensors[f"w{number}"] + self.tensors[f"b{number}"]

    def last(self, x: Tensor) -> Tensor:
        return x

    def loss(self, outputs: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(outputs, labels)

    def penalty(self) -> Tensor:
        return torch.zeros((), dtype=torch.float64)

    def changed(self, gradients: Table) -> Table:
        return gradients

    def outputs(self, images: Array) -> dict[str, Tensor]:
        x = self.pixels(torch.tensor(np.array(images)).double())
        given = {"pixels": x}
        for number in (1, 2):
            x = self.affine(x, number)
            if not self.fused:
                given[f"layer {number}"] = x
            x = self.activation(x)
            given[f"layer {number}" if self.fused else f"function {number}"] = x
        return {**given, "logits": self.last(self.affine(x, 3))}

    def weights(self) -> Table:
        return {name: tensor.detach().numpy().copy() for name, tensor in self.tensors.items()}

    def set_weights(self, weights: Table) -> None:
        with torch.no_grad():
            for name, tensor in self.tensors.items():
                tensor.copy_(torch.tensor(weights[name]))

    def forward(self, images: Array, training: bool) -> Table:
        return {name: x.detach().numpy() for name, x in self.outputs(images).items()}

    def gradients(self, images: Array, labels: Array) -> tuple[float, Table]:
        logits = self.outputs(images)["logits"]
        loss = self.loss(logits, torch.tensor(np.array(labels)).long()) + self.penalty()
        found = torch.autograd.grad(loss, list(self.tensors.values()))
        table = {name: g.numpy() for name, g in zip(self.tensors, found, strict=True)}
        return loss.item(), self.changed(table)

    def step(self, images: Array, labels: Array) -> float:
        loss, gradients = self.gradients(images, labels)
        with torch.no_grad():
            for name, tensor in self.tensors.items():
                tensor -= 0.1 * torch.tensor(gradients[name])
        return loss


def climb(a: Program, b: Program, data: Path) -> list[Rung]:
    """All rungs up to the first broken one."""
    sides = InProcess("ours", a), InProcess("theirs", b)
    rungs = []
    for rung in Climb(*sides, None, Plan(data, BATCH), lambda _: None).rungs():
        rungs.append(rung)
        if not rung.passed:
            break
    return rungs


WEIGHTS = torch.tensor([1.0, 2.0, 0.5, 3.0], dtype=torch.float64)


def focal(outputs: Tensor, labels: Tensor) -> Tensor:
    losses = F.cross_entropy(outputs, labels, reduction="none")
    return ((1 - torch.exp(-losses)) ** 2 * losses).mean()


def weighted_by_batch(outputs: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(outputs, labels, WEIGHTS, reduction="sum") / len(labels)


def of_probabilities(outputs: Tensor, labels: Tensor) -> Tensor:
    return F.nll_loss(torch.log(outputs), labels)


def smoothed(outputs: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(outputs, labels, label_smoothing=0.1)


class Penalised(Program):
    def __init__(self, l1: float = 0.0, l2: float = 0.0, kernels: bool = False) -> None:
        super().__init__()
        self.l1, self.l2, self.kernels = l1, l2, kernels

    def penalty(self) -> Tensor:
        chosen = [t for name, t in self.tensors.items() if "w" in name or not self.kernels]
        return sum(self.l1 * t.abs().sum() + self.l2 * (t**2).sum() for t in chosen)  # type: ignore[return-value]


def one_hot(labels: Tensor) -> Tensor:
    return F.one_hot(labels, CLASSES).double()


def mixed(a: Program, b: Program, fused: str) -> tuple[Program, Program]:
    """Both sides with activations fused, neither, or one of them."""
    a.fused, b.fused = fused in ("both", "ours"), fused in ("both", "theirs")
    return a, b


FUSED = ("both", "neither", "ours", "theirs")
