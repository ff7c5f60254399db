"""The guard in a Trainer: what is wrong is named before the first step, and proved."""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import redirect_stderr, suppress
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from parity.lightning import CollapseGuard
from parity.lightning.monitors import upside_downs
from parity.watch.alarm import CollapsedError
from parity.watch.check.monitored import upside_down
from tests.conftest import mostly_slow
from tests.programs import data
from tests.programs.torch_programs import (
    FAULTY,
    HEALTHY,
    Program,
    by_class,
    digits_mlp,
    images,
    mlp,
    sgd,
    table,
)

QUICK = ("digits, dense", "waves, lstm")
SHOWN = {
    "softmax over one unit": "with one logit and the binary crossentropy the same network reads",
    "labels from 1": "with y - 1 the same network reads",
    "zero weights": "with kernels drawn anew (Glorot) the same network reads",
}
"""What the trial of a cause must show."""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Lightning advises on workers and devices."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        yield
    logger.setLevel(level)


class Lightning(LightningModule):
    """A program in torch as a LightningModule."""

    def __init__(self, program: Program, flat: bool = False) -> None:
        super().__init__()
        self.net, self.program, self.flat = program.model, program, flat

    def forward(self, x: Tensor) -> Any:
        return self.net(x)

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        x, y = batch
        return self.program.loss(self(x.flatten(1) if self.flat else x), y)

    def configure_optimizers(self) -> Any:
        return self.program.optimizer(list(self.parameters()))


def said(program: Program, epochs: int, flat: bool = False) -> str:
    """What is printed while a program trains, or stops."""
    torch.manual_seed(0)
    data = TensorDataset(program.x, program.y)
    loader = DataLoader(data, program.batch, shuffle=program.shuffled)
    with (
        redirect_stderr(io.StringIO()) as printed,
        suppress(CollapsedError, RuntimeError, IndexError),
    ):
        Trainer(
            max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, callbacks=[CollapseGuard()],
        ).fit(Lightning(program, flat), loader)  # fmt: skip
    return printed.getvalue()


@pytest.mark.parametrize("name", mostly_slow(HEALTHY, *QUICK))
def test_a_healthy_training_gets_no_warning(name: str) -> None:
    assert "warning" not in said(HEALTHY[name](), 20 if name not in QUICK else 2)


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("name", mostly_slow(FAULTY, *SHOWN))
def test_the_right_cause_comes_first_with_what_its_remedy_brings(name: str) -> None:
    cause, build = FAULTY[name]
    printed = said(build(), 1)
    if name not in ("large weights", "another network's weights"):
        assert cause in printed.partition("  1. ")[2].partition("\n")[0]
    assert SHOWN.get(name, "") in printed


class Functional(Lightning):
    """Has got hold of its loss before it feeds its network."""

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        return torch.nn.functional.mse_loss(self(batch[0]), batch[1])


@pytest.mark.filterwarnings("ignore:Using a target size")
def test_a_loss_is_heard_with_what_the_program_gives_it() -> None:
    x = torch.randn(64, 4)
    program = Program(mlp(4, 8, 1), x, x[:, 0], torch.nn.MSELoss(), sgd(0.05))
    with redirect_stderr(io.StringIO()) as printed:
        Trainer(
            max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False,
            callbacks=[CollapseGuard(reaction="warn", trials=False)],
        ).fit(Functional(program), DataLoader(TensorDataset(x, x[:, 0]), 32))  # fmt: skip
    assert "outputs have shape [32, 1], targets [32]" in printed.getvalue()


def test_samples_that_the_step_changes_are_known_from_the_batch() -> None:
    program = FAULTY["bytes, sgd"].build()
    assert "bytes from 0 to 255" in said(program, 1, flat=True)


def test_a_loader_that_does_not_shuffle_sorted_samples_is_named() -> None:
    x, y = by_class(images())
    program = (
        FAULTY["rate 0"]
        .build()
        ._replace(model=digits_mlp(), x=x, y=y, shuffled=False, optimizer=torch.optim.Adam)
    )
    printed = said(program, 1)
    assert "the samples come sorted by class" in printed.partition("  1. ")[2]
    assert "with samples drawn at random the same network reads" in printed


class Judged(Lightning):
    """Is judged before it trains, and fails there."""

    def validation_step(self, batch: Any, batch_idx: int) -> Any:
        return self.training_step(batch, batch_idx)


