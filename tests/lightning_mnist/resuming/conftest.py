"""What tests of resuming share: a short training, and what two that are the same have alike."""

from pathlib import Path

import numpy as np
import pytest
import torch

from parity.run_record import Predictions, RunRecord
from tests.conftest import Here, start

EPOCHS = 3
RECIPE = (
    "--model.hidden", "[16]", "--model.dropout", "0.4", "--model.augmentation.rotation", 10,
    "--data.batch_size", 16, "--optimizer.lr", "0.01", "--lr_scheduler.gamma", "0.5",
    "--model.input_dropout", "0.1", "--model.max_norm", 1, "--ema_decay", "0.9",
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
    """Weights, history but for its clock, predictions and symptoms, to the bit."""
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
    one, other = (Predictions.load(Path(run, "predictions.npz")).logits for run in (first, second))
    np.testing.assert_array_equal(one, other)
    symptoms = [Path(run, "symptoms.json").read_text() for run in (first, second)]
    assert symptoms[0] == symptoms[1]


@pytest.fixture(scope="module")
def whole(source: Path) -> Path:
    """A training that nothing has interrupted, step by step."""
    folder = source.parent
    flags = ("--data.source", source, *FLAGS, "--model.steps_per_execution", 1)
    assert start("lightning_mnist", "fit", *flags, "--run_dir", "whole", cwd=folder) == 0
    return folder / "whole"


@pytest.fixture
def fitted(here: Here, tiny_npz: Path) -> Path:
    """The run directory of a short training of a recipe that is not the default."""
    fit(here, tiny_npz, "run", "--trainer.max_epochs", 1)
    return Path("run")
