"""Faults in torch that lie between network, loss and loop: named first, and healthy kin left."""

import io
from collections.abc import Callable
from contextlib import redirect_stderr
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset

from parity.torch import CollapseGuard, check
from tests.programs import data
from tests.programs.torch_programs import (
    BCE,
    CROSS,
    Build,
    Faulty,
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


class Recurrent(nn.Module):
    """Takes the first axis for time unless it is told otherwise."""

    def __init__(self, **given: Any) -> None:
        super().__init__()
        self.cell, self.head = nn.GRU(1, 16, **given), nn.Linear(16, 1)

    def forward(self, x: Tensor) -> Any:
        return self.head(self.cell(x)[0][:, -1])


class Noisy(nn.Module):
    """Draws at random in inference too, as the sampling of an encoder does."""

    def __init__(self) -> None:
        super().__init__()
        self.mean, self.head = nn.Linear(4, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Any:
        code = self.mean(x)
        return self.head(code + torch.randn_like(code))


class Attending(nn.Module):
    """Weights its words by a softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.score, self.head = nn.Embedding(50, 8), nn.Linear(8, 1), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Any:
        words = self.table(x)
        return self.head((F.softmax(self.score(words), dim=1) * words).sum(1))


class Listed(nn.Module):
    """Keeps its layers in a list, registered or not."""

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.layers = kind([nn.Linear(2, 16), nn.Linear(16, 16)])
        self.head = nn.Linear(16, 1)

    def forward(self, x: Tensor) -> Any:
        for layer in self.layers:
            x = F.relu(layer(x))
        return self.head(x)


def dead() -> Any:
    model = digits_mlp()
    nn.init.constant_(model[1].bias, -20.0)
    return model


def constant() -> Any:
    model = digits_mlp()
    for weight in model.parameters():
        nn.init.constant_(weight, 0.1)
    return model


def dropping(share: float) -> Any:
    return mlp(784, 32, 10, act=lambda: nn.Sequential(nn.ReLU(), nn.Dropout(share)), flat=True)


def decaying(kind: Any, strength: float) -> Callable[..., Any]:
    return lambda weights: kind(weights, lr=0.001, weight_decay=strength)


FAULTY: dict[str, Faulty] = {
    "softmax for several labels": Faulty(
        "a softmax lets labels exclude each other",
        lambda: Program(mlp(8, 16, 5, last=nn.Softmax(1)), *tensors(data.tags()), nn.BCELoss()),
    ),
    "crossentropy of several labels": Faulty(
        "a softmax lets labels exclude each other",
        lambda: Program(mlp(8, 16, 5), *tensors(data.tags()), CROSS),
    ),
    "crossentropy over one output": Faulty(
        "has a single output",
        lambda: Program(mlp(2, 16, 1), *column(tensors(data.moons())), CROSS),
    ),
    "hidden softmax": Faulty(
        "softmax is the activation of hidden layers",
        lambda: Program(digits_mlp(act=lambda: nn.Softmax(1)), *images(), CROSS),
    ),
    "equal weights": Faulty(
        "initial weights are all the same", lambda: Program(constant(), *images(), CROSS)
    ),
    "time first": Faulty(
        "the samples of a batch are mixed",
        lambda: Program(Recurrent(), *column(tensors(data.waves())), nn.MSELoss()),
    ),
    "log_softmax over the batch": Faulty(
        "softmax is taken over the samples",
        lambda: Program(digits_mlp(last=nn.LogSoftmax(0)), *images(), nn.NLLLoss()),
    ),
    "layers in a list": Faulty(
        "layers are not registered",
        lambda: Program(Listed(list), *column(tensors(data.moons())), BCE),
    ),
    "biases of -20": Faulty(
        "ReLU units are dead from the start", lambda: Program(dead(), *images(), CROSS)
    ),
    "a summed loss": Faulty(
        "the learning rate is too high",
        lambda: Program(digits_mlp(), *images(), nn.CrossEntropyLoss(reduction="sum"), sgd(0.1)),
    ),
    "weight decay of 1": Faulty(
        "the weight decay is too strong",
        lambda: Program(digits_mlp(), *images(), CROSS, decaying(torch.optim.Adam, 1.0)),
    ),
    "dropout of 99 %": Faulty(
        "dropout leaves out nearly everything",
        lambda: Program(dropping(0.99), *images(), CROSS),
    ),
}
HEALTHY: dict[str, Build] = {
    "time second": lambda: Program(
        Recurrent(batch_first=True), *column(tensors(data.waves())), nn.MSELoss()
    ),
    "drawn in inference": lambda: Program(Noisy(), *table(data.flowers), CROSS),
    "softmax of attention": lambda: Program(Attending(), *tensors(data.words()), CROSS),
    "layers in a module list": lambda: Program(
        Listed(nn.ModuleList), *column(tensors(data.moons())), BCE
    ),
    "a summed loss at a small rate": lambda: Program(
        mlp(1, 16, 1), *column(tensors(data.sines())), nn.MSELoss(reduction="sum"), sgd(3e-6)
    ),
    "usual decay": lambda: Program(
        digits_mlp(), *images(), CROSS, decaying(torch.optim.AdamW, 0.1)
    ),
    "half dropped": lambda: Program(dropping(0.5), *images(), CROSS),
    "squared error of one sigmoid": lambda: Program(
        mlp(2, 4, 1, act=nn.Sigmoid, last=nn.Sigmoid()),
        *column(tensors(data.xor())),
        nn.MSELoss(),
        sgd(1.0),
        4,
    ),
    "lstm": lambda: Program(Lstm(), *column(tensors(data.waves())), nn.MSELoss()),
}


@pytest.mark.parametrize("name", FAULTY)
def test_what_is_wrong_is_named_first(name: str) -> None:
    cause, build = FAULTY[name]
    assert cause in build().checked()[0].cause


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_kin_get_no_word(name: str) -> None:
    assert HEALTHY[name]().checked() == []


def trained(program: Program, steps: int, plan: Any = None) -> str:
    """What a guard prints."""
    optimizer = program.optimizer(program.model.parameters())
    plan = plan(optimizer) if plan else None
    chance = torch.Generator().manual_seed(0)
    with (
        redirect_stderr(io.StringIO()) as printed,
        CollapseGuard(program.model, optimizer, program.x, program.y, reaction="warn"),
    ):
        for _ in range(steps):
            picked = torch.randint(len(program.y), (32,), generator=chance)
            optimizer.zero_grad()
            program.loss(program.model(program.x[picked]), program.y[picked]).backward()
            optimizer.step()
            if plan is not None:
                plan.step()
    return printed.getvalue()


SHOWN = {
    "softmax for several labels": "with a logit for each label and the binary crossentropy",
    "crossentropy over one output": "with one logit and the binary crossentropy",
    "hidden softmax": "with ReLU in the hidden layers",
    "weight decay of 1": "without the weight decay",
    "dropout of 99 %": "without dropout",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SHOWN)
def test_the_trial_of_a_cause_is_shown(name: str) -> None:
    cause, build = FAULTY[name]
    printed = trained(build(), 5)
    assert cause in printed.partition("  1. ")[2].partition("\n")[0]
    assert f"tried: {SHOWN[name]} the same network" in printed


@pytest.mark.slow
def test_a_recurrent_layer_that_takes_samples_for_time_is_tried_with_them_first() -> None:
    """Where it makes no difference, that is said: the last of the wave is enough here."""
    printed = trained(FAULTY["time first"].build(), 3)
    assert "the samples of a batch are mixed" in printed.partition("  1. ")[2]
    assert "with batch_first=True" in printed


@pytest.mark.parametrize("turned", ["loss", "optimiser"])
def test_a_loss_that_is_made_larger_is_named_and_the_sign_tried(turned: str) -> None:
    def loss(given: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(given, y) * (-1 if turned == "loss" else 1)

    optimizer = sgd(0.1, maximize=turned == "optimiser")
    printed = trained(Program(mlp(4, 16, 3), *table(data.flowers), loss, optimizer), 3)
    assert "its sign is wrong" in printed.partition("  1. ")[2].partition("\n")[0]
    assert "with the sign turned the same network reads" in printed


def test_a_loss_that_is_negated_twice_or_weighted_goes_down() -> None:
    def loss(given: Tensor, y: Tensor) -> Any:
        return -(-0.3 * BCE(given, y)) + 1e-3 * given.square().mean()

    assert (
        trained(Program(mlp(2, 16, 1), *column(tensors(data.moons())), loss, adam(0.01)), 5) == ""
    )


@pytest.mark.slow
def test_a_schedule_that_falls_to_nothing_is_named() -> None:
    program = Program(digits_mlp(), *images(), CROSS, sgd(0.05))
    printed = trained(program, 300, lambda o: torch.optim.lr_scheduler.StepLR(o, 1, gamma=0.1))
    assert "the schedule of the learning rate brings it to nothing" in printed
    assert "with the learning rate that it was given, 0.05, the same network reads" in printed


@pytest.mark.slow
def test_a_schedule_that_falls_at_the_end_is_not() -> None:
    program = Program(digits_mlp(), *images(), CROSS, adam(0.003))
    plan = torch.optim.lr_scheduler.CosineAnnealingLR
    assert trained(program, 250, lambda o: plan(o, 250)) == ""


class Rare(Dataset[Any]):
    """One sample in two hundred is of the other class, and is read by its number only."""

    def __len__(self) -> int:
        return 2000

    def __getitem__(self, place: int) -> tuple[Tensor, Tensor]:
        return torch.tensor([place / 2000, 1.0]), torch.tensor(float(place % 200 == 7)).view(1)


def test_targets_that_are_alike_in_some_samples_are_not_said_to_be_so_in_all() -> None:
    found = check(mlp(2, 8, 1), DataLoader(Rare(), 32, shuffle=True), loss=BCE)
    assert "all targets are alike" not in [finding.cause for finding in found]
    x, y = column(tensors(data.moons()))
    part = Subset(TensorDataset(x, torch.zeros_like(y)), range(200))
    found = check(mlp(2, 8, 1), DataLoader(part, 32, shuffle=True), loss=BCE)
    assert found[0].cause == "all targets are alike"
