"""Losses of other people on the ladder: two changes at once are named together."""

from collections.abc import Callable
from pathlib import Path

import pytest
from torch.nn import functional as F

from tests.parity.ladder.foreign import (
    CLASSES,
    WEIGHTS,
    Penalised,
    Program,
    Tensor,
    climb,
    focal,
    one_hot,
    smoothed,
    weighted_by_batch,
)


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


def weighted_and_broadcast(outputs: Tensor, labels: Tensor) -> Tensor:
    """Losses [B] times weights [B, 1]."""
    losses = F.cross_entropy(outputs, labels, reduction="none")
    return (losses * WEIGHTS[labels][:, None]).mean()


def test_weights_that_are_broadcast_are_a_factor(data: Path) -> None:
    weighted = Program(loss=weighted_by_batch)
    last = climb(weighted, Program(loss=weighted_and_broadcast), data)[-1]
    assert (last.name, last.causes[0].name) == ("loss", "class weights and loss scaled")
