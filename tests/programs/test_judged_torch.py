"""Samples that a program judges its network on, prepared unlike those that it trains on."""

import io
import logging
from contextlib import redirect_stderr
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from parity.lightning import CollapseGuard as LightningGuard
from parity.torch import CollapseGuard, check
from parity.watch.check import Layer, Program, causes_of
from tests.programs.torch_programs import images, mlp

DRAW = np.random.default_rng(0)
SHAPE = DRAW.uniform(size=(8, 8))
NEGATIVES = "validation samples are the negatives"
OTHERWISE = "validation samples are not prepared as those of training"


def pictures(count: int = 64) -> Any:
    """Noisy ones of one thing, from 0 to 1, [N, 8, 8, 1]."""
    return (0.7 * SHAPE + 0.3 * DRAW.uniform(size=(count, 8, 8)))[..., None]


def rows(count: int = 64) -> Any:
    """A table with features of their own units, [N, 4]."""
    return DRAW.normal(size=(count, 4)) * (1, 10, 0.1, 3) + (5, 100, 0, 2)


def named(own: Any, other: Any) -> str:
    kind = "conv" if own.ndim == 4 else "dense"
    fed = {"validation": other.astype(np.float32)}
    known = Program(
        "torch", (Layer(kind, learns=True),), own.astype(np.float32), own, None, others=fed
    )
    return next((match.cause for match in causes_of(known)), "")


def test_negatives_and_other_scales_are_named_and_the_same_kind_is_not() -> None:
    x, other = pictures(), pictures()
    assert named(x, 1 - other).startswith(NEGATIVES)
    assert named((x - 0.5) / 0.5, other).startswith(OTHERWISE)
    assert named(x, (other - 0.1) / 0.3).startswith(OTHERWISE)
    faded = np.where(DRAW.uniform(size=(64, 1, 1, 1)) < 0.3, 1 - x, x)
    noisy = x + DRAW.normal(0, 0.2, x.shape)
    for trained in (x, faded, noisy, 1.2 * x, np.roll(x, 1, axis=1)):
        assert not named(trained, other)
    noise = DRAW.uniform(-1, 1, x.shape)
    assert not named(x, noise)  # of another kind altogether
    assert "  1. " not in loop(4 * torch.randn(128, 784))  # a curve beyond its ends, say
    assert OTHERWISE in loop(127 * torch.rand(128, 784))


def test_a_table_that_is_standardised_in_training_only_is_named() -> None:
    x, other = rows(), rows()
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    scaled = (x - mean) / deviation
    assert named(scaled, other)
    assert not named(scaled, (other - mean) / deviation)
    assert not named(x, other).startswith(OTHERWISE)
    assert not named(scaled, DRAW.uniform(-2.5, 2.5, x.shape))  # where a boundary is drawn


def loop(judged: Tensor, *, training: bool = False) -> str:
    """What a guard says around a loop that looks at `judged` after each epoch."""
    x, y = images()
    x, y = x[:128].flatten(1), y[:128]
    model = nn.Sequential(nn.Linear(784, 16), nn.ReLU(), nn.Linear(16, 10))
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    printed = io.StringIO()
    with redirect_stderr(printed), CollapseGuard(model, optimizer, x, y, reaction="warn"):
        for _ in range(3):
            model.train()
            for part in range(0, 128, 32):
                optimizer.zero_grad()
                F.cross_entropy(model(x[part : part + 32]), y[part : part + 32]).backward()
                optimizer.step()
            model.train(training)
            with torch.no_grad():
                for part in judged.split(50):
                    model(part)
    return printed.getvalue()


def test_a_loop_that_judges_negatives_is_told_so_once() -> None:
    x = images()[0][-200:].flatten(1)
    assert loop(1 - x).count(NEGATIVES) == 1
    assert "after 5 steps one thing looks wrong" in loop(1 - x)
    assert "  1. " not in loop(x)
    assert "  1. " not in loop((1 - x[:20]).repeat(4, 1))  # too few to tell, however often
    assert NEGATIVES not in loop(1 - x, training=True)  # another loss, an adversary's, say


def test_check_tells_negatives_from_what_is_scaled_alike() -> None:
    x, y = images()
    x = x.flatten(1)
    held = (1 - x[128:256], y[128:256])
    (found,) = check(mlp(784, 8, 10), x[:128], y[:128], validation=held)
    assert found.cause.startswith(NEGATIVES)


class Module(LightningModule):
    """Judges what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(784, 16), nn.ReLU(), nn.Linear(16, 10))

    def forward(self, x: Tensor) -> Any:
        return self.net(x)

    def training_step(self, batch: Any, index: int) -> Tensor:
        return F.cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch: Any, index: int) -> None:
        self(batch[0])

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), 0.05)


@pytest.mark.filterwarnings("ignore")
def test_a_trainer_that_validates_on_bytes_is_told_so() -> None:
    x, y = images()
    x = x.flatten(1)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

    def said(held: Tensor) -> str:
        printed = io.StringIO()
        with redirect_stderr(printed):
            Trainer(
                max_epochs=2,
                accelerator="cpu",
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                callbacks=[LightningGuard(reaction="warn")],
            ).fit(
                Module(),
                DataLoader(TensorDataset(x[:128], y[:128]), 32, shuffle=True),
                DataLoader(TensorDataset(held, y[128:256]), 64),
            )
        return printed.getvalue()

    assert OTHERWISE in said(255 * x[128:256])
    assert "  1. " not in said(x[128:256])
