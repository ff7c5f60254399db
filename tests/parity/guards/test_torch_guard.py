"""The guard around a loop in torch: it sees collapses, keeps quiet otherwise, and is not felt."""

import random
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.testing import CompileCounter
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from parity.torch import CollapseGuard
from parity.watch.alarm import CollapsedError
from tests.conftest import make_digits, mostly_slow
from tests.support.torch_models import Conv, Recurrent

Loss = Callable[[Any, Tensor], Any]


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    """Grey levels float32 [400, 28, 28] and labels."""
    made = make_digits(train_per_class=40, test_per_class=1)
    return torch.tensor(made.train_images).float(), torch.tensor(made.train_labels).long()


def network(*hidden: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 32), *hidden, nn.Linear(32, 10))


def train(
    module: nn.Module,
    x: Tensor,
    y: Tensor,
    loss: Loss = F.cross_entropy,
    *,
    steps: int = 30,
    rate: float = 0.1,
    guarded: bool = True,
    **settings: Any,
) -> CollapseGuard | None:
    optimizer = torch.optim.SGD(module.parameters(), lr=rate)

    def loop() -> None:
        for _ in range(steps):
            picked = torch.randint(len(x), (32,))
            optimizer.zero_grad()
            loss(module(x[picked]), y[picked]).backward()
            optimizer.step()

    if not guarded:
        loop()
        return None
    with CollapseGuard(module, optimizer, x, y, **settings) as guard:
        loop()
    return guard


class Augmented(nn.Module):
    """Draws from all generators while it trains, and in inference too."""

    def __init__(self) -> None:
        super().__init__()
        self.body = network(nn.BatchNorm1d(32), nn.ReLU(inplace=True), nn.Dropout(0.3))

    def forward(self, x: Tensor) -> Any:
        x = x + torch.rand(()) * random.random() * np.random.rand()  # noqa: NPY002, S311
        return self.body(x.flip(2) if random.random() < 0.5 else x)  # noqa: S311