def test_a_validation_that_fails_before_the_training_is_explained() -> None:
    program = FAULTY["labels from 1"].build()
    loader = DataLoader(TensorDataset(program.x, program.y), 32, shuffle=True)
    with redirect_stderr(io.StringIO()) as printed, pytest.raises(IndexError):
        Trainer(
            max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, callbacks=[CollapseGuard()],
        ).fit(Judged(program), loader, loader)  # fmt: skip
    assert "the class numbers are shifted" in printed.getvalue().partition("  1. ")[2]
    assert "with y - 1 the same network reads" in printed.getvalue()


@pytest.mark.parametrize(
    ("monitor", "mode", "wanted"),
    [
        ("val_acc", "min", "mode='max'"),
        ("validAccuracy", "min", "mode='max'"),
        ("dice_loss", "max", "mode='min'"),
        ("val/f1", "max", None),
        ("val_loss", "min", None),
        ("vaccine", "min", None),
    ],
)
def test_what_is_watched_the_wrong_way_round_is_named(
    monitor: str, mode: str, wanted: str | None
) -> None:
    match = upside_down("EarlyStopping", monitor, mode)
    assert (match is None) == (wanted is None)
    assert match is None or match.advice == f"Set {wanted}"


def test_callbacks_are_asked_what_they_watch() -> None:
    trainer = Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        callbacks=[EarlyStopping("val_acc"), EarlyStopping("val_loss"), CollapseGuard()],
    )  # fmt: skip
    assert [match.cause for match in upside_downs(trainer)] == [
        "EarlyStopping takes val_acc the wrong way round"
    ]


class InInference(Lightning):
    """Is in inference mode whenever it takes a step."""

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        self.eval()


class Detached(Lightning):
    """Its loss knows nothing of the network."""

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        x, y = batch
        return self.program.loss(self(x).detach().requires_grad_(), y)


@pytest.mark.parametrize(
    ("kind", "clip", "cause"),
    [
        (InInference, None, "is trained in inference mode"),
        (Detached, None, "the weights get no gradients"),
        (Lightning, 1e-7, "the gradients are clipped to next to nothing"),
        (Lightning, 1.0, ""),
    ],
)
def test_what_goes_wrong_between_the_steps_is_named(
    kind: type[Lightning], clip: float | None, cause: str
) -> None:
    torch.manual_seed(0)
    x, y = images()
    norm = torch.nn.BatchNorm1d(16)
    layers = *mlp(784, 16, flat=True), norm, torch.nn.ReLU(), torch.nn.Linear(16, 10)
    model = torch.nn.Sequential(*layers)
    program = Program(model, x, y, torch.nn.CrossEntropyLoss(), sgd(0.05))
    with redirect_stderr(io.StringIO()) as printed:
        Trainer(
            max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, gradient_clip_val=clip,
            callbacks=[CollapseGuard(reaction="warn", trials=False)],
        ).fit(kind(program), DataLoader(TensorDataset(x, y), 64, shuffle=True))  # fmt: skip
    assert cause in printed.getvalue().partition("  1. ")[2].partition("\n")[0]
    assert bool(cause) == ("warning" in printed.getvalue())


class Manual(LightningModule):
    """Takes its steps itself, with an optimiser for each layer; those named are taken."""

    def __init__(self, stepped: tuple[int, ...]) -> None:
        super().__init__()
        self.net, self.stepped = mlp(4, 16, 3), stepped
        self.automatic_optimization = False

    def forward(self, x: Tensor) -> Any:
        return self.net(x)

    def configure_optimizers(self) -> Any:
        return [torch.optim.SGD(self.net[place].parameters(), 0.3) for place in (2, 0)]

    def training_step(self, batch: Any, _: int) -> None:
        self.zero_grad()
        self.manual_backward(torch.nn.functional.cross_entropy(self(batch[0]), batch[1]))
        optimizers: Any = self.optimizers()
        for place in self.stepped:
            optimizers[place].step()


@pytest.mark.parametrize(
    ("stepped", "cause"),
    [
        ((), "the optimiser takes no step"),
        ((0, 0), "a second optimiser takes no step, and its weights stay as they are"),
        ((0, 1), ""),
    ],
)
def test_steps_that_a_module_forgets_to_take_are_named(stepped: Any, cause: str) -> None:
    x, y = table(data.flowers)
    module = Manual(stepped)
    with torch.no_grad():
        module.net[0].weight.mul_(0.01)  # as it is drawn, it tells too little
    loader = DataLoader(TensorDataset(x, y), 32, shuffle=True)
    with redirect_stderr(io.StringIO()) as printed:
        Trainer(
            max_epochs=3,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[CollapseGuard(reaction="warn")],
        ).fit(module, loader)
    named = printed.getvalue().partition("  1. ")[2]
    assert named.startswith(cause)
    assert bool(named) == bool(cause)
