"""Programs of other people on the ladder: what is not known is not named."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from parity.arrays import Array, Table
from parity.readings.cause import UNEXPLAINED
from tests.conftest import mostly_slow
from tests.parity.ladder.foreign import WEIGHTS, Program, Tensor, climb, mixed, one_hot


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
