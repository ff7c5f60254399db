"""What a loop in torch forgets all along: steps, an optimiser, a loss; and healthy kin."""

import io
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from parity.torch import CollapseGuard, check
from tests.programs.test_loops_torch import plants, sgd
from tests.programs.torch_programs import mlp

Step = Callable[[int, Tensor, Tensor], object]


def said(model: nn.Module, optimizer: Optimizer, step: Step, batches: int) -> str:
    """What a guard prints around a loop that does `step` with each batch."""
    x, y = plants()
    with (
        redirect_stderr(io.StringIO()) as printed,
        CollapseGuard(model, optimizer, x, y, reaction="warn"),
    ):
        for batch in range(batches):
            picked = torch.arange(16 * batch, 16 * batch + 32) % len(y)
            step(batch, x[picked], y[picked])
    return printed.getvalue()


def first(printed: str) -> str:
    return printed.partition("  1. ")[2].partition("\n")[0]


def biased() -> Any:
    """A network that answers the first class until it has learned for a while."""
    model = mlp(4, 16, 3)
    with torch.no_grad():
        model[-1].bias += torch.tensor([2.0, 0, 0])
    return model


def gathering(every: int, *, zeroed: bool, rate: float) -> str:
    """A step after so many batches, of the gradients of all or of the last of them."""
    model = biased()
    optimizer = sgd(model, rate)

    def step(batch: int, x: Tensor, y: Tensor) -> None:
        if zeroed:
            optimizer.zero_grad()
        (F.cross_entropy(model(x), y) / every).backward()
        if (batch + 1) % every == 0:
            optimizer.step()
            optimizer.zero_grad()

    return said(model, optimizer, step, 160)


def test_gradients_that_are_thrown_away_before_the_step_are_named() -> None:
    printed = gathering(16, zeroed=True, rate=0.04)
    assert "set to zero before a step has used them: of 16 batches" in first(printed)
    assert "tried: with a step after each batch the same network reads" in printed


def test_too_few_steps_are_named_at_the_end_where_more_of_them_bring_much() -> None:
    printed = gathering(40, zeroed=False, rate=0.05)
    assert "gathered for too long: one step for every 40 batches" in first(printed)
    assert "tried: with a step after each batch the same network reads" in printed


@pytest.mark.parametrize("every", [2, 8])
def test_gradients_that_are_gathered_while_it_learns_are_left_alone(every: int) -> None:
    assert first(gathering(every, zeroed=False, rate=1.0)) == ""


def test_two_passes_for_a_step_of_which_one_counts_are_left_alone() -> None:
    """As those of sharpness-aware minimisation (Foret et al. 2021)."""
    model = mlp(4, 16, 3)
    optimizer = sgd(model, 0.2)

    def step(_: int, x: Tensor, y: Tensor) -> None:
        for _ in range(2):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
        optimizer.step()

    assert first(said(model, optimizer, step, 100)) == ""


def parts(every: int | None) -> str:
    """Two optimisers of one network; that of its first layer takes a step at times, or never."""
    model: Any = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3))
    with torch.no_grad():
        model[0].weight.mul_(0.01)  # as it is drawn, it tells too little
    optimizer = sgd(model[2], 0.05)
    other = None if every is None else sgd(model[0], 0.5)

    def step(batch: int, x: Tensor, y: Tensor) -> None:
        model.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        if other is not None and every and batch % every == 0:
            other.step()

    return said(model, optimizer, step, 100)


def test_a_second_optimiser_that_takes_no_step_is_named() -> None:
    printed = parts(0)
    assert "a second optimiser takes no step" in first(printed)
    assert "0.weight got gradients" in first(printed)
    assert "tried: with all weights trained the same network reads" in printed


@pytest.mark.parametrize("every", [None, 5])
def test_a_head_that_is_trained_alone_and_an_optimiser_at_times_are_left_alone(
    every: int | None,
) -> None:
    assert "second optimiser" not in parts(every)


