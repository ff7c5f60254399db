"""A penalty in one side's loss and weight decay in the other's optimiser; schedules in float32."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from parity.ladder.together import Climbed, ladder
from tests.parity.ladder.test_constants import Net, X, Y


def side(*, penalty: float = 0.0, optimizer: type = torch.optim.SGD, **how: Any) -> Any:
    """An entry: half a penalty of all weights in the loss, and an optimiser's settings."""
    net = Net()

    def loss(given: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        squares = torch.stack([weight.square().sum() for weight in net.parameters()])
        return nn.functional.cross_entropy(given, labels) + penalty / 2 * squares.sum()

    kernels, vectors = (
        [p for p in net.parameters() if (p.ndim > 1) is two] for two in (True, False)
    )
    spared = {"weight_decay": 0.0} if how.pop("spared", False) else {}
    groups = [{"params": kernels}, {"params": vectors, **spared}]
    return net, optimizer(groups, lr=0.1, **how), loss


def climbed(a: Any, b: Any) -> Climbed:
    """As far as the first broken rung."""
    return ladder(a, b, X, Y, batch_size=8)


def causes(done: Climbed) -> list[tuple[str, str]]:
    return [(rung.name, cause.name) for rung in done.rungs for cause in rung.causes]


@pytest.mark.parametrize("settings", [{}, {"momentum": 0.9}, {"optimizer": torch.optim.Adam}])
def test_a_penalty_is_weight_decay(settings: dict[str, Any]) -> None:
    for turn in (1, -1):
        pair = side(penalty=0.02, **settings), side(weight_decay=0.02, **settings)
        done = climbed(*pair[::turn])
        assert done.passed, str(done)
        assert "the other's optimiser decays the weights" in "".join(r.note for r in done.rungs)


@pytest.mark.parametrize(
    ("other", "rung", "name"),
    [
        ({"weight_decay": 0.01}, "1 step", "weight decay"),
        ({"weight_decay": 0.02, "spared": True}, "1 step", "weight decay's tensors"),
        ({}, "loss", "L2 penalty"),
    ],
)
def test_another_decay_than_the_penalty_is_named(
    other: dict[str, Any], rung: str, name: str
) -> None:
    assert causes(climbed(side(penalty=0.02), side(**other))) == [(rung, name)]


def test_decoupled_decay_is_another_place_than_the_loss() -> None:
    a = side(penalty=0.02, optimizer=torch.optim.Adam)
    b = side(weight_decay=0.02, optimizer=torch.optim.AdamW)
    assert causes(climbed(a, b)) == [("1 step", "weight decay's place")]


def scheduled(of: Callable[[int], float]) -> type[torch.optim.SGD]:
    """An optimiser with these rates."""

    class Scheduled(torch.optim.SGD):
        taken = 0

        def step(self, closure: Any = None) -> Any:
            for group in self.param_groups:
                group["lr"] = of(self.taken)
            self.taken += 1
            return super().step(closure)

    return Scheduled


def test_a_schedule_computed_in_float32_is_a_note() -> None:
    usual = scheduled(lambda step: 0.1 * 0.9**step)
    single = scheduled(lambda step: float(np.float32(0.1) * np.float32(0.9) ** step))
    done = climbed(side(optimizer=usual), side(optimizer=single))
    assert done.passed, str(done)
    assert "learning-rate schedule" in "".join(rung.note for rung in done.rungs)
    other = scheduled(lambda step: 0.1 * 0.8**step)
    done = climbed(side(optimizer=usual), side(optimizer=other))
    assert [name for _, name in causes(done)] == ["learning-rate schedule"]
