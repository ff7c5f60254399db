"""Blocks of steps: to the bit what one step at a time comes to, however a training goes."""

import sys
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.plugins.precision import MixedPrecision
from torch import Tensor
from torch.optim import LBFGS, SGD, Adam
from torch.optim.lr_scheduler import ExponentialLR, OneCycleLR, ReduceLROnPlateau

from lightning_mnist.averaging import StepwiseAveraging
from lightning_mnist.data.batches import Batch
from lightning_mnist.data.datamodule import DigitsDataModule
from lightning_mnist.errors import InputError
from lightning_mnist.instruments.faults import FAULTS
from lightning_mnist.module import DigitClassifier
from lightning_mnist.network import MLP, work_of_a_step
from lightning_mnist.steps.step_callbacks import GradientClipping, StepCallback
from lightning_mnist.steps.steps_per_execution import (
    MOST_STEPS,
    seconds_of_a_step,
    steps_per_execution,
)
from parity.augmentation import AugmentationConfig
from tests.conftest import SLOW, Command, Here, mostly_slow

BLOCKS = (5, 8, 32, "auto")
STEPS = 12  # in an epoch of the tiny digits: 367 images in batches of 32

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*")


def adam(model: DigitClassifier) -> Any:
    return Adam(model.parameters(), lr=2e-3, fused=True)


def one_cycle(model: DigitClassifier) -> Any:
    optimizer = adam(model)
    schedule = OneCycleLR(optimizer, 0.01, total_steps=3 * STEPS)
    return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def decay(model: DigitClassifier) -> Any:
    optimizer = adam(model)
    return [optimizer], [ExponentialLR(optimizer, 0.5)]


def plateau(model: DigitClassifier) -> Any:
    optimizer = adam(model)
    schedule: Any = ReduceLROnPlateau(optimizer, patience=0, threshold=0.9)
    schedule.monitor = "train_loss"  # as Lightning's command line has it
    return [optimizer], [schedule]


def train(
    data: Path,
    steps: object,
    *,
    model: dict[str, Any] | None = None,
    configure: Callable[[DigitClassifier], Any] = adam,
    batch_size: int = 32,
    resume: Path | None = None,
    kind: type[DigitClassifier] = DigitClassifier,
    **flags: Any,
) -> Trainer:
    """A training of three epochs, by default of a small network with batch norm and dropout."""
    torch.manual_seed(0)
    settings: dict[str, Any] = {"hidden": [16], "steps_per_execution": steps}
    module = kind(**settings | (model or {}))
    module.configure_optimizers = partial(configure, module)  # type: ignore[method-assign]
    quiet: dict[str, Any] = {"enable_checkpointing": False, "num_sanity_val_steps": 0}
    quiet |= {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    quiet |= {"max_epochs": 3}
    trainer = Trainer(accelerator="cpu", **quiet | flags)
    trainer.fit(
        module,
        datamodule=DigitsDataModule(source=str(data), batch_size=batch_size),
        ckpt_path=resume,
        weights_only=True,
    )
    return trainer


def state(trainer: Trainer) -> dict[str, Any]:
    """All that a training comes to: weights, moments, schedules, scores, the number of steps."""
    return {
        "steps": trainer.global_step,
        "epoch": trainer.current_epoch,
        "weights": trainer.lightning_module.state_dict(),
        "optimizer": trainer.optimizers[0].state_dict(),
        "schedules": [c.scheduler.state_dict() for c in trainer.lr_scheduler_configs],
        "scores": trainer.callback_metrics,
    }


def assert_same(first: Any, second: Any, where: str = "") -> None:
    """To the bit, all the way down."""
    if isinstance(first, dict):
        assert first.keys() == second.keys(), where
        for key in first:
            assert_same(first[key], second[key], f"{where}/{key}")
    elif isinstance(first, list | tuple):
        assert len(first) == len(second), where
        for index, (one, other) in enumerate(zip(first, second, strict=True)):
            assert_same(one, other, f"{where}/{index}")
    elif isinstance(first, Tensor):
        assert torch.equal(first, second), where
    elif not callable(first):
        assert first == second, where


AUGMENTED = AugmentationConfig(rotation=15, noise=0.1, elastic=1)
TRAININGS: dict[str, dict[str, Any]] = {
    "dropout and batch norm": {},
    "augmentation": {"model": {"augmentation": AUGMENTED, "dropout": 0, "batch_norm": False}},
    "a schedule of steps": {"configure": one_cycle},
    "a schedule of epochs": {"configure": decay},
    "a schedule that waits": {"configure": plateau},
    "momentum": {"configure": lambda model: SGD(model.parameters(), 0.1, 0.9, fused=True)},
    "closures": {"configure": lambda model: LBFGS(model.parameters(), 0.1, max_iter=2)},
    "clipping": {"callbacks": [GradientClipping(0.01, "norm")]},
    "regularisers": {"model": {"input_dropout": 0.2, "label_smoothing": 0.1, "max_norm": 1.0}},
    "an average of the weights": {"callbacks": [StepwiseAveraging(0.9)]},
    "bfloat16": {"precision": "bf16-mixed"},
    "float16, its loss scaled": {"plugins": [MixedPrecision("16-mixed", "cpu")]},
    "some batches": {"limit_train_batches": 7},
    "a share of the batches": {"limit_train_batches": 0.6},
    "the same batches": {"overfit_batches": 3},
    "a number of steps": {"max_steps": 19},
    "a step more than an epoch": {"max_steps": STEPS + 1},
    "a step less than two": {"max_steps": 2 * STEPS - 1},
    "no more than an epoch": {"max_steps": STEPS},
    "one step": {"fast_dev_run": True},
    "one batch": {"batch_size": 400},
    "batches that divide": {"batch_size": 61, "model": {"batch_norm": False}},
}


@pytest.mark.filterwarnings("ignore:You requested to overfit")
@pytest.mark.parametrize("blocks", [(8,), pytest.param((5, 32, "auto"), marks=SLOW)], ids=str)
@pytest.mark.parametrize("flags", TRAININGS.values(), ids=TRAININGS)
def test_every_number_of_steps_comes_to_the_same(
    flags: dict[str, Any], blocks: tuple[object, ...], tiny_npz: Path
) -> None:
    expected = state(train(tiny_npz, 1, **flags))
    for steps in blocks:
        assert_same(expected, state(train(tiny_npz, steps, **flags)), f"{steps}")


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, 3 * STEPS),
        ({"limit_train_batches": 7}, 3 * 7),
        ({"limit_train_batches": 0.6}, 3 * 7),
        ({"overfit_batches": 3}, 3 * 3),
        ({"max_steps": 19}, 19),
        ({"max_steps": 1}, 1),
        ({"fast_dev_run": True}, 1),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:You requested to overfit")