class Heads(nn.Module):
    """A class and a number, of one body."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 16), nn.ReLU())
        self.name, self.size = nn.Linear(16, 3), nn.Linear(16, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        seen = self.body(x)
        return self.name(seen), self.size(seen)


def heads(chosen: Callable[[int, Sequence[Any]], Any]) -> str:
    """Two losses, of which `chosen` makes the one that is learned."""
    model = Heads()
    optimizer = sgd(model, 0.1)

    def step(batch: int, x: Tensor, y: Tensor) -> None:
        optimizer.zero_grad()
        name, size = model(x)
        losses = F.cross_entropy(name, y), F.mse_loss(size, x[:, :1])
        chosen(batch, losses).backward()
        optimizer.step()

    return said(model, optimizer, step, 60)


def test_a_loss_that_is_left_out_of_the_sum_is_named() -> None:
    printed = first(heads(lambda _, losses: losses[0]))
    assert "a loss is computed and never trained on" in printed
    assert "what MSELoss was given, [32, 1], and size.weight stay" in printed


@pytest.mark.parametrize(
    "chosen",
    [
        lambda _, losses: losses[0] + 0.1 * losses[1],
        lambda batch, losses: losses[batch >= 30],
    ],
    ids=["sum", "in turn"],
)
def test_losses_that_are_added_or_come_in_turn_are_left_alone(chosen: Any) -> None:
    assert "never trained on" not in heads(chosen)


def test_a_loss_that_is_only_told_is_left_alone() -> None:
    model = mlp(4, 16, 3)
    optimizer = sgd(model, 0.1)

    def step(_: int, x: Tensor, y: Tensor) -> None:
        optimizer.zero_grad()
        given = model(x)
        F.mse_loss(given.softmax(1), F.one_hot(y, 3).float())
        F.cross_entropy(given, y).backward()
        optimizer.step()

    assert first(said(model, optimizer, step, 60)) == ""


@pytest.mark.parametrize(("factor", "named"), [(1e-4, True), (1.0, False)])
def test_a_schedule_that_begins_and_stays_low_is_named_at_the_end(
    factor: float, named: bool
) -> None:
    model = biased()
    optimizer = sgd(model, 0.2)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: factor)

    def step(_: int, x: Tensor, y: Tensor) -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        schedule.step()

    printed = said(model, optimizer, step, 220)
    assert ("brings it to nothing: SGD was given 0.2 and is at 2e-05" in printed) == named


def last_of_two(
    loss: Callable[[Tensor, Tensor], Tensor], scale: float = 1.0, rate: float = 1e-3
) -> str:
    """What is said of a second loss, of a number that is `scale` times as large."""
    model = Heads()
    optimizer = sgd(model, rate)

    def step(_: int, x: Tensor, y: Tensor) -> None:
        optimizer.zero_grad()
        name, size = model(x)
        (F.cross_entropy(name, y) + loss(size, scale * x[:, :1])).backward()
        optimizer.step()

    return first(said(model, optimizer, step, 4))


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize(
    ("loss", "scale", "cause"),
    [
        (lambda size, x: F.mse_loss(size, x[:, 0]), 1, "MSELoss: the loss compares each answer"),
        (
            lambda size, x: F.binary_cross_entropy_with_logits(size.sigmoid(), (x > 0).float()),
            1,
            "BCEWithLogitsLoss: sigmoid is applied twice",
        ),
    ],
)
def test_a_mistake_at_the_second_of_two_losses_is_named(
    loss: Any, scale: float, cause: str
) -> None:
    assert last_of_two(loss, scale).startswith(cause)


def test_a_loss_that_outweighs_the_other_is_named_where_that_alone_is_learned() -> None:
    cause = "MSELoss outweighs CrossEntropyLoss: backward() was first called on "
    assert last_of_two(F.mse_loss, 1e6, 0.3).startswith(cause)
    assert last_of_two(F.mse_loss, 1, 0.1) == ""


@pytest.mark.parametrize(
    ("loss", "scale"),
    [
        (F.mse_loss, 1),
        (F.l1_loss, 100),
        (lambda size, x: 1e-9 * F.mse_loss(size, x), 1e6),
        (lambda size, x: F.mse_loss(size, size.detach() + 1e-9 * x), 1),
        (lambda size, x: F.binary_cross_entropy_with_logits(size, (x > 0).float()), 1),
    ],
    ids=["alike", "ages", "weighted", "met", "yes or no"],
)
def test_two_losses_that_fit_are_left_alone(loss: Any, scale: float) -> None:
    assert last_of_two(loss, scale) == ""


@pytest.mark.parametrize("low", [0, -1])
def test_no_and_yes_for_a_loss_that_takes_signs_are_named(low: int) -> None:
    x, y = plants()
    targets = torch.where(y > 0, 1.0, float(low))[:, None]
    model = mlp(4, 8, 1)
    found = check(model, x, targets, loss=nn.SoftMarginLoss(), optimizer=sgd(model))
    assert ["takes -1 for no" in each.cause for each in found] == [True] * (low == 0)


@pytest.mark.parametrize("low", [0, -1])
def test_pairs_that_are_made_in_the_loop_are_no_order_of_classes(low: int) -> None:
    """Whether two samples are of one class, as a rare yes or no, or as signs."""
    model = mlp(4, 8, 3)

    def step(_: int, x: Tensor, y: Tensor) -> None:
        other = torch.randperm(len(x))
        same = torch.where((y == y[other]) & (torch.arange(len(x)) % 4 == 0), 1.0, float(low))
        model.zero_grad()
        F.cosine_embedding_loss(model(x), model(x[other]), same).backward()
        own.step()

    own = sgd(model)
    names = [line for line in said(model, own, step, 3).splitlines() if line.startswith("  1.")]
    assert ["CosineEmbeddingLoss takes -1 for no" in name for name in names] == [True] * (low == 0)


@pytest.mark.parametrize("held", [False, True])
def test_layers_that_no_optimiser_has_are_named(held: bool) -> None:
    torch.manual_seed(0)
    model = mlp(4, 64, 64, 3)
    own = torch.optim.SGD(model[-1].parameters(), 0.1)
    other = torch.optim.SGD(model[:-1].parameters(), 0.1) if held else None

    def step(_: int, x: Tensor, y: Tensor) -> None:
        model.zero_grad()
        F.cross_entropy(model(x), y).backward()
        own.step()
        if other is not None:
            other.step()

    printed = said(model, own, step, 4)
    assert ("the optimiser was not given the weights of layers" in first(printed)) != held
