"""Ports that have a tensor more, name or order their layers otherwise, or answer with images."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from parity.ladder.together import Climbed, ladder
from parity.readings.cause import UNEXPLAINED

RNG = np.random.default_rng(6)
X, Y = RNG.normal(size=(24, 6)), RNG.integers(0, 3, 24)
TOKENS = RNG.integers(0, 12, (16, 7))
PICTURES = RNG.normal(size=(16, 2, 8, 8))
Optimizer = Callable[[nn.Module], torch.optim.Optimizer]
PAIR = (
    lambda module: torch.optim.SGD(module.parameters(), 0.1, momentum=0.9),
    lambda module: torch.optim.SGD(module.parameters(), 0.1, momentum=0.8),
)


def climbed(
    a: nn.Module,
    b: nn.Module,
    x: np.ndarray = X,
    y: np.ndarray = Y,
    optimizers: tuple[Optimizer, Optimizer] = (PAIR[0], PAIR[0]),
) -> Climbed:
    """All rungs."""
    first, second = (
        (module, of(module), nn.CrossEntropyLoss())
        for module, of in zip((a, b), optimizers, strict=True)
    )
    return ladder(first, second, x, y, batch_size=8, keep_going=True)


def known(done: Climbed) -> dict[str, list[str]]:
    """Names of the causes by broken rung."""
    return {
        rung.name: [cause.name for cause in rung.causes if cause.name != UNEXPLAINED]
        for rung in done.rungs
        if not rung.passed
    }


def dense(*, bias: bool = True, affine: bool = True) -> nn.Module:
    """Two layers and a norm."""
    norm = nn.LayerNorm(5, elementwise_affine=affine)
    return nn.Sequential(nn.Linear(6, 5, bias=bias), norm, nn.Tanh(), nn.Linear(5, 3))


@pytest.mark.parametrize("given", [{"bias": False}, {"affine": False}])
@pytest.mark.parametrize("first", [True, False])
def test_what_one_side_alone_has_ends_no_climb(given: dict[str, bool], *, first: bool) -> None:
    sides = (dense(**given), dense()) if first else (dense(), dense(**given))
    assert known(climbed(*sides)) == {"initial weights": ["extra weight"]}


def test_a_mistake_behind_a_bias_of_one_side_is_named() -> None:
    found = known(climbed(dense(bias=False), dense(), optimizers=PAIR))
    assert found.pop("initial weights") == ["extra weight"]
    assert found["epoch, 3 steps"] == ["momentum"]


class Words(nn.Module):
    """Convolutions of several widths over words, their largest joined."""

    def __init__(self, widths: tuple[int, ...], function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.table = nn.Embedding(12, 4)
        self.branches = nn.ModuleList(nn.Conv1d(4, 3, width) for width in widths)
        self.head = nn.Linear(3 * len(widths), 3)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        x = self.table(x.long()).transpose(1, 2)
        given = [self.function(branch(x)).amax(2) for branch in self.branches]
        answer: Tensor = self.head(torch.cat(given, 1))
        return answer


class Backwards(Words):
    """The same, worked in reverse, and joined as before."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.table(x.long()).transpose(1, 2)
        given = [self.function(branch(x)).amax(2) for branch in reversed(self.branches)]
        answer: Tensor = self.head(torch.cat(given[::-1], 1))
        return answer


def test_widths_in_another_order_are_a_connection() -> None:
    done = climbed(Words((2, 3, 4), F.relu), Words((4, 3, 2), F.relu), TOKENS, Y[:16])
    assert known(done)["logits"] == ["connections"]


def test_widths_that_only_work_in_another_order_are_the_same() -> None:
    assert climbed(Words((2, 3, 4), F.relu), Backwards((2, 3, 4), F.relu), TOKENS, Y[:16]).passed


def test_a_function_of_widths_that_work_in_another_order_is_named() -> None:
    pair = Words((2, 3, 4), torch.tanh), Backwards((2, 3, 4), F.relu)
    assert known(climbed(*pair, TOKENS, Y[:16]))["logits"] == ["activation"]