def test_steps_are_counted_and_limited_one_by_one(
    flags: dict[str, Any], expected: int, tiny_npz: Path
) -> None:
    trainer = train(tiny_npz, 8, **flags)
    assert trainer.global_step == expected
    steps = {float(state["step"]) for state in trainer.optimizers[0].state.values()}
    assert steps == {float(expected)}


def test_blocks_are_the_same_bits_as_a_plain_loop(tiny_npz: Path) -> None:
    torch.manual_seed(0)
    network = DigitClassifier(hidden=[16], dropout=0, batch_norm=False).network
    optimizer = Adam(network.parameters(), lr=2e-3, fused=True)
    trainer = train(tiny_npz, 8, model={"dropout": 0, "batch_norm": False})
    data = trainer.datamodule  # type: ignore[attr-defined]
    for epoch in range(3):
        loader = data.train_dataloader()
        loader.sampler.set_epoch(epoch)
        for ids in loader.sampler.draw().split(32):
            pixels = loader.images[ids].float().flatten(1) / 255
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(pixels), loader.labels[ids]).backward()
            optimizer.step()
    trained = trainer.lightning_module
    assert isinstance(trained, DigitClassifier)
    assert_same(network.state_dict(), trained.network.state_dict())


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`, callbacks")
@pytest.mark.parametrize("steps", mostly_slow([1, *BLOCKS], 1, 8))
@pytest.mark.parametrize("configure", [one_cycle, decay, plateau])
def test_a_resumed_training_is_the_uninterrupted_one(
    steps: object, configure: Callable[[DigitClassifier], Any], tiny_npz: Path, tmp_path: Path
) -> None:
    model = {"dropout": 0.3, "augmentation": AUGMENTED}
    keep = ModelCheckpoint(
        tmp_path / "kept", "{epoch}", save_top_k=-1, save_on_train_epoch_end=True
    )
    flags: dict[str, Any] = {"model": model, "configure": configure}
    whole = train(tiny_npz, 1, **flags, callbacks=[keep], enable_checkpointing=True)
    resumed = train(tiny_npz, steps, **flags, resume=tmp_path / "kept" / "epoch=1.ckpt")
    assert resumed.global_step == 3 * STEPS
    assert_same(state(whole), state(resumed))


@pytest.mark.parametrize("steps", [1, *BLOCKS])
def test_a_training_stops_early_after_the_same_epoch(steps: object, tiny_npz: Path) -> None:
    stopping = EarlyStopping("val_loss", patience=1, min_delta=100)
    trainer = train(tiny_npz, steps, max_epochs=9, callbacks=[stopping])
    assert (trainer.current_epoch, trainer.global_step) == (2, 2 * STEPS)


class Hooked(Callback):
    def __init__(self) -> None:
        self.calls = 0

    def on_after_backward(self, trainer: Trainer, pl_module: Any) -> None:
        self.calls += 1


def test_hooks_are_called_and_change_nothing(tiny_npz: Path) -> None:
    hooked = Hooked()
    through_lightning = train(tiny_npz, 8, callbacks=[hooked])
    assert hooked.calls == 3 * STEPS
    assert_same(state(train(tiny_npz, 8)), state(through_lightning))


def test_clipping_limits_the_gradient(tiny_npz: Path) -> None:
    flags: dict[str, Any] = {
        "configure": lambda model: SGD(model.parameters(), 1.0),
        "max_steps": 1,
    }
    before = train(tiny_npz, 8, **flags | {"max_steps": 0}).lightning_module.parameters()
    after = train(tiny_npz, 8, **flags, callbacks=[GradientClipping(0.01, "norm")])
    moved = [b - a for b, a in zip(before, after.lightning_module.parameters(), strict=True)]
    norm = torch.cat([m.flatten() for m in moved]).norm().item()
    assert norm == pytest.approx(0.01, rel=1e-3)


def test_a_checkpoint_by_the_clock_is_refused(tiny_npz: Path, tmp_path: Path) -> None:
    keeper = ModelCheckpoint(tmp_path / "kept", train_time_interval=timedelta(minutes=1))
    with pytest.raises(InputError, match="train_time_interval"):
        train(tiny_npz, "auto", callbacks=[keeper], enable_checkpointing=True)


def test_the_guard_sees_what_it_sees_step_by_step(
    here: Here, tiny_npz: Path, tmp_path: Path
) -> None:
    said = {}
    for steps in (1, 5, 32):
        with FAULTS["255 - x"]():
            done = here(
                "fit", "--data.source", tiny_npz, "--run_dir", f"{steps}", "--model.hidden", "[32]",
                "--model.batch_norm", "false", "--data.batch_size", 32, "--optimizer", "SGD",
                "--optimizer.lr", 0.1, "--model.steps_per_execution", steps,
            )  # fmt: skip
        assert done.code == 3
        said[steps] = (tmp_path / f"{steps}" / "symptoms.json").read_text()
    assert said[1] == said[5] == said[32]


class Watcher(StepCallback):
    def __init__(self) -> None:
        self.seen: list[tuple[int, int, list[int]]] = []

    def on_step_start(self, trainer: Trainer, pl_module: Any, batch: Batch, step: int) -> None:
        self.seen.append((step, trainer.global_step, batch.sample_ids.tolist()))


@pytest.mark.parametrize("steps", [1, 8, "auto"])
def test_who_watches_steps_sees_each_of_them(steps: object, tiny_npz: Path) -> None:
    watcher = Watcher()
    train(tiny_npz, steps, callbacks=[watcher], max_epochs=2)
    assert [step for step, _, _ in watcher.seen] == list(range(2 * STEPS))
    assert all(step == counted for step, counted, _ in watcher.seen)
    sizes = [len(ids) for _, _, ids in watcher.seen]
    assert sizes == 2 * ([32] * (STEPS - 1) + [367 - 32 * (STEPS - 1)])


class EveryBatch(Callback):
    def on_train_batch_end(self, *_: Any) -> None:
        pass


WATCHED: dict[str, dict[str, Any]] = {
    "--trainer.val_check_interval 4": {"val_check_interval": 4},
    "a checkpoint every few steps": {
        "callbacks": [ModelCheckpoint(every_n_train_steps=5)],
        "enable_checkpointing": True,
    },
    "the callback EveryBatch": {"callbacks": [EveryBatch()]},
}


@pytest.mark.parametrize(("name", "flags"), WATCHED.items(), ids=WATCHED)
@pytest.mark.filterwarnings("ignore:Using ModelCheckpoint with manual optimization")
@pytest.mark.filterwarnings("ignore:Checkpoint directory")
def test_what_looks_at_every_batch_has_single_steps(
    name: str, flags: dict[str, Any], tiny_npz: Path, tmp_path: Path
) -> None:
    trainer = train(tiny_npz, "auto", max_epochs=1, default_root_dir=tmp_path / "auto", **flags)
    assert trainer.num_training_batches == STEPS
    with pytest.raises(InputError, match=f"steps_per_execution 8: {name} looks at every batch"):
        train(tiny_npz, 8, default_root_dir=tmp_path / "8", **flags)


@pytest.mark.slow
def test_several_ranks_may_take_blocks_too(
    lightning_mnist_command: Command, tiny_npz: Path, tmp_path: Path
) -> None:
    weights = []
    for steps in (1, 5):
        done = lightning_mnist_command(
            "fit", "--data.source", tiny_npz, "--run_dir", tmp_path / f"{steps}",
            "--model.hidden", "[16]", "--trainer.max_epochs", 2, "--data.batch_size", 32,
            "--trainer.accelerator", "cpu", "--trainer.devices", 2, "--trainer.strategy", "ddp",
            "--model.steps_per_execution", steps,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        checkpoint = tmp_path / f"{steps}" / "checkpoints" / "last.ckpt"
        weights.append(torch.load(checkpoint, weights_only=True))
    for key in ("state_dict", "optimizer_states", "global_step"):
        assert_same(weights[0][key], weights[1][key])


@pytest.mark.parametrize(
    ("seconds", "steps"), [(1e-5, MOST_STEPS), (1e-3, MOST_STEPS), (0.031, 8), (0.15, 1), (9, 1)]
)
def test_auto_fills_a_quarter_of_a_second(
    seconds: float, steps: int, tiny_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightning_mnist.module.seconds_of_a_step", lambda *_: seconds)
    trainer = train(tiny_npz, "auto", max_epochs=1)
    assert trainer.num_training_batches == -(-STEPS // steps)
    assert steps_per_execution("auto", trainer, lambda: seconds, 469) == steps
    assert steps_per_execution("auto", trainer, lambda: seconds, 3) == min(steps, 3)
    assert steps_per_execution(64, trainer, pytest.fail, 469) == 64


def test_a_step_is_timed_and_leaves_nothing_behind() -> None:
    network = MLP(784, [16], 10, batch_norm=True, dropout=0.5)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    images, labels = torch.zeros(4, 28, 28, dtype=torch.uint8), torch.arange(4)

    def prepare(batch: Batch, index: int) -> tuple[Tensor, Tensor]:
        time.sleep(0.02)
        return batch.images.flatten(1) / 255, batch.labels

    assert seconds_of_a_step(network, prepare, Batch(images, labels, labels)) >= 0.02
    assert_same(before, network.state_dict())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_the_work_of_a_step() -> None:
    assert work_of_a_step(MLP(784, [128], 10), 100) == 6 * 100 * (784 * 128 + 128 + 1290)


def test_training_scores_are_those_before_each_step(tiny_npz: Path) -> None:
    losses: list[Tensor] = []
    right: list[int] = []

    class Scorer(StepCallback):
        def on_step_start(self, trainer: Any, pl_module: Any, batch: Batch, step: int) -> None:
            logits = pl_module(batch.images)
            losses.append(torch.nn.functional.cross_entropy(logits, batch.labels, reduction="none"))
            right.append(int((logits.argmax(dim=1) == batch.labels).sum()))

    model = {"dropout": 0, "batch_norm": False}
    trainer = train(tiny_npz, 8, model=model, max_epochs=1, callbacks=[Scorer()])
    scores = trainer.callback_metrics
    torch.testing.assert_close(scores["train_loss"], torch.cat(losses).mean().detach())
    assert scores["train_accuracy"].item() == pytest.approx(sum(right) / 367)


def calls_per_step(data: Path, epochs: int) -> int:
    calls = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        train(data, 32, max_epochs=epochs, batch_size=2, model={"batch_norm": False})
    finally:
        sys.setprofile(None)
    return calls


def test_a_step_takes_few_python_calls(tiny_npz: Path) -> None:
    """Without what starts and ends a training, which is the same for one epoch and for two."""
    epoch = calls_per_step(tiny_npz, 2) - calls_per_step(tiny_npz, 1)
    assert epoch / 184 < 500


@pytest.mark.parametrize("steps", [0, -1])
def test_fewer_than_one_step_is_refused(steps: int, here: Here, tiny_npz: Path) -> None:
    done = here("fit", "--data.source", tiny_npz, "--model.steps_per_execution", steps)
    assert done.code == 1
    assert f"--model.steps_per_execution is {steps}; expected auto or at least 1" in done.err


def test_accumulated_gradients_are_refused(here: Here, tiny_npz: Path) -> None:
    done = here("fit", "--data.source", tiny_npz, "--trainer.accumulate_grad_batches", 4)
    assert done.code == 1
    assert "--trainer.accumulate_grad_batches 4: expected 1; choose a --data.batch_size" in done.err


def test_a_schedule_that_waits_for_nothing_is_refused(here: Here, tiny_npz: Path) -> None:
    flags = ("--lr_scheduler", "ReduceLROnPlateau", "--lr_scheduler.monitor", "val_los")
    done = here("fit", "--data.source", tiny_npz, "--trainer.max_epochs", 1, *flags)
    assert done.code == 1
    assert "--lr_scheduler.monitor val_los: not measured; expected one of " in done.err
    assert "val_loss" in done.err
