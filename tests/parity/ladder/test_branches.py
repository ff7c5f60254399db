"""Branches that are joined in another order, and what only looks like them."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import parity
from parity.ladder.exchange import ORDER
from parity.readings.cause import UNEXPLAINED

RNG = np.random.default_rng(5)
X, Y = RNG.normal(size=(24, 6)), RNG.integers(0, 3, 24)
Function = Callable[[Tensor], Tensor]


class Branches(nn.Module):
    """A stem, branches of one shape that are joined in the order in which they work, a head."""

    def __init__(self, functions: Sequence[Function], slope: float = 0.0) -> None:
        super().__init__()
        self.stem = nn.Linear(6, 5)
        self.branches = nn.ModuleList(nn.Linear(5, 4) for _ in functions)
        self.head = nn.Linear(4 * len(functions), 3)
        self.functions, self.slope = functions, slope

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.leaky_relu(self.stem(x), self.slope)
        both = zip(self.functions, self.branches, strict=True)
        given: Tensor = self.head(torch.cat([function(layer(x)) for function, layer in both], 1))
        return given


class Chain(nn.Module):
    """Layers of one shape behind each other."""

    def __init__(self, functions: Sequence[Function]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(6, 6) for _ in functions)
        self.head = nn.Linear(6, 3)
        self.functions = functions

    def forward(self, x: Tensor) -> Tensor:
        for function, layer in zip(self.functions, self.layers, strict=True):
            x = function(layer(x))
        given: Tensor = self.head(x)
        return given


def names(a: nn.Module, b: nn.Module) -> list[str]:
    """Of the causes of the logits' rung."""
    sides = [
        (module, torch.optim.SGD(module.parameters(), 0.1), nn.CrossEntropyLoss())
        for module in (a, b)
    ]
    done = parity.ladder(*sides, X, Y, batch_size=8)
    broken = next(rung for rung in done.rungs if not rung.passed)
    assert broken.name == "logits"
    return [cause.name for cause in broken.causes if cause.name != UNEXPLAINED]


@pytest.mark.parametrize(
    ("of_a", "of_b"),
    [
        ((torch.tanh, torch.relu), (torch.relu, torch.tanh)),
        ((torch.tanh, torch.sigmoid, torch.relu), (torch.relu, torch.tanh, torch.sigmoid)),
    ],
)
def test_another_order_is_one_cause(of_a: Sequence[Function], of_b: Sequence[Function]) -> None:
    assert names(Branches(of_a), Branches(of_b)) == [ORDER]


def test_a_mistake_before_the_branches_hides_nothing() -> None:
    a = Branches((torch.tanh, torch.relu), slope=0.2)
    assert names(a, Branches((torch.relu, torch.tanh))) == ["activation", ORDER]


def test_one_other_function_is_no_other_order() -> None:
    a, b = (torch.sigmoid, torch.tanh), (torch.relu, torch.tanh)
    assert names(Branches(a), Branches(b)) == ["activation"]


def test_layers_behind_each_other_are_no_branches() -> None:
    a, b = (torch.tanh, torch.relu), (torch.relu, torch.tanh)
    assert names(Chain(a), Chain(b)) == ["activation", "activation"]
