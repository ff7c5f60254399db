"""Adam's steps in one call are torch's to the bit; whatever else an optimiser does, it does."""

import copy
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import ExponentialLR
from torch.optim.optimizer import register_optimizer_step_post_hook

from lightning_mnist.steps import fused_adam
from lightning_mnist.steps.fused_adam import fused_step
from tests.lightning_mnist.training.test_execution import adam, assert_same, decay, train

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*")
Build = Callable[[list[nn.Parameter]], Optimizer]


def begun(build: Build) -> tuple[list[nn.Parameter], Optimizer]:
    """Parameters of odd sizes with gradients, and an optimiser that has taken a step."""
    weights = [nn.Parameter(torch.randn(shape)) for shape in ((13, 7), (13,), (1,))]
    optimizer = build(weights)
    put_gradients(weights)
    optimizer.step()
    return weights, optimizer


def put_gradients(weights: list[nn.Parameter]) -> None:
    for weight in weights:
        weight.grad = torch.sin(100 * weight.detach())


GROUP = {"lr": 0.5, "betas": (0.5, 0.6), "weight_decay": 0.2, "eps": 1e-3, "amsgrad": True}


@pytest.mark.parametrize("kind", [Adam, AdamW])
@pytest.mark.parametrize("second", [None, {}, GROUP], ids=str)
@pytest.mark.parametrize(
    "settings", [{}, {"amsgrad": True, "weight_decay": 0.1}, {"maximize": True, "eps": 1e-4}],
    ids=str,
)  # fmt: skip
def test_steps_are_the_optimisers_to_the_bit(
    kind: Any, settings: dict[str, Any], second: dict[str, Any] | None
) -> None:
    """Of one group of parameters or two, each with settings of its own."""

    def build(weights: list[nn.Parameter]) -> Optimizer:
        parts: Any = weights
        if second is not None:
            parts = [{"params": weights[:1]}, {"params": weights[1:]} | second]
        return kind(parts, lr=0.1, betas=(0.8, 0.9), fused=True, **settings)  # type: ignore[no-any-return]

    weights, optimizer = begun(build)
    twins, other = copy.deepcopy((weights, optimizer))
    other_step = fused_step(other)
    assert other_step is not None
    for _ in range(5):
        put_gradients(weights)
        optimizer.step()
        other_step(partial(put_gradients, twins))
        for group in (*optimizer.param_groups, *other.param_groups):
            group["lr"] *= 0.8  # as a schedule does
    assert_same([w.detach() for w in weights], [w.detach() for w in twins])
    assert_same(optimizer.state_dict()["state"], other.state_dict()["state"])


class Own(Adam):
    pass


def one_group_fused(weights: list[nn.Parameter]) -> Optimizer:
    groups: list[dict[str, Any]] = [{"params": weights[:1]}, {"params": weights[1:], "fused": None}]
    return Adam(groups, fused=True)


def hooked(weights: list[nn.Parameter]) -> Optimizer:
    optimizer = Adam(weights, fused=True)
    optimizer.register_step_post_hook(lambda *_: None)
    return optimizer


def wrapped(weights: list[nn.Parameter]) -> Optimizer:
    optimizer = Adam(weights, fused=True)
    optimizer.step = partial(Adam.step, optimizer)  # type: ignore[method-assign]
    return optimizer


@pytest.mark.parametrize("build", [
    SGD, Adam, partial(Adam, foreach=True), partial(Own, fused=True), one_group_fused, hooked,
    wrapped, partial(Adam, lr=torch.tensor(0.1), fused=True),
])  # fmt: skip
def test_what_else_there_is_takes_its_own_step(build: Build) -> None:
    assert fused_step(begun(partial(Adam, fused=True))[1]) is not None
    assert fused_step(begun(build)[1]) is None


def test_hooks_of_all_optimisers_are_called() -> None:
    _, optimizer = begun(partial(Adam, fused=True))
    hook = register_optimizer_step_post_hook(lambda *_: None)
    try:
        assert fused_step(optimizer) is None
    finally:
        hook.remove()
    assert fused_step(optimizer) is not None


def test_the_first_step_is_the_optimisers_own() -> None:
    """It makes the state, and tells a schedule that it is begun."""
    assert fused_step(Adam([nn.Parameter(torch.ones(1))], fused=True)) is None
    weights, optimizer = begun(partial(Adam, fused=True))
    resumed = Adam(weights, fused=True)
    resumed.load_state_dict(optimizer.state_dict())
    assert fused_step(resumed) is not None
    schedule = ExponentialLR(resumed, 0.5)
    assert fused_step(resumed) is None
    resumed.step()
    assert fused_step(resumed) is not None
    schedule.step()


def gone(*args: object) -> None:
    torch.no_such_kernel()  # type: ignore[attr-defined]


@pytest.mark.parametrize("kernel", [gone, lambda *args: None])
def test_a_torch_with_another_kernel_is_noticed(
    kernel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, optimizer = begun(partial(Adam, fused=True))
    fused_adam._agrees.cache_clear()
    monkeypatch.setattr(fused_adam, "adam", kernel)
    assert fused_step(optimizer) is None
    fused_adam._agrees.cache_clear()


@pytest.mark.parametrize("configure", [adam, decay])
def test_a_training_takes_them(configure: Any, tiny_npz: Path) -> None:
    smoothed = {"label_smoothing": 0.1}  # whole steps take them otherwise
    module: Any = train(tiny_npz, 4, configure=configure, model=smoothed).lightning_module
    assert module.execution._step.__module__ == fused_adam.__name__
