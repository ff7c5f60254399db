"""A training that has come to NaN fails, guard or not, and keeps its last finite checkpoint."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_mnist.data.batches import Batch
from lightning_mnist.data.blocks import Block
from lightning_mnist.steps.execution import Execution
from parity.run_record import RunRecord
from tests.conftest import Here, mostly_slow

FLAGS = (
    "--model.hidden", "[8]", "--data.batch_size", 32, "--trainer.max_epochs", 2,
    "--run_dir", "run", "--trainer.enable_progress_bar", "false", "--model.steps_per_execution", 4,
)  # fmt: skip
STEPS = 12
"""In an epoch of the tiny digits."""


def named_samples(said: str, step: int) -> list[int]:
    """The samples that a message says the step has learned."""
    found = re.search(rf"step {step} learned sample ids ([\d ]+)", said)
    assert found, said
    return [int(number) for number in found[1].split()]


def spoil_at(monkeypatch: pytest.MonkeyPatch, step: int) -> list[list[int]]:
    """Have a weight become NaN in that step; gives the samples of each step, once it is taken."""
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
    learned: list[list[int]] = []
    batches = Block.batches

    def noted(self: Block) -> Iterator[tuple[int, Batch, float]]:
        for place, batch, weight in batches(self):
            learned.append(batch.sample_ids.tolist())
            yield place, batch, weight

    monkeypatch.setattr(Block, "batches", noted)
    return learned


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (1, "in epoch 1: the loss of step 2 is nan; step 2 learned .*; no checkpoint was kept"),
        (STEPS, "in epoch 1: after step 12 network.0.weight is not finite; .*; no checkpoint"),
        (
            STEPS + 5,
            "in epoch 2: the loss of step 18 is nan; .*; the checkpoints are those of before",
        ),
        (
            2 * STEPS,
            "in epoch 2: after step 24 network.0.weight is not finite; .*; the checkpoints",
        ),
    ],
)
@pytest.mark.pictures
@pytest.mark.parametrize("guard", mostly_slow(["off", "stop", "warn"], "stop"))
def test_it_fails_and_keeps_what_is_finite(
    guard: str, step: int, said: str, here: Here, tiny_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned = spoil_at(monkeypatch, step)
    done = here("fit", "--data.source", tiny_npz, *FLAGS, "--guard", guard)
    assert done.code == (3 if guard == "stop" else 1), done.err
    if guard == "stop":
        assert "the network has collapsed" in done.err
    else:
        word = "warning" if guard == "warn" else "error"
        assert re.search(f"{word}: training has diverged {said}", done.err)
    assert named_samples(done.err, step) == learned[step - 1]
    assert "Traceback" not in done.err
    assert RunRecord.load(Path("run/record.json")).finished == (guard == "warn")
    kept = list(Path("run").glob("checkpoints/*.ckpt"))
    assert bool(kept) == (step > STEPS)
    for path in kept:
        state = torch.load(path, weights_only=True)["state_dict"]
        assert all(torch.isfinite(tensor).all() for tensor in state.values())


def test_a_healthy_training_is_left_alone(here: Here, tiny_npz: Path) -> None:
    done = here("fit", "--data.source", tiny_npz, *FLAGS)
    assert done.code == 0, done.err
    assert RunRecord.load(Path("run/record.json")).finished