class Block(nn.Module):
    """A residual block whose way around is worked before or after."""

    def __init__(self, padding: tuple[int, int], *, around_first: bool) -> None:
        super().__init__()
        self.one = nn.Conv2d(2, 4, 3, 2, bias=False)
        self.two = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.around = nn.Conv2d(2, 4, 1, 2)
        self.head = nn.Linear(4, 3)
        self.padding, self.around_first = padding, around_first

    def forward(self, x: Tensor) -> Tensor:
        early = self.around(x) if self.around_first else None
        y = self.two(F.relu(self.one(F.pad(x, self.padding * 2))))
        x = F.relu(y + (self.around(x) if early is None else early))
        answer: Tensor = self.head(x.mean((2, 3)))
        return answer


def test_a_mistake_in_a_block_of_another_order_is_named() -> None:
    pair = Block((0, 1), around_first=True), Block((1, 0), around_first=False)
    assert known(climbed(*pair, PICTURES, Y[:16]))["logits"] == ["padding"]


def test_a_block_of_another_order_is_the_same() -> None:
    pair = Block((0, 1), around_first=True), Block((0, 1), around_first=False)
    assert climbed(*pair, PICTURES, Y[:16]).passed


def test_weights_of_a_loss_follow_the_arithmetic() -> None:
    sides = [dense(), dense()]
    losses = [nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2, w])) for w in (3, 4)]
    a, b = ((side, PAIR[0](side), loss) for side, loss in zip(sides, losses, strict=True))
    found = known(ladder(a, b, X, Y, batch_size=8))
    assert found == {"loss": ["class weights"]}


def test_answers_may_be_images() -> None:
    def side(function: nn.Module) -> tuple[nn.Module, torch.optim.Optimizer, nn.Module]:
        module = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), function, nn.Conv2d(3, 2, 1))
        return module, PAIR[0](module), nn.MSELoss()

    y = RNG.normal(size=PICTURES.shape)
    done = ladder(side(nn.ReLU()), side(nn.ReLU()), PICTURES, y, batch_size=8)
    assert done.passed
    assert "accuracy" not in done.rungs[-1].note


def gated(gate: Callable[[Tensor], Tensor]) -> nn.Module:
    """A gate between two layers."""

    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two, self.head = nn.Linear(6, 5), nn.Linear(6, 5), nn.Linear(5, 3)

        def forward(self, x: Tensor) -> Tensor:
            answer: Tensor = self.head(self.one(x) * gate(self.two(x)))
            return answer

    return Gated()


def test_a_factor_that_is_rounded_on_the_way_back_is_told() -> None:
    done = climbed(gated(F.hardsigmoid), gated(lambda x: F.relu6(x + 3) / 6))
    notes = {rung.name: rung.note for rung in done.rungs}
    assert "one side rounds a factor to float32" in notes["gradients"]
    assert done.passed


def test_a_factor_that_is_no_rounding_is_not() -> None:
    class Off(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: object, *gradients: Tensor) -> Tensor:
            return gradients[0] * (1 + 1e-6)

    found = known(climbed(gated(lambda x: Off.apply(torch.tanh(x))), gated(torch.tanh)))
    assert "rounded factor" not in found["gradients"]


class Inception(nn.Module):
    """Branches of one shape, of which one has no bias, pooled once they are joined."""

    def __init__(self, third: Callable[[Tensor], Tensor], *, reverse: bool) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Conv2d(2, 3, 3, bias=bias) for bias in (True, False))
        self.third, self.function = nn.Conv2d(2, 4, 3), third
        self.head = nn.Linear(10, 3)
        self.reverse = reverse

    def forward(self, x: Tensor) -> Tensor:
        works = [
            lambda: torch.tanh(self.branches[0](x)),
            lambda: F.relu(self.branches[1](x)),
            lambda: self.function(self.third(x)),
        ]
        given = [work() for work in (works[::-1] if self.reverse else works)]
        joined = torch.cat(given[::-1] if self.reverse else given, 1)
        answer: Tensor = self.head(joined.mean((2, 3)))
        return answer


def test_layers_that_all_have_a_partner_have_nothing_to_spare() -> None:
    pair = Inception(F.elu, reverse=True), Inception(F.elu, reverse=False)
    assert climbed(*pair, PICTURES, Y[:16]).passed


def test_a_mistake_among_layers_that_all_have_a_partner_is_the_one_cause() -> None:
    pair = Inception(F.selu, reverse=True), Inception(F.elu, reverse=False)
    assert known(climbed(*pair, PICTURES, Y[:16]))["logits"] == ["activation"]
