"""Axes that were given another shape instead of being moved, and dropout that never ends."""

import io
from contextlib import redirect_stderr
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from parity.torch import CollapseGuard, check
from parity.watch.check import Layer, Program, Remedy, causes_of
from parity.watch.trials import Material
from tests.programs.torch_programs import images, mlp

CROSS = nn.CrossEntropyLoss()


def first(found: list[Any]) -> str:
    return found[0].cause if found else ""


def coloured(count: int = 40) -> tuple[Tensor, Tensor]:
    """Clouds in a colour each, [N, 3, 28, 28]."""
    draw = torch.Generator().manual_seed(0)
    clouds = F.interpolate(torch.rand(count, 1, 7, 7, generator=draw), 28, mode="bilinear")
    tints = 0.3 + 0.7 * torch.rand(count, 3, 1, 1, generator=draw)
    return clouds * tints, torch.arange(count) % 10


def convolutions(inputs: int = 3, **given: Any) -> nn.Module:
    body = nn.Conv2d(inputs, 4, 3, stride=2), nn.ReLU()
    return nn.Sequential(*body, nn.Flatten(), nn.LazyLinear(10, **given))


def network(x: Tensor) -> nn.Module:
    model = convolutions()
    model(x[:2])
    return model


def test_colours_that_became_places_are_named_and_those_that_were_moved_are_not() -> None:
    x, y = coloured()
    last = x.permute(0, 2, 3, 1).contiguous()
    for wrong in (last.reshape(x.shape), last.view(-1, 3, 28, 28)):
        assert first(check(network(x), wrong, y, loss=CROSS)).startswith("colours and places")
    grey = x.mean(1, keepdim=True).expand_as(x)
    reshaped = grey.permute(0, 2, 3, 1).reshape(grey.shape)
    assert first(check(network(x), reshaped, y, loss=CROSS)).startswith("colours and places")
    noise = torch.rand(x.shape, generator=torch.Generator().manual_seed(1))
    for right in (x, last.permute(0, 3, 1, 2), x.transpose(2, 3), grey, noise):
        assert not check(network(x), right, y, loss=CROSS)


def test_the_other_order_is_that_of_the_framework_and_its_remedy_restores_it() -> None:
    x = coloured()[0].numpy()
    last = np.ascontiguousarray(np.moveaxis(x, 1, -1))
    wrong = x.reshape(last.shape)
    known = Program("keras", (Layer("conv", learns=True),), last, x, None, inputs=last)
    assert not causes_of(known)
    (match,) = causes_of(replace(known, fed=wrong, inputs=wrong))
    assert "np.moveaxis(x, 1, -1)" in match.advice
    remedy = Remedy("", features="axes moved")
    assert np.array_equal(Material(wrong, np.zeros(40), "classes").features(remedy), last)
    scrambled = last.reshape(x.shape)
    assert np.array_equal(Material(scrambled, np.zeros(40), "classes").features(remedy), x)


def masks() -> tuple[Tensor, Tensor]:
    x, _ = coloured()
    return x, (x.mean(1) > 0.3).long()


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (lambda given, y: CROSS(given.view(-1, 2), y.view(-1)), True),
        (lambda given, y: CROSS(given.reshape(len(y), 28, 28, 2).permute(0, 3, 1, 2), y), False),
        (lambda given, y: CROSS(given, y), False),
        (lambda given, y: CROSS(given.permute(0, 2, 3, 1).reshape(-1, 2), y.view(-1)), False),
        (lambda given, y: CROSS(given.flatten(2), y.flatten(1)), False),
    ],
)
def test_classes_that_became_places_before_the_loss_are_named(loss: Any, said: bool) -> None:
    x, y = masks()
    found = first(check(nn.Conv2d(3, 2, 3, padding=1), x, y, loss=loss))
    assert found.startswith("the classes and the places of the answers are mixed up") == said
    assert bool(found) == said


class Tagger(nn.Module):
    """Answers for each of 8 words, in shares over `axis`; None for logits."""

    def __init__(self, axis: int | None) -> None:
        super().__init__()
        self.axis = axis
        self.table, self.head = nn.Embedding(10, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Any:
        given = self.head(self.table(x))
        return given if self.axis is None else F.log_softmax(given, dim=self.axis)


def words() -> tuple[Tensor, Tensor]:
    x = torch.randint(0, 10, (40, 8), generator=torch.Generator().manual_seed(0))
    return x, x % 3


@pytest.mark.parametrize(
    ("axis", "loss", "cause"),
    [
        (1, lambda g, y: F.nll_loss(g.view(-1, 3), y.view(-1)), "the softmax is taken over the pl"),
        (-1, lambda g, y: F.nll_loss(g.view(-1, 3), y.view(-1)), ""),
        (-1, lambda g, y: F.nll_loss(g.transpose(1, 2), y), ""),
        (None, lambda g, y: CROSS(g.transpose(1, 2), y), ""),
        (None, lambda g, y: CROSS(g.view(-1, 3), y.view(-1)), ""),
        (None, lambda g, y: CROSS(g.view(-1, 3, 8), y), "the classes and the places of the answer"),
    ],
)
def test_shares_over_the_words_and_words_read_as_classes(axis: Any, loss: Any, cause: str) -> None:
    found = first(check(Tagger(axis), *words(), loss=loss))
    assert found.startswith(cause)
    assert bool(found) == bool(cause)


class Dropping(nn.Module):
    """Leaves values out by a function."""

    def __init__(self, drop: Any) -> None:
        super().__init__()
        self.body, self.head, self.drop = nn.Linear(784, 16), nn.Linear(16, 10), drop

    def forward(self, x: Tensor) -> Any:
        return self.head(self.drop(self, F.relu(self.body(x))))


@pytest.mark.parametrize(
    ("drop", "said"),
    [
        (lambda own, x: F.dropout(x, 0.5), True),
        (lambda own, x: F.dropout(x), True),
        (lambda own, x: F.dropout(x, 0.5, own.training), False),
        (lambda own, x: F.dropout(x, 0.5, training=own.training), False),
        (lambda own, x: F.dropout(x, 0.5, training=True), False),  # asked for, as by Monte Carlo
        (lambda own, x: F.dropout(x, 0.0), False),
        (lambda own, x: nn.Dropout(0.5).train(own.training)(x), False),
    ],
)
def test_a_dropout_that_is_not_told_the_mode_is_named(drop: Any, said: bool) -> None:
    x, y = images()
    before = F.dropout
    found = first(check(Dropping(drop), x[:40].flatten(1), y[:40], loss=CROSS))
    assert found.startswith("dropout goes on in inference") == said
    assert bool(found) == said
    assert F.dropout is before


def test_targets_that_a_program_computes_are_not_those_that_were_given() -> None:
    model = mlp(4, 8, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    draw = torch.Generator().manual_seed(0)
    x, stand_in = torch.randn(64, 4, generator=draw), torch.zeros(64, dtype=torch.long)
    with (
        redirect_stderr(io.StringIO()) as printed,
        CollapseGuard(model, optimizer, x, stand_in, reaction="warn"),
    ):
        for _ in range(4):
            optimizer.zero_grad()
            F.smooth_l1_loss(model(x)[:, 0], x[:, 0]).backward()
            optimizer.step()
    assert "alike" not in printed.getvalue()
