"""What is resumed is what was run: to the bit, and never another recipe."""

import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from lightning_mnist.execution import Execution
from lightning_mnist.module import DigitClassifier
from parity.run_record import Predictions, RunRecord
from tests.conftest import Here

EPOCHS = 3
RECIPE = (
    "--model.hidden", "[16]", "--model.dropout", "0.4", "--model.augmentation.rotation", 10,
    "--data.batch_size", 16, "--optimizer.lr", "0.01", "--lr_scheduler.gamma", "0.5",
)  # fmt: skip
FLAGS = (*RECIPE, "--trainer.max_epochs", EPOCHS, "--trainer.enable_progress_bar", "false")


def fit(here: Here, source: Path, run: str, *flags: object) -> None:
    done = here("fit", "--data.source", source, "--run_dir", run, *FLAGS, *flags)
    assert done.code == 0, done.err


def weights(run: Path | str) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(
        Path(run, "checkpoints", "last.ckpt"), weights_only=True
    )["state_dict"]
    return state


def assert_same_run(first: Path | str, second: Path | str) -> None:
    """Weights, history but for its clock, and predictions, to the bit."""
    a, b = weights(first), weights(second)
    assert all(torch.equal(a[name], b[name]) for name in a)
    records = [RunRecord.load(Path(run, "record.json")) for run in (first, second)]
    histories = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in record.history]
        for record in records
    ]
    assert histories[0] == histories[1]
    assert records[0].metrics == records[1].metrics
    assert all(record.finished for record in records)
    logits = [Predictions.load(Path(run, "predictions.npz")).logits for run in (first, second)]
    np.testing.assert_array_equal(*logits)


def signal_at(monkeypatch: pytest.MonkeyPatch, step: int, number: int) -> None:
    """Have a signal arrive once while that step is taken."""
    learn = Execution._learn
    left = [step]

    def signalled(self: Execution, *args: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            signal.raise_signal(number)
        return learn(self, *args)

    monkeypatch.setattr(Execution, "_learn", signalled)


@pytest.mark.parametrize(
    ("number", "code", "step", "blocks"),
    [
        (signal.SIGTERM, 143, 3, "4"),
        (signal.SIGINT, 130, 30, "4"),
        (signal.SIGTERM, 143, 45, "auto"),
    ],
)
def test_a_stopped_run_says_how_to_go_on_and_goes_on_to_the_bit(
    number: signal.Signals,
    code: int,
    step: int,
    blocks: str,
    here: Here,
    tiny_npz: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Steps 3 and 30 lie within an epoch of 23 steps; another block size does not matter."""
    fit(here, tiny_npz, "whole", "--model.steps_per_execution", 1)
    with monkeypatch.context() as patched:
        signal_at(patched, step, number)
        flags = ("--data.source", tiny_npz, "--run_dir", "cut", "--model.steps_per_execution")
        done = here("fit", *FLAGS, *flags, blocks)
    assert done.code == code
    assert f"stopped by {number.name}; to go on: " in done.err
    assert "python -m lightning_mnist fit --resume cut" in done.err
    assert "Traceback" not in done.err
    assert not RunRecord.load(Path("cut/record.json")).finished
    saved = torch.load("cut/checkpoints/last.ckpt", weights_only=True)
    assert step <= saved["global_step"] < step + 32
    assert ("position" in saved) == (blocks == "4")
    done = here("fit", "--resume", "cut", "--model.steps_per_execution", 3)
    assert done.code == 0, done.err
    assert f"after {saved['global_step']} steps" in done.out
    assert_same_run("whole", "cut")
