"""Loops in torch that spoil a training between their steps: named first, with the trial."""

import io
from collections.abc import Callable
from contextlib import redirect_stderr
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from parity.torch import CollapseGuard, check
from tests.programs import data
from tests.programs.torch_programs import images, mlp, table


def plants() -> Any:
    x, y = table(data.flowers)
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
    return x[order], y[order]


def said(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    steps: int = 8,
    between: Callable[[int], object] = id,
    clip: float = 0.0,
    targets: Any = None,
    pair: Any = None,
) -> str:
    """What a guard prints around a loop; `between` is done before each step."""
    x, y = pair or plants()
    with (
        redirect_stderr(io.StringIO()) as printed,
        CollapseGuard(model, optimizer, x, y, reaction="warn"),
    ):
        for step in range(steps):
            between(step)
            picked = torch.arange(16 * step, 16 * step + 32) % len(y)
            optimizer.zero_grad()
            wanted = y[picked] if targets is None else targets[picked]
            F.cross_entropy(model(x[picked]), wanted).backward()
            if clip:
                nn.utils.clip_grad_value_(model.parameters(), clip)
            optimizer.step()
    return printed.getvalue()


def sgd(model: nn.Module, rate: float = 0.02, **given: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), rate, **given)


def test_weights_that_are_drawn_anew_are_named_and_tried_without() -> None:
    model = mlp(4, 16, 3)

    def again(step: int) -> None:
        if step and step % 4 == 0:
            for layer in model:
                if isinstance(layer, nn.Linear):
                    layer.reset_parameters()

    printed = said(model, sgd(model, 0.01), steps=12, between=again)
    assert "  1. the weights are drawn anew during the training: before step 5" in printed
    assert "tried: with weights that are drawn once" in printed
    assert "  1. " not in said(model, sgd(model, 0.01), steps=12)


def test_the_optimiser_of_another_network_is_not_a_missing_backward() -> None:
    printed = said(mlp(4, 16, 3), sgd(mlp(4, 16, 3)))
    assert "  1. nothing is trainable" in printed
    assert "backward" not in printed


def test_a_body_and_a_head_that_came_after_the_optimiser_are_named() -> None:
    model = mlp(4, 16, 16, 3)
    optimizer = sgd(model)
    model[2], model[4] = nn.Linear(16, 8), nn.Linear(8, 3)
    assert "  1. the last layer is not trained: the optimiser was not given" in said(
        model, optimizer
    )


def test_gradients_that_are_cut_one_by_one_are_seen_at_the_end() -> None:
    torch.manual_seed(0)
    model = mlp(4, 16, 3)
    printed = said(model, sgd(model, 0.1), steps=200, clip=1e-6)
    assert "  1. the gradients are clipped to next to nothing" in printed
    assert "tried: with gradients as long as they are" in printed


def test_losses_of_the_guard_are_not_those_of_the_program() -> None:
    """Its trials of one output compute a loss, of samples in their order."""
    zeros = torch.zeros(len(plants()[1]), dtype=torch.long)
    printed = said(mlp(4, 16, 1), sgd(mlp(4, 16, 1)), targets=zeros, steps=2)
    assert "has a single output" not in printed or "sorted" not in printed


class Twice(nn.Module):
    """A softmax of a softmax; or one."""

    def __init__(self, twice: bool) -> None:
        super().__init__()
        self.layers, self.twice = mlp(784, 32, 10, flat=True), twice

    def forward(self, x: Any) -> Any:
        shares = F.softmax(self.layers(x), 1)
        return F.softmax(shares, 1) if self.twice else shares


def test_a_softmax_of_a_softmax_is_named_and_tried_without_both() -> None:
    x, y = images()

    def loss(shares: Any, y: Any) -> Any:
        return F.nll_loss(torch.log(shares), y)

    model = Twice(twice=True)
    found = check(model, x, y, loss=loss, optimizer=sgd(model))
    assert found[0].cause == "softmax is applied twice in the network"
    model = Twice(twice=False)
    assert check(model, x, y, loss=loss, optimizer=sgd(model)) == []


