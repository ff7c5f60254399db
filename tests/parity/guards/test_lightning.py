"""The adapter of Lightning: any LightningModule in lock step, and the guard as a callback."""

import logging
import os
import random
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import parity.torch
from parity.lightning import CollapseGuard, LockStep
from parity.sides.lockstep import adapted
from parity.watch.alarm import CollapsedError
from tests.conftest import ROOT, make_digits


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Lightning advises on workers and devices."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        yield
    logger.setLevel(level)


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    """Grey levels float32 [400, 28, 28] and labels."""
    made = make_digits(train_per_class=40, test_per_class=1)
    return torch.tensor(made.train_images).float(), torch.tensor(made.train_labels).long()


class Classifier(LightningModule):
    """As in most tutorials; it logs, and draws from all generators."""

    def __init__(self, *hidden: nn.Module, rate: float = 0.1) -> None:
        super().__init__()
        self.rate = rate
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), *hidden, nn.Linear(32, 10))
        self.loss = nn.CrossEntropyLoss(weight=torch.ones(10))

    def forward(self, x: Tensor) -> Any:
        return self.body(x)

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        x, y = batch
        if self.trainer_is_there() and random.random() < 0.5:  # noqa: S311
            x = x + 0.01 * torch.rand(()) * np.random.rand()  # noqa: NPY002
        loss = self.loss(self(x), y)
        self.log("loss", loss)
        return {"loss": loss}

    def trainer_is_there(self) -> bool:
        return self._trainer is not None

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=self.rate)


class Scheduled(Classifier):
    """Halves its rate with each step, or with each epoch."""

    def __init__(self, interval: str, as_lists: bool) -> None:
        super().__init__()
        self.interval, self.as_lists = interval, as_lists

    def configure_optimizers(self) -> Any:
        optimizer = super().configure_optimizers()
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
        plan = {"scheduler": schedule, "interval": self.interval}
        if self.as_lists:
            return [optimizer], [plan]
        return {"optimizer": optimizer, "lr_scheduler": plan}


class WithoutForward(Classifier):
    """Its one network works on what the step makes of the batch."""

    forward = LightningModule.forward

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        return F.cross_entropy(self.body(batch[0].flatten(1)), batch[1])


def fit(
    module: LightningModule, x: Any, y: Tensor, guard: CollapseGuard | None = None, **settings: Any
) -> LightningModule:
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    random.seed(1)
    trainer = Trainer(
        **{"max_epochs": 2, "accelerator": "cpu", "logger": False, **settings},
        callbacks=[guard] if guard else [],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, DataLoader(TensorDataset(x, y), 20, shuffle=True))
    return module


