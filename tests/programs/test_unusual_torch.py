"""Mistakes and unusual but healthy ways to train, in torch loops: named first, or left alone."""

import io
from collections.abc import Callable
from contextlib import redirect_stderr, suppress
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from parity.torch import CollapseGuard, check
from tests.programs import data
from tests.programs.torch_programs import (
    BCE,
    CROSS,
    Attention,
    Lstm,
    Program,
    adam,
    column,
    digits_mlp,
    images,
    mlp,
    sgd,
    table,
    tensors,
)

Turn = Callable[[nn.Module], object]


def said(program: Program, steps: int = 5, *, before: Turn = id, clip: float = 0.0) -> str:
    """What a guard prints around a loop; `before` is done to the module before each step."""
    torch.manual_seed(0)
    model = program.model
    optimizer = program.optimizer([w for w in model.parameters() if w.requires_grad])
    with (
        redirect_stderr(io.StringIO()) as printed,
        suppress(RuntimeError, IndexError),
        CollapseGuard(model, optimizer, program.x, program.y, reaction="warn", trials=False),
    ):
        for step in range(steps):
            before(model)
            picked = torch.arange(step * 16, step * 16 + 32)
            optimizer.zero_grad()
            program.loss(model(program.x[picked]), program.y[picked]).backward()
            if clip:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
    return printed.getvalue()


def plants() -> tuple[Tensor, Tensor]:
    x, y = table(data.flowers)
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
    return x[order], y[order]


def first(printed: str) -> str:
    return printed.partition("  1. ")[2].partition("\n")[0]


def flowers(*last: nn.Module, norm: bool = False) -> nn.Sequential:
    torch.manual_seed(0)
    norms = [nn.BatchNorm1d(16)] if norm else []
    return nn.Sequential(nn.Linear(4, 16), *norms, nn.ReLU(), nn.Linear(16, 3), *last)


