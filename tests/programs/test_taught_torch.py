"""What a training in torch teaches, or cannot: at its end, and by what is frozen."""

import io
from collections.abc import Callable
from contextlib import redirect_stderr
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import OneCycleLR

from parity.arrays import Array, Ints
from parity.lightning.monitors import few_batches
from parity.torch import CollapseGuard
from parity.torch.facts import facts_of, undrawn
from parity.watch.check import Loss, Remedy
from parity.watch.check.mixed import mixed
from parity.watch.check.telling import shifted
from parity.watch.trials.departing import unpaired
from tests.programs import data
from tests.programs.test_check_causes import CROSS, program
from tests.programs.torch_programs import mlp, table

EPOCH = 13
"""Steps of 32 samples."""


def trained(
    model: nn.Module,
    pair: tuple[Tensor, Tensor],
    *,
    loss: Callable[..., Tensor] = F.cross_entropy,
    rate: float = 0.01,
    steps: int = 200,
    cycle: int = 0,
    each: int = 1,
) -> str:
    """What a guard prints around a loop with Adam; a cycle of the rate moves on each so often."""
    x, y = pair
    optimizer = torch.optim.Adam(model.parameters(), rate)
    schedule = OneCycleLR(optimizer, 10 * rate, total_steps=cycle) if cycle else None
    draw = torch.Generator().manual_seed(0)
    with (
        redirect_stderr(io.StringIO()) as printed,
        CollapseGuard(model, optimizer, x, y, reaction="warn"),
    ):
        for step in range(steps):
            picked = torch.randint(len(y), (32,), generator=draw)
            optimizer.zero_grad()
            loss(model(x[picked]), y[picked]).backward()
            optimizer.step()
            if schedule is not None and step % each == each - 1:
                schedule.step()
    return printed.getvalue()


def dealt(pair: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    x, y = pair
    return x, y[torch.randperm(len(y), generator=torch.Generator().manual_seed(1))]


def test_classes_that_were_shuffled_apart_are_named() -> None:
    said = trained(mlp(4, 16, 3), dealt(table(data.flowers)), rate=0.003)
    assert "samples and targets have nothing to do with each other" in said


class Learns:
    """A trial whose copies come to a score."""

    task = "classes"

    def __init__(self, score: float) -> None:
        self.score = score

    def run(self, remedy: Remedy, steps: int, seconds: float) -> tuple[float, int]:
        return self.score, steps


@pytest.mark.parametrize(
    ("classes", "loss", "score", "little", "said"),
    [(3, CROSS, 0.35, True, True), (3, CROSS, 0.6, True, False), (2, CROSS, 0.5, True, False),
     (2, CROSS, 0.5, False, True), (3, Loss("MSELoss", "distance"), 0.0, True, False)],
    ids=["classes", "learned by a copy", "yes or no", "yes or no, by heart", "numbers"],
)  # fmt: skip
def test_noise_that_some_learn_all_the_same_gets_no_word(
    classes: int, loss: Loss, score: float, little: bool, said: bool
) -> None:
    rng = np.random.default_rng(0)
    noise = program(
        inputs=rng.normal(size=(300, 6)), targets=np.arange(300) % classes, loss=loss,
        outputs=rng.normal(size=(60, classes if loss is CROSS else 1)),
    )  # fmt: skip
    trial: Any = Learns(score)
    assert bool(unpaired(noise, lambda: trial, little=little)) == said


@pytest.mark.parametrize(("features", "window"), [(1, 9), (2, 9), (3, 1)])
def test_windows_of_a_series_meet_their_targets_in_later_rows(features: int, window: int) -> None:
    series = np.random.default_rng(0).normal(size=(400, features))
    x = np.stack([series[row : row + window] for row in range(300)])
    y = series[1 + window : 301 + window, 0]  # those of a table stand one row too early
    found = shifted(program(inputs=x, targets=y, loss=Loss("MSELoss", "distance")), x, y)
    assert (found is None) == (window > 1)


@pytest.mark.parametrize("shape", [(28, 28), (1, 28, 28), (784,)], ids=str)
@pytest.mark.parametrize("moved", [True, False])
def test_images_along_another_axis_are_moved_and_not_reshaped(
    shape: tuple[int, ...], moved: bool
) -> None:
    x, y = data.digits()
    last, trial = np.moveaxis(x, 0, -1), cast("Any", Learns(0.1))
    given = (np.moveaxis(last, -1, 0) if moved else last).reshape(len(x), *shape)
    found = unpaired(program(inputs=given, targets=y, loss=CROSS), lambda: trial, little=True)
    assert (found is None) == moved
    assert found is None or found.matches[0].cause.startswith("the images are scrambled")


@pytest.mark.parametrize(
    ("differ", "rounding", "said"), [(1, 0.0, True), (0, 0.0, False), (0, 0.004, False)]
)
def test_a_single_answer_that_depends_on_the_others_is_seen(
    differ: int, rounding: float, said: bool
) -> None:
    outputs = np.linspace(-1, 1, 64)[:, None]

    def part(chosen: Ints) -> Array:
        answers: Array = outputs[chosen] * (1 + rounding)
        answers[0] += differ
        return answers

    assert mixed(outputs, part, outputs.copy) == said


@pytest.mark.parametrize("rate", [0.01, 30.0])
def test_a_squared_error_of_ones_own_with_the_wrong_sign(rate: float) -> None:
    x, _ = table(data.flowers)
    y = (x[:, :1] - x[:, 1:2]).clone()
    said = trained(
        mlp(4, 16, 1), (x, y / y.std()), loss=lambda p, t: -((p - t) ** 2).mean(), rate=rate
    )
    assert ("own loss teaches the network nothing" in said) == (rate < 1)  # no rate for a copy


@pytest.mark.parametrize("sign", [1, -1])
def test_a_focal_loss_of_ones_own_with_the_wrong_sign(sign: int) -> None:
    def focal(given: Tensor, y: Tensor) -> Tensor:
        p = given.softmax(1).gather(1, y[:, None])
        return -sign * ((1 - p) ** 2 * (p + 1e-8).log()).mean()

    said = trained(mlp(4, 16, 3), table(data.flowers), loss=focal)
    assert ("own loss teaches" in said or "the opposite of its targets" in said) == (sign < 0)


@pytest.mark.parametrize(("last", "weight"), [(nn.Sigmoid(), 0.0), (nn.Identity(), 1e4)])
def test_an_autoencoder_beside_labels_is_asked_for_its_samples(
    last: nn.Module, weight: float
) -> None:
    x, y = table(data.flowers)
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 4), last)

    def own(given: Tensor, _: Tensor) -> Tensor:
        code: Tensor = model[0](fed[-1])
        return F.mse_loss(given, fed[-1]) + weight * code.square().mean()

    fed: list[Tensor] = []
    model.register_forward_pre_hook(lambda _, args: fed.append(args[0]))
    said = trained(model, (x, y), loss=own, steps=200 if weight else 1)
    assert ("sigmoid, cannot give the targets" in said) == (not weight)
    assert ("what is added to it outweighs MSELoss" in said) == (weight > 0)


