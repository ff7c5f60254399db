"""Programs of other people on the ladder that train alike climb to the top."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from parity.arrays import Array, Table
from parity.sides.lockstep import read_digits
from tests.parity.ladder.foreign import (
    FUSED,
    HIDDEN,
    WEIGHTS,
    Penalised,
    Program,
    Tensor,
    climb,
    mixed,
    of_probabilities,
    one_hot,
)


class BothProbabilities(Program):
    """Softmax inside and a loss of probabilities."""

    def __init__(self, **planted: Any) -> None:
        super().__init__(last=lambda x: x.softmax(1), loss=of_probabilities, **planted)


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