def test_the_odder_kernel_of_a_recurrent_layer_is_the_one_that_is_looked_at() -> None:
    class Reads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.RNN(1, 16, batch_first=True)
            self.head = nn.Linear(16, 1)

        def forward(self, x: Any) -> Any:
            return self.head(self.cell(x)[0][:, -1])

    x, y = map(torch.as_tensor, data.waves())
    model: Any = Reads()
    target = y.float().reshape(-1, 1)
    assert check(model, x.float(), target, loss=F.mse_loss) == []
    with torch.no_grad():
        model.cell.weight_hh_l0.mul_(20)
    (found,) = check(model, x.float(), target, loss=F.mse_loss)
    assert found.cause == "the initial weights are too large"


def test_an_answer_that_differs_by_rounding_has_no_relu() -> None:
    class Rounds(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers: Any = mlp(4, 16, 3)
            self.calls = 0

        def forward(self, x: Any) -> Any:
            self.calls += 1
            return F.softmax(self.layers(x), 1) * (1 + 1e-7 * self.calls)

    x, y = plants()
    found = check(Rounds(), x, y, loss=F.cross_entropy)
    assert not any("relu" in each.cause for each in found)


def test_a_cross_validation_in_one_guard_gets_no_word() -> None:
    model = mlp(4, 16, 3)

    def again(step: int) -> None:
        if step and step % 24 == 0:  # five epochs
            model[0].reset_parameters()

    assert "drawn anew" not in said(model, sgd(model), steps=60, between=again)


def test_targets_that_a_loss_of_ones_own_need_not_use_are_not_blamed() -> None:
    x, _ = plants()
    model, ones = mlp(4, 16, 1), torch.ones(len(x), 1)
    optimizer = sgd(model)
    with (
        redirect_stderr(io.StringIO()) as printed,
        CollapseGuard(model, optimizer, x, ones, reaction="warn"),
    ):
        for step in range(4):  # a critic
            optimizer.zero_grad()
            (
                model(torch.randn(16, 4)).mean() - model(x[16 * step : 16 * step + 16]).mean()
            ).backward()
            optimizer.step()
    assert "warning" not in printed.getvalue()


class Cut(nn.Module):
    """Hands its features on as `through` makes them."""

    def __init__(self, through: Callable[[Any], Any]) -> None:
        super().__init__()
        self.body, self.head, self.through = nn.Linear(4, 2), nn.Linear(2, 3), through

    def forward(self, x: torch.Tensor) -> Any:
        return self.head(self.through(lambda: torch.tanh(self.body(x))))


def without_gradients(features: Callable[[], Any]) -> Any:
    with torch.no_grad():
        return features()


@pytest.mark.parametrize(
    "through", [lambda made: made().detach(), lambda made: made().data, without_gradients]
)
def test_features_that_are_cut_off_are_named_where_gradients_bring_much(through: Any) -> None:
    model = Cut(through)
    with torch.no_grad():  # features that hardly differ
        model.body.weight.mul_(0.01)
    printed = said(model, sgd(model, 0.3))
    assert "  1. no gradient reaches some of the layers" in printed
    assert "tried: with gradients through detach() and no_grad() the same network" in printed


def test_features_that_are_good_as_they_are_may_be_cut_off() -> None:
    x, y = plants()
    model = Cut(lambda made: made().detach())
    whole = Cut(lambda made: made())
    optimizer = sgd(whole, 0.3)
    for _ in range(300):
        optimizer.zero_grad()
        F.cross_entropy(whole(x), y).backward()
        optimizer.step()
    model.body.load_state_dict(whole.body.state_dict())
    assert "  1. " not in said(model, sgd(model, 0.3))


def test_a_head_that_is_not_trained_cuts_nothing_off() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.head, self.other = mlp(4, 8, 8), nn.Linear(8, 3), nn.Linear(8, 3)

        def forward(self, x: torch.Tensor) -> Any:
            features = self.body(x)
            return self.head(features) + 0 * self.other(features).detach()

    model = Two()
    assert "  1. " not in said(model, sgd(model, 0.3))


def test_an_alarm_about_a_table_does_not_speak_of_images() -> None:
    model = mlp(4, 16, 3)
    printed = said(model, sgd(model, 1e12), steps=20)
    assert "samples are not finite" in printed
    assert "image" not in printed
    assert "pixel" not in printed