@pytest.mark.parametrize("each", [1, EPOCH])
def test_a_cycle_of_the_rate_that_counts_epochs_where_it_was_given_batches(each: int) -> None:
    said = trained(mlp(4, 16, 3), table(data.flowers), rate=2e-5, cycle=200, each=each)
    assert ("has not risen as its cycle is to let it" in said) == (each > 1)


def frozen(*layers: nn.Module) -> nn.Sequential:
    for layer in layers:
        layer.requires_grad_(False)
    return nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(2))


def he(layer: nn.Conv2d) -> nn.Module:
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return layer


def taught(layer: nn.Module) -> nn.Module:
    with torch.no_grad():
        next(layer.parameters()).mul_(1.2)
    return layer


@pytest.mark.parametrize(
    ("layers", "count"),
    [
        ((nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 32, 3)), 2),
        ((he(nn.Conv2d(1, 64, 3)), nn.ReLU(), he(nn.Conv2d(64, 64, 3))), 2),
        ((nn.Conv2d(1, 32, 3), nn.ReLU(), taught(nn.Conv2d(32, 32, 3))), 0),
        ((nn.Conv2d(1, 32, 3), nn.ReLU()), 1),
        ((nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 32, 3)), 2),
        ((nn.Conv2d(1, 8, 3), nn.ReLU()), 0),
    ],
    ids=["of torch", "of torchvision", "trained", "random features", "small first", "too small"],
)
def test_frozen_kernels_are_told_from_trained_ones(layers: Any, count: int) -> None:
    model, x = frozen(*layers), torch.randn(8, 1, 8, 8)
    model(x)
    learned = torch.optim.SGD([w for w in model.parameters() if w.requires_grad], 0.1)
    assert undrawn(facts_of(model, x), learned) == count


@pytest.mark.parametrize(
    ("overfit", "batches", "said"),
    [(1, 1, "sees overfit_batches=1: each epoch has 1 of 30"), (0.0, 30, ""), (0.0, 15, ""),
     (0.0, 2, "sees limit_train_batches=2: each epoch has 2 of 30")],
)  # fmt: skip
def test_a_trainer_that_was_told_to_see_few_batches(overfit: Any, batches: int, said: str) -> None:
    trainer: Any = SimpleNamespace(
        overfit_batches=overfit, limit_train_batches=batches, num_training_batches=batches,
        train_dataloader=np.empty(30), fast_dev_run=False,
    )  # fmt: skip
    assert few_batches(trainer).startswith(said)
    assert bool(said) == bool(few_batches(trainer))
