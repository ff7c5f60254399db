"""Programs of other people on the ladder: each planted difference is named rightly."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from parity.arrays import Array, Table
from tests.conftest import SLOW
from tests.parity.ladder.foreign import (
    CLASSES,
    FUSED,
    WEIGHTS,
    Penalised,
    Program,
    Tensor,
    climb,
    focal,
    mixed,
    one_hot,
    smoothed,
    weighted_by_batch,
)


def broadcast(outputs: Tensor, labels: Tensor) -> Tensor:
    return -outputs.log_softmax(1)[:, labels].mean()


def in_float32(number: int) -> type[Program]:
    class Coarse(Program):
        def affine(self, x: Tensor, n: int) -> Tensor:
            if n != number:
                return super().affine(x, n)
            w, b = self.tensors[f"w{n}"], self.tensors[f"b{n}"]
            return (x.float() @ w.float() + b.float()).double()

    return Coarse


class BfloatInside(Program):
    """Weights are kept in float64 and used in bfloat16."""

    def affine(self, x: Tensor, number: int) -> Tensor:
        w, b = (self.tensors[f"{kind}{number}"] for kind in "wb")
        return x @ w.bfloat16().double() + b.bfloat16().double()


class BfloatKept(Program):
    def set_weights(self, weights: Table) -> None:
        super().set_weights(
            {n: torch.tensor(w).bfloat16().double().numpy() for n, w in weights.items()}
        )


class BfloatAfterSteps(Program):
    """Begins with what it is given, and rounds after each step."""

    def step(self, images: Array, labels: Array) -> float:
        loss = super().step(images, labels)
        with torch.no_grad():
            for tensor in self.tensors.values():
                tensor.copy_(tensor.bfloat16())
        return loss


class NoBias(Program):
    def affine(self, x: Tensor, number: int) -> Tensor:
        found = super().affine(x, number)
        return found - self.tensors["b2"] if number == 2 else found


class NormInside(Program):
    """Standardises each row before an activation."""

    def affine(self, x: Tensor, number: int) -> Tensor:
        found = super().affine(x, number)
        return F.layer_norm(found, found.shape[1:]) if number == 2 else found


def to(array: Array, dtype: torch.dtype) -> Array:
    """Numbers of another precision, in float64."""
    rounded: Array = torch.tensor(array).to(dtype).double().numpy()
    return rounded


def norm_rows(images: Tensor) -> Tensor:
    return F.normalize(images.flatten(1), dim=1)


def standardised_rows(images: Tensor) -> Tensor:
    x = images.flatten(1) / 255
    return (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + 1e-7)


def clip_global(gradients: Table) -> Table:
    norm = np.sqrt(sum((g**2).sum() for g in gradients.values()))
    return {name: g * min(1, 0.05 / norm) for name, g in gradients.items()}


def clip_each(gradients: Table) -> Table:
    return {n: g * min(1, 0.02 / np.linalg.norm(g)) for n, g in gradients.items()}


PLANTED: dict[str, tuple[Callable[[], Program], str, str]] = {
    "leaky": (lambda: Program(activation=lambda x: F.leaky_relu(x, 0.01)), "logits", "activation"),
    "elu": (lambda: Program(activation=F.elu), "logits", "activation"),
    "gelu": (lambda: Program(activation=F.gelu), "logits", "activation"),
    "gelu tanh": (
        lambda: Program(activation=lambda x: F.gelu(x, approximate="tanh")), "logits",
        "activation"),
    "silu": (lambda: Program(activation=F.silu), "logits", "activation"),
    "tanh": (lambda: Program(activation=torch.tanh), "logits", "activation"),
    "sigmoid": (lambda: Program(activation=torch.sigmoid), "logits", "activation"),
    "none": (lambda: Program(activation=lambda x: x), "logits", "activation"),
    "softmax, loss from logits": (
        lambda: Program(last=lambda x: x.softmax(1)), "logits", "activation"),
    "relu on logits": (lambda: Program(last=torch.relu), "logits", "activation"),
    "no bias": (NoBias, "logits", "bias not added"),
    "temperature": (lambda: Program(last=lambda x: x / 2), "logits", "temperature"),
    "logits normalised": (
        lambda: Program(last=lambda x: F.normalize(x, dim=1)), "logits",
        "normalisation of each row"),
    "layer norm": (
        lambda: Program(last=lambda x: F.layer_norm(x, (CLASSES,))), "logits",
        "normalisation of each row"),
    "layer in float32": (in_float32(2), "logits", "precision"),
    "last layer in float32": (in_float32(3), "logits", "precision"),
    "bfloat16 inside": (BfloatInside, "logits", "precision"),
    "bfloat16 kept": (BfloatKept, "initial weights", "rounded weight"),
    "bfloat16 after steps": (BfloatAfterSteps, "1 step", "rounded weight"),
    "norm of rows": (
        lambda: Program(pixels=norm_rows), "pixels", "standardisation of each image"),
    "rows standardised": (
        lambda: Program(pixels=standardised_rows), "pixels", "standardisation of each image"),
    "sum": (
        lambda: Program(loss=lambda x, y: F.cross_entropy(x, y, reduction="sum")), "loss",
        "loss reduction"),
    "smoothing": (lambda: Program(loss=smoothed), "loss", "label smoothing"),
    "class weights": (
        lambda: Program(loss=lambda x, y: F.cross_entropy(x, y, WEIGHTS)), "loss",
        "class weights"),
    "class weights over the batch": (
        lambda: Program(loss=weighted_by_batch), "loss", "class weights"),
    "focal": (lambda: Program(loss=focal), "loss", "focal loss"),
    "ignored class": (
        lambda: Program(loss=lambda x, y: F.cross_entropy(x, y, ignore_index=2)), "loss",
        "ignored class"),
    "broadcast": (lambda: Program(loss=broadcast), "loss", "loss broadcast"),
    "L2": (lambda: Penalised(l2=1e-3), "loss", "L2 penalty"),
    "L2 of kernels": (lambda: Penalised(l2=1e-3, kernels=True), "loss", "L2 penalty"),
    "L1": (lambda: Penalised(l1=1e-3), "loss", "L1 penalty"),
    "L1 and L2": (lambda: Penalised(1e-3, 2e-3), "loss", "L1 and L2 penalty"),
    "loss halved": (
        lambda: Program(loss=lambda x, y: F.cross_entropy(x, y) / 3), "loss", "loss reduction"),
    "loss scaled": (
        lambda: Program(loss=lambda x, y: F.cross_entropy(x, y) * 1.37), "loss", "loss scaled"),
    "constant in the loss": (
        lambda: Program(loss=lambda x, y: F.cross_entropy(x, y) + 0.123), "loss",
        "reported loss"),
    "clipped": (lambda: Program(changed=clip_global), "gradients", "global norm clipped"),
    "clipped by tensor": (
        lambda: Program(changed=clip_each), "gradients", "clipped by tensor norm"),
    "clipped by value": (
        lambda: Program(changed=lambda t: {n: np.clip(g, -0.01, 0.01) for n, g in t.items()}),
        "gradients", "clipped by value"),
    "scaled": (
        lambda: Program(changed=lambda t: {n: g * 128 for n, g in t.items()}),
        "gradients", "gradients scaled"),
    "scaled by the number of classes": (
        lambda: Program(changed=lambda t: {n: g * CLASSES for n, g in t.items()}),
        "gradients", "gradients scaled"),
    "signs of gradients": (
        lambda: Program(changed=lambda t: {n: np.sign(g) for n, g in t.items()}), "gradients",
        "signs of the gradients"),
    "centred gradients": (
        lambda: Program(
            changed=lambda t: {n: g - g.mean(0) if g.ndim > 1 else g for n, g in t.items()}),
        "gradients", "centred gradients"),
    "gradients in float32": (
        lambda: Program(changed=lambda t: {n: to(g, torch.float32) for n, g in t.items()}),
        "gradients", "rounded gradients"),
    "gradients in bfloat16": (
        lambda: Program(changed=lambda t: {n: to(g, torch.bfloat16) for n, g in t.items()}),
        "gradients", "rounded gradients"),
    "gradients by their norms": (
        lambda: Program(changed=lambda t: {n: g / np.linalg.norm(g) for n, g in t.items()}),
        "gradients", "normalised gradients"),
    "epsilon in the logarithm": (
        lambda: Program(
            last=lambda x: x.softmax(1), loss=lambda p, y: F.nll_loss(torch.log(p + 1e-6), y)),
        "loss", "epsilon in the logarithm"),
    "ignored and summed": (
        lambda: Program(
            loss=lambda x, y: F.cross_entropy(x, y, ignore_index=1, reduction="sum")),
        "loss", "ignored class and loss reduction"),
    "squared error": (
        lambda: Program(loss=lambda x, y: F.mse_loss(x.softmax(1), one_hot(y), reduction="sum")
                        / len(y)),
        "loss", "squared error"),
    "rows of a layer": (NormInside, "logits", "normalisation of each row"),
    "Kullback-Leibler": (
        lambda: Program(
            last=lambda x: x.softmax(1),
            loss=lambda p, y: (
                one_hot(y).clip(1e-7, 1) * (one_hot(y).clip(1e-7, 1) / p.clip(1e-7, 1)).log()
            ).sum(1).mean()),
        "loss", "Kullback-Leibler divergence"),
    "probabilities and smoothing": (
        lambda: Program(
            last=lambda x: x.softmax(1), loss=lambda p, y: smoothed(torch.log(p), y)),
        "loss", "label smoothing"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("case", "fused"),
    [
        pytest.param(case, fused, marks=() if fused in FUSED[:2] else SLOW)
        for case, (_, rung, _) in PLANTED.items()
        for fused in (FUSED if rung == "logits" else FUSED[:1])
    ],
)
def test_a_planted_difference_is_named_rightly(case: str, fused: str, data: Path) -> None:
    make, rung, cause = PLANTED[case]
    last = climb(*mixed(Program(), make(), fused), data)[-1]
    assert (last.name, last.passed) == (rung, False), last
    assert [found.name for found in last.causes] == [cause], last.causes
    assert last.causes[0].gap <= 1e-9 < last.worst.absolute, last


@pytest.mark.parametrize("case", PLANTED)
def test_so_is_one_of_the_other_side(case: str, data: Path) -> None:
    make, rung, cause = PLANTED[case]
    last = climb(make(), Program(), data)[-1]
    assert (last.name, [found.name for found in last.causes]) == (rung, [cause])


@pytest.mark.parametrize(
    "function", [torch.tanh, F.gelu, F.silu, torch.sigmoid], ids=lambda function: function.__name__
)
def test_a_layer_in_float32_is_seen_through_its_activation(
    function: Callable[[Tensor], Tensor], data: Path
) -> None:
    last = climb(Program(activation=function), in_float32(2)(activation=function), data)[-1]
    assert (last.name, [found.name for found in last.causes]) == ("logits", ["precision"])