class Plain(nn.Module):
    """A ReLU that is a function."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Linear(784, 32), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Any:
        return self.second(F.relu(self.first(x.flatten(1))))


def test_a_training_is_the_same_to_the_bit_with_and_without(
    digits: tuple[Tensor, Tensor], capfd: pytest.CaptureFixture[str]
) -> None:
    x, y = digits
    states = []
    for guarded in (False, True):
        module: Any = Augmented()
        module.body[2].eval()  # a mode of its own
        torch.manual_seed(1)
        np.random.seed(1)  # noqa: NPY002
        random.seed(1)
        train(module, x / 255, y, guarded=guarded)
        states.append((module.state_dict(), torch.get_rng_state()))
        assert not module.body[2].training
        assert module.training
    for name, tensor in states[0][0].items():
        assert torch.equal(tensor, states[1][0][name]), name
    assert torch.equal(states[0][1], states[1][1])
    assert capfd.readouterr().err == ""


def test_mixed_precision_is_not_disturbed_either(digits: tuple[Tensor, Tensor]) -> None:
    """A weight that autocast has cast for the guard must not serve the training."""
    x, y = digits
    states = []
    for guarded in (False, True):
        module = network(nn.ReLU())
        optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
        with CollapseGuard(module, optimizer, x / 255, y) as guard:
            for _ in range(3):
                optimizer.zero_grad()
                with torch.autocast("cpu", torch.bfloat16):
                    if guarded:
                        guard.watcher.after(1, optimizer)
                    loss: Any = F.cross_entropy(module(x[:32] / 255), y[:32])
                loss.backward()
                optimizer.step()
        states.append(module.state_dict())
    assert all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items())


@pytest.mark.parametrize("in_place", [False, True])
def test_neither_is_a_compiled_module(in_place: bool, digits: tuple[Tensor, Tensor]) -> None:
    x, y = digits
    states, compilations = [], []
    for guarded in (False, True):
        torch.compiler.reset()
        module, counter = Plain(), CompileCounter()
        if in_place:
            module.compile(backend=counter)
        called: Any = module if in_place else torch.compile(module, backend=counter)
        torch.manual_seed(1)
        train(called, x / 255, y, steps=4, guarded=guarded)
        states.append(module.state_dict())
        compilations.append(counter.frame_count)
    assert all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items())
    assert compilations[0] == compilations[1] > 0


def test_the_order_of_a_loader_stays_as_it_is(digits: tuple[Tensor, Tensor]) -> None:
    x, y = digits
    orders = []
    for guarded in (False, True):
        torch.manual_seed(0)
        loader = DataLoader(
            TensorDataset(x / 255, y), 50, shuffle=True, generator=torch.Generator().manual_seed(3)
        )
        module = network(nn.ReLU())
        optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
        with CollapseGuard(module, optimizer, loader) if guarded else nullcontext():
            orders.append(torch.cat([labels for _, labels in loader]))
    assert torch.equal(*orders)


def test_all_ones_on_255_minus_x_is_seen_in_the_first_steps(digits: tuple[Tensor, Tensor]) -> None:
    x, y = digits
    with pytest.raises(CollapsedError, match=r"collapsed after \d+ steps.*ReLU unit after layer 1"):
        train(network(nn.ReLU()), 255 - x, y)


def test_so_are_relus_that_are_functions(digits: tuple[Tensor, Tensor]) -> None:
    x, y = digits
    with pytest.raises(CollapsedError, match="every ReLU unit after layer 1 is dead"):
        train(Plain(), 255 - x, y)


def test_so_are_answers_that_are_not_finite(digits: tuple[Tensor, Tensor]) -> None:
    x, y = digits
    with pytest.raises(CollapsedError, match="logits of 128 of 128 samples are not finite"):
        train(network(nn.Tanh()), x / 255, y, rate=1e38)


def test_answers_that_do_not_depend_on_the_inputs_are_seen_when_there_was_time_enough() -> None:
    class Blind(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Any:
            return self.layer(torch.zeros_like(x))

    x, y = torch.rand(200, 4), torch.arange(200) % 3
    train(Blind(), x, y, steps=300)
    with pytest.raises(CollapsedError, match="after 1,000 steps: .* differ by 0 at most"):
        train(Blind(), x, y, steps=1001)


def test_warn_says_it_once_and_goes_on(
    digits: tuple[Tensor, Tensor], capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    x, y = digits
    module = network(nn.ReLU())
    guard = train(module, 255 - x, y, reaction="warn", run_dir=tmp_path)
    assert guard is not None
    assert guard.steps == 30
    assert capsys.readouterr().err.count("warning: the network has collapsed") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"symptoms.json", "collapse.npz"}
    assert not guard.optimizer._optimizer_step_post_hooks


def squeezed(loss: Loss) -> Loss:
    return lambda given, y: loss(given.squeeze(1), y.float())


def first(loss: Loss) -> Loss:
    return lambda given, y: loss(given[0], y)


_X = torch.rand(300, 8, generator=torch.Generator().manual_seed(0))
_SUM = _X.sum(1)
HEALTHY: dict[str, tuple[Callable[[], nn.Module], Tensor, Tensor, Loss]] = {
    "one unit, logits": (
        lambda: nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1)),
        _X, (_SUM > 4).long(), squeezed(F.binary_cross_entropy_with_logits),
    ),
    "one unit, sigmoid": (
        lambda: nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1), nn.Sigmoid()),
        _X, (_SUM > 4).long(), squeezed(F.binary_cross_entropy),
    ),
    "softmax": (
        lambda: nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3), nn.Softmax(1)),
        _X, _SUM.long().clamp(3, 5) - 3, lambda given, y: F.nll_loss(given.log(), y),
    ),
    "one hot": (
        lambda: nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3)),
        _X, F.one_hot(_SUM.long().clamp(3, 5) - 3).float(), F.cross_entropy,
    ),
    "convolutions": (Conv, torch.rand(300, 2, 8, 8), torch.arange(300) % 3, F.cross_entropy),
    "words": (
        Recurrent, torch.randint(11, (300, 7)), torch.arange(300) % 3, first(F.cross_entropy),
    ),
}  # fmt: skip
"""Trainings in which classes are told apart."""
OTHERS: dict[str, tuple[Callable[[], nn.Module], Tensor, Tensor, Loss]] = {
    "regression": (
        lambda: nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1)),
        _X, _SUM, squeezed(F.mse_loss),
    ),
    "several numbers": (lambda: nn.Linear(8, 8), _X, _X.flip(1), F.mse_loss),
    "several sigmoids": (
        lambda: nn.Linear(8, 8), _X, (_X > 0.5).float(), F.binary_cross_entropy_with_logits,
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    "name", mostly_slow(HEALTHY, *set(HEALTHY) - {"words", "one unit, sigmoid"})
)
def test_a_healthy_training_hears_nothing(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    build, x, y, loss = HEALTHY[name]
    train(build(), x, y, loss, steps=200 if build in (Conv, Recurrent) else 1040)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", OTHERS)
def test_without_classes_it_says_once_what_it_looks_at(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    build, x, y, loss = OTHERS[name]
    train(build(), x, y, loss, steps=1040)
    assert capsys.readouterr().err == (
        "note: CollapseGuard sees no classes told apart: it looks for answers that are not finite "
        "and for dead layers only\n"
    )


def test_it_does_look_at_these(capsys: pytest.CaptureFixture[str]) -> None:
    build, x, y, loss = OTHERS["regression"]
    with pytest.raises(CollapsedError, match="not finite"):
        train(build(), x * 1e30, y, loss)
    with pytest.raises(CollapsedError, match="every ReLU unit after layer 1 is dead"):
        train(build(), -1000 * x, 1000 * y, loss, rate=0.01)


def test_a_model_that_cannot_be_asked_trains_all_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Moody(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Any:
            if not self.training:
                raise RuntimeError("not in\ninference")
            return self.layer(x)

    guard = train(Moody(), _X, torch.arange(300) % 3)
    assert guard is not None
    assert guard.steps == 30
    assert capsys.readouterr().err == (
        "note: CollapseGuard cannot look into this training: RuntimeError: not in inference\n"
    )


def test_an_error_of_the_loop_is_its_own() -> None:
    module = nn.Linear(8, 3)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    with pytest.raises(ZeroDivisionError), CollapseGuard(module, optimizer, _X, _X):
        raise ZeroDivisionError
    assert not optimizer._optimizer_step_post_hooks


@pytest.mark.parametrize("x", [iter([]), [(1, 2)]], ids=["iterator", "list"])
def test_what_it_cannot_read_twice_is_refused(x: Any) -> None:
    module = nn.Linear(8, 3)
    with pytest.raises(TypeError, match="expected samples and their targets"):
        CollapseGuard(module, torch.optim.SGD(module.parameters(), lr=0.1), x)


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize("own", [False, True], ids=["torch's loss", "one's own"])
def test_samples_may_have_no_targets(
    loaded: bool, own: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    module = nn.Sequential(nn.Linear(8, 3), nn.ReLU(), nn.Linear(3, 8), nn.Sigmoid())
    optimizer, x = torch.optim.SGD(module.parameters(), lr=0.1), -_X
    loader = DataLoader(TensorDataset(x), 30)
    with CollapseGuard(module, optimizer, loader if loaded else x, trials=False):
        for (batch,) in loader:
            optimizer.zero_grad()
            answers = module(batch)
            (((answers - batch) ** 2).mean() if own else F.mse_loss(answers, batch)).backward()
            optimizer.step()
    said = capsys.readouterr().err
    assert ("the last activation, sigmoid, cannot give the targets" in said) != own


def test_a_sigmoid_gives_probabilities_and_a_last_layer_logits() -> None:
    y = (_SUM > 4).long()
    for last, loss in ((nn.Sigmoid(), F.binary_cross_entropy), (nn.Identity(), None)):
        torch.manual_seed(0)
        module = nn.Sequential(nn.Linear(8, 1), last)
        loss = loss or F.binary_cross_entropy_with_logits
        with torch.no_grad():
            expected = loss(module(_X[:100]).squeeze(1), y[:100].float()).item()
        guard = CollapseGuard(
            module, torch.optim.SGD(module.parameters(), lr=0.1), _X[:100], y[:100]
        )
        with guard:
            guard.watcher.after(1, guard.optimizer)
        assert guard.watcher.guard.symptoms.readings[0]["loss"] == pytest.approx(expected, rel=1e-5)
