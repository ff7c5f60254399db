"""Programs of other people on the ladder: each planted difference is named rightly, or not at all.

Tiny networks in plain torch, whose layers give activated outputs (fused) or the activation as a
layer of its own, and whose tensors have names that this project never heard of.
"""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from parity.arrays import Array, Table
from parity.ladder.climb import Climb, Plan
from parity.ladder.rung import Rung
from parity.readings.cause import UNEXPLAINED
from parity.sides.lockstep import read_digits
from tests.conftest import SLOW, mostly_slow
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


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of 4 x 4 pixels."""
    rng = np.random.default_rng(3)
    path = tmp_path_factory.mktemp("foreign") / "tiny.npz"
    np.savez(
        path,
        x_train=rng.integers(0, 256, (TRAIN, 4, 4)).astype(np.uint8),
        y_train=rng.integers(0, CLASSES, TRAIN),
        x_test=rng.integers(0, 256, (12, 4, 4)).astype(np.uint8),
        y_test=rng.integers(0, CLASSES, 12),
    )
    return path


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


def broadcast(outputs: Tensor, labels: Tensor) -> Tensor:
    return -outputs.log_softmax(1)[:, labels].mean()


def of_probabilities(outputs: Tensor, labels: Tensor) -> Tensor:
    return F.nll_loss(torch.log(outputs), labels)


def smoothed(outputs: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(outputs, labels, label_smoothing=0.1)


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


class Penalised(Program):
    def __init__(self, l1: float = 0.0, l2: float = 0.0, kernels: bool = False) -> None:
        super().__init__()
        self.l1, self.l2, self.kernels = l1, l2, kernels

    def penalty(self) -> Tensor:
        chosen = [t for name, t in self.tensors.items() if "w" in name or not self.kernels]
        return sum(self.l1 * t.abs().sum() + self.l2 * (t**2).sum() for t in chosen)  # type: ignore[return-value]


class NoBias(Program):
    def affine(self, x: Tensor, number: int) -> Tensor:
        found = super().affine(x, number)
        return found - self.tensors["b2"] if number == 2 else found


class BothProbabilities(Program):
    """Softmax inside and a loss of probabilities."""

    def __init__(self, **planted: Any) -> None:
        super().__init__(last=lambda x: x.softmax(1), loss=of_probabilities, **planted)


class NormInside(Program):
    """Standardises each row before an activation."""

    def affine(self, x: Tensor, number: int) -> Tensor:
        found = super().affine(x, number)
        return F.layer_norm(found, found.shape[1:]) if number == 2 else found


def to(array: Array, dtype: torch.dtype) -> Array:
    """Numbers of another precision, in float64."""
    rounded: Array = torch.tensor(array).to(dtype).double().numpy()
    return rounded


def one_hot(labels: Tensor) -> Tensor:
    return F.one_hot(labels, CLASSES).double()


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


def weighted_smoothed(outputs: Tensor, labels: Tensor) -> Tensor:
    """Smoothed labels, and a weight for each image, as Keras does it."""
    soft = one_hot(labels) * 0.9 + 0.1 / CLASSES
    return (WEIGHTS[labels] * -(soft * outputs.log_softmax(1)).sum(1)).mean()


def penalised(loss: Callable[[Tensor, Tensor], Tensor], **terms: float) -> Callable[[], Program]:
    def make() -> Program:
        program = Penalised(**terms)  # type: ignore[arg-type]
        program.loss = loss  # type: ignore[assignment, method-assign]
        return program

    return make


def summed(outputs: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(outputs, labels, reduction="sum")


TWO_AT_ONCE: dict[str, tuple[Callable[[], Program], str]] = {
    "smoothed and weighted": (
        lambda: Program(loss=lambda x, y: F.cross_entropy(x, y, WEIGHTS, label_smoothing=0.1)),
        "label smoothing and class weights",
    ),
    "smoothed and weighted by image": (
        lambda: Program(loss=weighted_smoothed), "label smoothing and class weights"),
    "smoothed and ignored": (
        lambda: Program(
            loss=lambda x, y: F.cross_entropy(x, y, label_smoothing=0.1, ignore_index=2)),
        "label smoothing and ignored class",
    ),
    "smoothed and summed": (
        lambda: Program(
            loss=lambda x, y: F.cross_entropy(x, y, label_smoothing=0.1, reduction="sum")),
        "label smoothing and loss reduction",
    ),
    "weighted and ignored": (
        lambda: Program(loss=lambda x, y: F.cross_entropy(x, y, WEIGHTS, ignore_index=1)),
        "ignored class and class weights",
    ),
    "smoothed and L2": (penalised(smoothed, l2=1e-3), "label smoothing and L2 penalty"),
    "smoothed and L1": (penalised(smoothed, l1=1e-3), "label smoothing and L1 penalty"),
    "summed and L2": (penalised(summed, l2=1e-3), "loss reduction and L2 penalty"),
    "focal and L2 of kernels": (
        penalised(focal, l2=1e-3, kernels=True), "focal loss and L2 penalty"),
    "weighted and L2": (
        penalised(lambda x, y: F.cross_entropy(x, y, WEIGHTS), l2=1e-3),
        "class weights and L2 penalty",
    ),
    "weighted, L1 and L2": (
        penalised(lambda x, y: F.cross_entropy(x, y, WEIGHTS), l1=1e-3, l2=1e-3),
        "class weights and L1 and L2 penalty",
    ),
    "summed and cooled": (
        lambda: Program(loss=lambda x, y: F.cross_entropy(x / 2, y, reduction="sum")),
        "temperature in the loss and loss reduction",
    ),
    "cooled": (
        lambda: Program(loss=lambda x, y: 4 * F.cross_entropy(x / 2, y)),
        "temperature in the loss",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TWO_AT_ONCE)
def test_two_changes_of_the_loss_are_named_together(case: str, data: Path) -> None:
    make, cause = TWO_AT_ONCE[case]
    last = climb(Program(), make(), data)[-1]
    assert (last.name, [found.name for found in last.causes]) == ("loss", [cause])
    assert last.causes[0].gap <= 1e-9 < last.worst.absolute, last


def mixed(a: Program, b: Program, fused: str) -> tuple[Program, Program]:
    """Both sides with activations fused, neither, or one of them."""
    a.fused, b.fused = fused in ("both", "ours"), fused in ("both", "theirs")
    return a, b


FUSED = ("both", "neither", "ours", "theirs")


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


def weighted_and_broadcast(outputs: Tensor, labels: Tensor) -> Tensor:
    """Losses [B] times weights [B, 1]."""
    losses = F.cross_entropy(outputs, labels, reduction="none")
    return (losses * WEIGHTS[labels][:, None]).mean()


def test_weights_that_are_broadcast_are_a_factor(data: Path) -> None:
    weighted = Program(loss=weighted_by_batch)
    last = climb(weighted, Program(loss=weighted_and_broadcast), data)[-1]
    assert (last.name, last.causes[0].name) == ("loss", "class weights and loss scaled")


@pytest.mark.parametrize(
    "function", [torch.tanh, F.gelu, F.silu, torch.sigmoid], ids=lambda function: function.__name__
)
def test_a_layer_in_float32_is_seen_through_its_activation(
    function: Callable[[Tensor], Tensor], data: Path
) -> None:
    last = climb(Program(activation=function), in_float32(2)(activation=function), data)[-1]
    assert (last.name, [found.name for found in last.causes]) == ("logits", ["precision"])


def binary(outputs: Tensor, labels: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(outputs, one_hot(labels))


def binary_of_probabilities(outputs: Tensor, labels: Tensor) -> Tensor:
    return F.binary_cross_entropy(outputs, one_hot(labels))


class OneMore(Program):
    """Also gives what a layer makes that passes everything on."""

    def outputs(self, images: Array) -> dict[str, Tensor]:
        given = super().outputs(images)
        logits = given.pop("logits")
        return {**given, "nothing": list(given.values())[-1], "logits": logits}


class GivenTwice(Program):
    """Doubles what it tells of a layer, not what it does with it."""

    def outputs(self, images: Array) -> dict[str, Tensor]:
        given = super().outputs(images)
        return {**given, "layer 1": 2 * given["layer 1"]}


class Column(Program):
    """Reads its labels as a column."""

    def read(self, path: Path) -> Table:
        return {n: x[:, None] if n.startswith("y") else x for n, x in read_digits(path).items()}

    def loss(self, outputs: Tensor, labels: Tensor) -> Tensor:
        return super().loss(outputs, labels[:, 0])


class Normed(Program):
    """Batch norm after its first layer; statistics that follow it at its own speed."""

    def __init__(self, epsilon: float = 1e-3, keeps: float = 0.9, sample: bool = False) -> None:
        super().__init__()
        self.epsilon, self.keeps, self.sample = epsilon, keeps, sample
        self.tensors["norm.gamma"] = torch.ones(HIDDEN[0]).double().requires_grad_()
        self.tensors["norm.beta"] = torch.zeros(HIDDEN[0]).double().requires_grad_()
        self.tracked = {
            "norm.running_mean": torch.zeros(HIDDEN[0]).double(),
            "norm.running_var": torch.ones(HIDDEN[0]).double(),
        }
        self.training = False

    def outputs(self, images: Array) -> dict[str, Tensor]:
        x = self.pixels(torch.tensor(np.array(images)).double())
        first = self.affine(x, 1)
        mean, variance = self.tracked.values()
        if self.training:
            mean, variance = first.mean(0), first.var(0, unbiased=False)
        scaled = (first - mean) / torch.sqrt(variance + self.epsilon)
        normed = scaled * self.tensors["norm.gamma"] + self.tensors["norm.beta"]
        second = torch.relu(self.affine(torch.relu(normed), 2))
        given = {"pixels": x, "layer 1": first, "norm": normed, "layer 2": second}
        return {**given, "logits": self.affine(second, 3)}

    def weights(self) -> Table:
        return {**super().weights(), **{n: t.numpy().copy() for n, t in self.tracked.items()}}

    def set_weights(self, weights: Table) -> None:
        super().set_weights(weights)
        self.tracked = {name: torch.tensor(weights[name]) for name in self.tracked}

    def forward(self, images: Array, training: bool) -> Table:
        self.training = training
        return super().forward(images, training)

    def gradients(self, images: Array, labels: Array) -> tuple[float, Table]:
        self.training = True
        return super().gradients(images, labels)

    def step(self, images: Array, labels: Array) -> float:
        first = self.outputs(images)["layer 1"].detach()
        loss = super().step(images, labels)
        seen = first.mean(0), first.var(0, unbiased=self.sample)
        for (name, old), new in zip(self.tracked.items(), seen, strict=True):
            self.tracked[name] = self.keeps * old + (1 - self.keeps) * new
        return loss


@pytest.mark.parametrize(
    ("changed", "rung", "cause"),
    [
        ({"epsilon": 1e-5}, "logits", "batch-norm epsilon"),
        ({"keeps": 0.99}, "1 step", "batch-norm momentum"),
        ({"sample": True}, "1 step", "batch-norm variance"),
        ({}, "test images", None),
    ],
    ids=str,
)
def test_batch_norm_of_any_name_is_read(
    changed: dict[str, Any], rung: str, cause: str | None, data: Path
) -> None:
    last = climb(Normed(), Normed(**changed), data)[-1]
    assert (last.name, last.passed) == (rung, cause is None), last
    assert [found.name for found in last.causes] == [cause] * (cause is not None)


HEALTHY: dict[str, tuple[Callable[[], Program], Callable[[], Program], str]] = {
    "the same": (Program, Program, ""),
    "activations": (
        lambda: Program(activation=F.gelu),
        lambda: Program(activation=lambda x: x / 2 * (1 + torch.erf(x * 0.5**0.5))), ""),
    "probabilities against logits": (BothProbabilities, Program, "the same training"),
    "logits against probabilities": (Program, BothProbabilities, "the same training"),
    "probabilities on both": (BothProbabilities, BothProbabilities, ""),
    "log-probabilities against logits": (
        lambda: Program(last=lambda x: x.log_softmax(1), loss=F.nll_loss), Program,
        "the same training"),
    "log-probabilities against probabilities": (
        lambda: Program(last=lambda x: x.log_softmax(1), loss=F.nll_loss), BothProbabilities,
        "the same training"),
    "logits moved by a constant a row": (
        lambda: Program(last=lambda x: x - x.max(1, keepdim=True).values), Program,
        "the same training"),
    "sigmoid inside against binary cross-entropy of logits": (
        lambda: Program(last=torch.sigmoid, loss=binary_of_probabilities),
        lambda: Program(loss=binary), "the same training"),
    "a layer more, which does nothing": (OneMore, Program, ""),
    "a layer more on the other side": (Program, OneMore, ""),
    "a layer that is given otherwise": (GivenTwice, Program, "layer 1"),
    "labels as a column": (Column, Column, ""),
    "both penalised": (lambda: Penalised(1e-3, 2e-3), lambda: Penalised(1e-3, 2e-3), ""),
    "both weighted": (
        lambda: Program(loss=lambda x, y: F.cross_entropy(x, y, WEIGHTS)),
        lambda: Program(loss=lambda x, y: F.cross_entropy(x, y, WEIGHTS * 2)), ""),
}  # fmt: skip


@pytest.mark.parametrize("fused", FUSED)
@pytest.mark.parametrize("case", HEALTHY)
def test_the_same_training_climbs_to_the_top(case: str, fused: str, data: Path) -> None:
    ours, theirs, note = HEALTHY[case]
    rungs = climb(*mixed(ours(), theirs(), fused), data)
    assert (rungs[-1].name, rungs[-1].passed) == ("test images", True), rungs[-1]
    assert note in next(rung.note for rung in rungs if rung.name == "logits")


class Noisy(Program):
    """Its second layer adds noise, the same for the same images."""

    def affine(self, x: Tensor, number: int) -> Tensor:
        found = super().affine(x, number)
        rng = np.random.default_rng(number)
        return found + 0.01 * torch.tensor(rng.normal(size=found.shape)) * (number == 2)


def noisy(gradients: Table) -> Table:
    rng = np.random.default_rng(1)
    return {n: g + 0.01 * rng.normal(size=g.shape) for n, g in gradients.items()}


def noisy_first(gradients: Table) -> Table:
    return {**gradients, "w1": noisy(gradients)["w1"]}


def of_each_image(outputs: Tensor, labels: Tensor) -> Tensor:
    """Images weigh differently, not by their class."""
    weights = torch.linspace(0.5, 2, len(labels), dtype=torch.float64)
    return (weights * F.cross_entropy(outputs, labels, reduction="none")).mean()


class NoisySteps(Program):
    """Adds noise to its weights after each step."""

    taken = 0

    def step(self, images: Array, labels: Array) -> float:
        loss = super().step(images, labels)
        self.taken += 1
        rng = np.random.default_rng(self.taken)
        with torch.no_grad():
            for tensor in self.tensors.values():
                tensor += 1e-3 * torch.tensor(rng.normal(size=tensor.shape))
        return loss


UNKNOWN: dict[str, tuple[Callable[[], Program], str]] = {
    "noise in a layer": (Noisy, "logits"),
    "noise after each step": (NoisySteps, "1 step"),
    "sine": (lambda: Program(activation=lambda x: torch.sin(3 * x)), "logits"),
    "cubic activation": (lambda: Program(activation=lambda x: x**3), "logits"),
    "pixels with noise": (
        lambda: Program(
            pixels=lambda x: x.flatten(1) / 255
            + 0.01 * torch.tensor(np.random.default_rng(0).normal(size=(len(x), 16)))),
        "pixels"),
    "images weigh differently": (lambda: Program(loss=of_each_image), "loss"),
    "hinge loss": (lambda: Program(loss=F.multi_margin_loss), "loss"),
    "entropy as a reward": (
        lambda: Program(loss=lambda x, y: F.cross_entropy(x, y)
                        + 0.01 * (x.softmax(1) * x.log_softmax(1)).sum(1).mean()),
        "loss"),
    "squared logits in the loss": (
        lambda: Program(loss=lambda x, y: F.cross_entropy(x, y) + 0.01 * (x**2).mean()), "loss"),
    "normaliser in the loss": (
        lambda: Program(
            loss=lambda x, y: F.cross_entropy(x, y) + 1e-3 * (x.logsumexp(1) ** 2).mean()),
        "loss"),
    "margin": (
        lambda: Program(loss=lambda x, y: F.cross_entropy(x - 0.3 * one_hot(y), y)), "loss"),
    "power of probabilities": (
        lambda: Program(
            last=lambda x: x.softmax(1),
            loss=lambda p, y: (1 - p.gather(1, y[:, None]) ** 0.7).mean() / 0.7),
        "loss"),
    "half of the batch": (
        lambda: Program(loss=lambda x, y: F.cross_entropy(x[: len(x) // 2], y[: len(x) // 2])),
        "loss"),
    "hardest images": (
        lambda: Program(
            loss=lambda x, y: F.cross_entropy(x, y, reduction="none").topk(len(y) // 2)[0].mean()),
        "loss"),
    "labels of other images": (
        lambda: Program(loss=lambda x, y: F.cross_entropy(x, y.roll(1))), "loss"),
    "positive weights": (
        lambda: Program(
            loss=lambda x, y: F.binary_cross_entropy_with_logits(
                x, one_hot(y), pos_weight=WEIGHTS)),
        "loss"),
    "loss to a power": (lambda: Program(loss=lambda x, y: F.cross_entropy(x, y) ** 2), "loss"),
    "noise in the gradients": (lambda: Program(changed=noisy), "gradients"),
    "noise in one gradient": (lambda: Program(changed=noisy_first), "gradients"),
    "dead last layer": (lambda: Program(last=lambda x: x * 0 + 1.5), "logits"),
}  # fmt: skip


@pytest.mark.parametrize("fused", mostly_slow(["both", "neither"], "both"))
@pytest.mark.parametrize("case", mostly_slow(UNKNOWN, *set(UNKNOWN) - {"noise after each step"}))
def test_what_is_not_known_is_not_named(case: str, fused: str, data: Path) -> None:
    make, rung = UNKNOWN[case]
    last = climb(*mixed(Program(), make(), fused), data)[-1]
    assert (last.name, last.passed) == (rung, False), last
    assert {found.name for found in last.causes} <= {UNEXPLAINED}, last.causes