def sgd(module: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(module.parameters(), lr=0.1)


@pytest.mark.parametrize("kind", [Classifier, WithoutForward])
def test_its_steps_are_those_of_the_same_module_in_torch(
    kind: type[Classifier], digits: tuple[Tensor, Tensor]
) -> None:
    x, y = (part[::10].numpy() for part in digits)
    module = kind(nn.BatchNorm1d(32), nn.ReLU())
    side = adapted(module, "float64")
    assert isinstance(side, LockStep)
    side.see(x)
    plain = nn.Sequential(
        nn.Flatten(), nn.Linear(784, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 10)
    )
    other = parity.torch.LockStep(plain, sgd(plain), F.cross_entropy, "float64")
    other.see(x)
    other.set_weights(side.weights())
    before = side.weights()
    (loss, found), (expected, gradients) = (s.gradients(x, y) for s in (side, other))
    assert loss == pytest.approx(expected, rel=1e-12)
    assert found.keys() == gradients.keys()
    for name, values in side.weights().items():
        np.testing.assert_array_equal(values, before[name])
    for _ in range(2):
        assert side.step(x, y) == pytest.approx(other.step(x, y), rel=1e-12)
    for name, values in side.weights().items():
        np.testing.assert_allclose(values, other.weights()[name], rtol=1e-12)
    passed = side.forward(x, training=True)
    assert list(passed) == ["pixels", "dense_1", "batch_norm_1", "activation_1", "logits"]


@pytest.mark.parametrize("as_lists", [False, True])
@pytest.mark.parametrize(("interval", "rates"), [("step", [0.05, 0.025]), ("epoch", [0.1, 0.1])])
def test_schedules_that_go_by_steps_do(
    interval: str, rates: list[float], as_lists: bool, digits: tuple[Tensor, Tensor]
) -> None:
    x, y = (part[:8].numpy() for part in digits)
    side = adapted(Scheduled(interval, as_lists), "float64")
    assert isinstance(side, LockStep)
    found = []
    for _ in rates:
        side.step(x, y)
        found.append(side.optimizer.param_groups[0]["lr"])
    assert found == rates


@pytest.mark.parametrize(
    "configure",
    [
        lambda module: [sgd(module)],
        lambda module: ([sgd(module)], []),
        lambda module: {"optimizer": sgd(module)},
        lambda module: [{"optimizer": sgd(module)}],
    ],
    ids=["list", "two lists", "dictionary", "dictionaries"],
)
def test_an_optimiser_is_found_however_it_is_configured(
    configure: Callable[[nn.Module], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Classifier, "configure_optimizers", configure)
    assert isinstance(LockStep(Classifier()).optimizer, torch.optim.SGD)


def by_hand(module: Classifier) -> None:
    module.automatic_optimization = False


def two_networks(module: Classifier) -> None:
    module.other = nn.Linear(1, 1)


def two_optimisers(module: Classifier) -> None:
    vars(module)["configure_optimizers"] = lambda: [sgd(module), sgd(module)]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (by_hand, "expected automatic optimisation, or give .module, optimizer, loss."),
        (two_networks, "has no forward"),
        (two_optimisers, "gives SGD, SGD; expected one optimiser"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_not_one_network_with_one_optimiser_is_refused(
    change: Callable[[Any], None], sentence: str
) -> None:
    module = WithoutForward()
    change(module)
    with pytest.raises(ValueError, match=sentence):
        LockStep(module)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("kind", [Classifier, WithoutForward])
def test_a_training_is_the_same_to_the_bit_with_and_without(
    kind: type[Classifier],
    precision: Any,
    digits: tuple[Tensor, Tensor],
    capsys: pytest.CaptureFixture[str],
) -> None:
    x, y = digits
    states = []
    for guard in (None, CollapseGuard()):
        torch.manual_seed(0)
        module = kind(nn.BatchNorm1d(32), nn.ReLU(inplace=True), nn.Dropout(0.3))
        fit(module, x / 255, y, guard, precision=precision)
        states.append((module.state_dict(), torch.get_rng_state(), random.getstate()))
    for name, tensor in states[0][0].items():
        assert torch.equal(tensor, states[1][0][name]), name
    assert torch.equal(states[0][1], states[1][1])
    assert states[0][2] == states[1][2]
    assert guard is not None
    assert guard.watcher.samples == 140  # the first batches that hold 128
    assert guard.guard.symptoms.epoch == 2
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("kind", [Classifier, WithoutForward])
def test_all_ones_on_255_minus_x_is_seen_in_the_first_epoch(
    kind: type[Classifier], digits: tuple[Tensor, Tensor]
) -> None:
    x, y = digits
    module = kind(nn.ReLU())
    with pytest.raises(CollapsedError, match=r"in epoch 1, after \d+ steps: every ReLU unit"):
        fit(module, 255 - x, y, CollapseGuard())
    assert not any(part._forward_pre_hooks for part in module.modules())


def test_so_are_answers_that_are_not_finite(digits: tuple[Tensor, Tensor]) -> None:
    with pytest.raises(CollapsedError, match="are not finite"):
        fit(Classifier(nn.Tanh(), rate=1e38), digits[0] / 255, digits[1], CollapseGuard())


def test_warn_says_it_once_and_goes_on(
    digits: tuple[Tensor, Tensor], capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    x, y = digits
    module = fit(Classifier(nn.ReLU()), 255 - x, y, CollapseGuard("warn", tmp_path))
    assert module.trainer.global_step == 40
    assert capsys.readouterr().err.count("warning: the network has collapsed") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"symptoms.json", "collapse.npz"}


class Regression(Classifier):
    def training_step(self, batch: Any, batch_idx: int) -> Any:
        return F.mse_loss(self(batch[0]).mean(1), batch[1])


class TwoNetworks(WithoutForward):
    def __init__(self) -> None:
        super().__init__(nn.ReLU())
        self.other = nn.Linear(10, 10)

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        return F.cross_entropy(self.other(self.body(batch[0])), batch[1])


class Hidden(WithoutForward):
    """Its weights work, but none of its modules does."""

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        first: Any = self.body[1]
        last: Any = self.body[-1]
        return F.cross_entropy(last.bias + first.weight.mean(), batch[1][0])


class ByHand(Classifier):
    """Several optimiser steps for a batch."""

    def __init__(self) -> None:
        super().__init__(nn.ReLU())
        self.automatic_optimization = False

    def training_step(self, batch: Any, batch_idx: int) -> None:
        optimizer: Any = self.optimizers()
        for _ in range(2):
            optimizer.zero_grad()
            self.manual_backward(F.cross_entropy(self(batch[0]), batch[1]))
            optimizer.step()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (ByHand, ""),
        (Regression, "sees no classes told apart"),
        (TwoNetworks, "no forward(), and not one module with weights"),
        (Hidden, "neither forward() nor a module"),
    ],
)
def test_what_it_cannot_look_into_it_leaves_out_and_says_once(
    kind: type[Classifier],
    said: str,
    digits: tuple[Tensor, Tensor],
    capsys: pytest.CaptureFixture[str],
) -> None:
    x, y = digits
    fit(kind(), x / 255, y / 10 if kind is Regression else y, CollapseGuard())
    err = capsys.readouterr().err
    assert said in err
    assert err.count("note: CollapseGuard") == bool(said)
    assert "collapsed" not in err


def test_batches_may_be_dictionaries(digits: tuple[Tensor, Tensor]) -> None:
    class Named(Classifier):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            return F.cross_entropy(self(x=batch["image"]), batch["label"])

    def collate(samples: list[Any]) -> dict[str, Tensor]:
        x, y = zip(*samples, strict=True)
        return {"image": torch.stack(x), "label": torch.stack(y)}

    x, y = digits
    trainer = Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, callbacks=[CollapseGuard()],
    )  # fmt: skip
    loader = DataLoader(TensorDataset(255 - x, y), 20, shuffle=True, collate_fn=collate)
    with pytest.raises(CollapsedError, match="every ReLU unit"):
        trainer.fit(Named(nn.ReLU()), loader)


TWO_RANKS = """
from tests.conftest import make_digits
from tests.parity.guards.test_lightning import Classifier
import torch
from lightning.pytorch import Trainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from parity.lightning import CollapseGuard

digits = make_digits(20, 1)
x, y = torch.tensor(digits.train_images).float(), torch.tensor(digits.train_labels).long()
torch.manual_seed(0)
trainer = Trainer(
    max_epochs=2, accelerator="cpu", devices=2, strategy="ddp", logger=False,
    enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    callbacks=[CollapseGuard()],
)
trainer.fit(Classifier(nn.ReLU()), DataLoader(TensorDataset(255 - x, y), 10))
"""


@pytest.mark.slow
def test_two_ranks_stop_together(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(TWO_RANKS, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script],
        capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode != 0
    assert "CollapsedError: the network has collapsed in epoch 1" in done.stderr
    assert "note: CollapseGuard" not in done.stderr
