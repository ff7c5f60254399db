"""A training that has come to NaN fails, guard or not, and keeps its last finite checkpoint."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_mnist.execution import Execution
from parity.run_record import RunRecord
from tests.conftest import Here

FLAGS = (
    "--model.hidden", "[8]", "--data.batch_size", 32, "--trainer.max_epochs", 2, "--guard", "off",
    "--run_dir", "run", "--trainer.enable_progress_bar", "false",
)  # fmt: skip
STEPS = 12
"""In an epoch of the tiny digits."""


def spoil_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Have a weight become NaN in that step."""
    learn = Execution._learn
    left = [step]

    def spoilt(self: Execution, *args: Any) -> tuple[Tensor, Tensor]:
        done = learn(self, *args)
        left[0] -= 1
        if left[0] == 0:
            with torch.no_grad():
                next(self.module.parameters())[0, 0] = torch.nan
        return done

    monkeypatch.setattr(Execution, "_learn", spoilt)


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (1, "in epoch 1: the loss of step 2 is nan; no checkpoint was kept"),
        (STEPS, "in epoch 1: after step 12 network.0.weight is not finite; no checkpoint"),
        (STEPS + 5, "in epoch 2: the loss of step 18 is nan; the checkpoints are those of before"),
        (2 * STEPS, "in epoch 2: after step 24 network.0.weight is not finite; the checkpoints"),
    ],
)
def test_without_a_guard(
    step: int, said: str, here: Here, tiny_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil_at(monkeypatch, step)
    done = here("fit", "--data.source", tiny_npz, *FLAGS)
    assert done.code == 1
    assert f"error: training has diverged {said}" in done.err
    assert "Traceback" not in done.err
    assert not RunRecord.load(Path("run/record.json")).finished
    kept = list(Path("run").glob("checkpoints/*.ckpt"))
    assert bool(kept) == (step > STEPS)
    for path in kept:
        state = torch.load(path, weights_only=True)["state_dict"]
        assert all(torch.isfinite(tensor).all() for tensor in state.values())


def test_a_healthy_training_is_left_alone(here: Here, tiny_npz: Path) -> None:
    done = here("fit", "--data.source", tiny_npz, *FLAGS)
    assert done.code == 0, done.err
    assert RunRecord.load(Path("run/record.json")).finished