class Distances(nn.Module):
    """The distance of a point from itself is 0, and the slope of a root there is infinite."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.head = nn.Linear(4, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Any:
        code = self.first(x)
        return self.head(code) + ((code - code) ** 2).sum(1, keepdim=True).sqrt()


class Placed(Attention):
    """Weights of its own, beside its layers, as a transformer has for places."""

    def __init__(self) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.zeros(12, 8))

    def forward(self, x: Tensor) -> Any:
        return self.head(self.block(self.table(x) + self.places).mean(1)).softmax(-1)


class LastOfBatch(Lstm):
    """`out[-1]` where samples come first."""

    def forward(self, x: Tensor) -> Any:
        return self.head(self.cell(x)[0][-1])


def frozen_head() -> nn.Sequential:
    model = flowers()
    model[-1].requires_grad_(False)
    return model


def words(rows: int) -> nn.Sequential:
    return nn.Sequential(nn.Embedding(rows, 8), nn.Flatten(), nn.Linear(96, 1))


def unknown() -> tuple[Tensor, Tensor]:
    """Words that the vocabulary lacks, up to the padding."""
    x, y = tensors(data.words())
    return 1 * (torch.arange(12) < 4 + x[:, :1] % 9), y


def distances() -> tuple[Tensor, Tensor]:
    x, y = plants()
    return x, F.one_hot(y, 3).float()


FAULTY: dict[str, tuple[str, Callable[[], str]]] = {
    "eval() before the loop": (
        "is trained in inference mode",
        lambda: said(
            Program(flowers(norm=True), *plants(), CROSS), before=nn.Module.eval
        ),
    ),
    "a frozen head": (
        "the last layer is not trained",
        lambda: said(Program(frozen_head(), *plants(), CROSS)),
    ),
    "a head that the optimiser was not given": (
        "the last layer is not trained",
        lambda: said(
            Program(flowers(), *plants(), CROSS, lambda w: torch.optim.Adam(w[:2], 0.01))
        ),
    ),
    "clipped to nothing": (
        "gradients are clipped",
        lambda: said(Program(digits_mlp(), *images(), CROSS, sgd(0.05)), clip=1e-6),
    ),
    "a root of zero": (
        "first gradients are not finite",
        lambda: said(Program(Distances(), *plants(), CROSS)),
    ),
    "arguments swapped": (
        "in the wrong order",
        lambda: said(
            Program(
                mlp(2, 16, 1, last=nn.Sigmoid()),
                *column(tensors(data.moons())),
                lambda given, y: F.binary_cross_entropy(y, given),
            )
        ),
    ),
    "KLDivLoss of probabilities": (
        "KLDivLoss is given probabilities",
        lambda: said(
            Program(flowers(nn.Softmax(1)), *distances(), nn.KLDivLoss(reduction="batchmean"))
        ),
    ),
    "KLDivLoss of a student's warm probabilities": (
        "KLDivLoss is given probabilities",
        lambda: said(
            Program(
                flowers(),
                *distances(),
                lambda z, y: F.kl_div((z / 3).softmax(1), y, reduction="batchmean"),
            )
        ),
    ),
    "softmax over one channel": (
        "softmax over a single unit",
        lambda: said(
            Program(
                nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.Softmax(1)),
                images()[0][:, None],
                (images()[0][:, None] > 0.5).float(),
                F.binary_cross_entropy,
            )
        ),
    ),
    "a network with a table of its own ends in softmax": (
        "softmax is applied twice",
        lambda: said(Program(Placed(), *tensors(data.words()), CROSS)),
    ),
    "all words unknown": (
        "all words are one and the same",
        lambda: said(Program(Attention(), *unknown(), CROSS)),
    ),
    "words beyond the vocabulary": (
        "an embedding has fewer rows",
        lambda: said(Program(words(30), *column(tensors(data.words())), BCE)),
    ),
    "a class ignored": (
        "ignores class 1",
        lambda: said(
            Program(flowers(), *plants(), nn.CrossEntropyLoss(ignore_index=1))
        ),
    ),
    "weights upside down": (
        "leave only class 2",
        lambda: said(
            Program(
                flowers(),
                *plants(),
                nn.CrossEntropyLoss(weight=torch.tensor([1e-4, 1e-4, 1.0])),
            )
        ),
    ),
    "dropout of the logits": (
        "dropout is applied to the outputs",
        lambda: said(Program(flowers(nn.Dropout(0.5)), *plants(), CROSS)),
    ),
    "a momentum of 1": (
        "momentum is too high",
        lambda: said(Program(flowers(), *plants(), CROSS, sgd(0.1, momentum=1.0))),
    ),
    "25 layers": (
        "vanish on their way through 25 layers",
        lambda: said(Program(mlp(784, *[16] * 25, 10, flat=True), *images(), CROSS, sgd(0.01))),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTY)
def test_what_is_wrong_is_named_first(name: str) -> None:
    cause, run = FAULTY[name]
    assert cause in first(run())


def test_the_last_of_a_batch_is_not_the_last_step() -> None:
    x, y = column(tensors(data.waves()))
    (found,) = check(LastOfBatch(), x, y, loss=lambda given, y: F.mse_loss(given, y[: len(given)]))
    assert "answers for the steps of the last sample" in found.cause


def test_masks_of_bytes_are_named() -> None:
    x, _ = images()
    net = nn.Conv2d(1, 1, 3, padding=1)
    (found, *_) = check(net, x[:, None], (x[:, None] > 0.5).float() * 255, loss=BCE)
    assert "outside 0 to 1" in found.cause
    assert "0 and 255" in found.figures


def generator() -> str:
    """Two networks against each other; targets are all 1, or all 0, in turn."""
    torch.manual_seed(0)
    make, judge = mlp(4, 16, 2), mlp(2, 16, 1)
    steps = [torch.optim.Adam(net.parameters(), 0.001) for net in (make, judge)]
    noise, real, yes = torch.randn(300, 4), torch.randn(300, 2), torch.ones(32, 1)
    with (
        redirect_stderr(io.StringIO()) as printed,
        CollapseGuard(judge, steps[1], real, torch.ones(300, 1), trials=False),
    ):
        for place in range(20):
            made = make(noise[place : place + 32])
            steps[1].zero_grad()
            loss = BCE(judge(real[place : place + 32]), yes) + BCE(judge(made.detach()), 0 * yes)
            loss.backward()
            steps[1].step()
            steps[0].zero_grad()
            BCE(judge(made), yes).backward()
            steps[0].step()
    return printed.getvalue()


def other_optimizer() -> str:
    """Each half has an optimiser of its own, and the guard was given one."""
    torch.manual_seed(0)
    x, y = plants()
    model = flowers()
    halves = [torch.optim.Adam(model[part].parameters(), 0.01) for part in (0, 2)]
    with redirect_stderr(io.StringIO()) as printed, CollapseGuard(model, halves[0], x, y):
        for place in range(8):
            for half in halves:
                half.zero_grad()
            F.cross_entropy(model(x[place : place + 32]), y[place : place + 32]).backward()
            for half in halves:
                half.step()
    return printed.getvalue()


def tuned() -> str:
    """A frozen base whose batch normalisation stays as it is, and a head that learns."""

    def base_in_inference(model: nn.Module) -> None:
        model.train()
        model[1].eval()  # type: ignore[index]

    return said(Program(flowers(norm=True), *plants(), CROSS), before=base_in_inference)


HEALTHY: dict[str, Callable[[], str]] = {
    "adversaries": generator,
    "two optimisers": other_optimizer,
    "a base in inference mode": tuned,
    "clipped to 1": lambda: said(
        Program(digits_mlp(), *images(), CROSS, sgd(0.05)), clip=1.0
    ),
    "Adam, clipped to little": lambda: said(
        Program(digits_mlp(), *images(), CROSS, adam(0.001)), clip=1e-4
    ),
    "attention": lambda: said(Program(Attention(), *tensors(data.words()), CROSS)),
    "classes weighted by how rare they are": lambda: said(
        Program(
            mlp(4, 16, 2),
            *tensors(data.rare()),
            nn.CrossEntropyLoss(weight=torch.tensor([0.6, 4.0])),
        )
    ),
    "soft targets": lambda: said(
        Program(
            flowers(nn.LogSoftmax(1)),
            distances()[0],
            0.9 * distances()[1] + 0.1 / 3,
            nn.KLDivLoss(reduction="batchmean"),
        )
    ),
    "an own loss of two terms": lambda: said(
        Program(
            flowers(), *plants(), lambda given, y: CROSS(given, y) + given.square().mean()
        )
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_kin_get_no_warning(name: str) -> None:
    assert "warning" not in HEALTHY[name]()
