"""Flags that mean something else here: fused optimisers, clipping, the progress bar."""

from pathlib import Path

import pytest

from parity.run_record import RunRecord
from tests.conftest import Here

SMALL = ("--trainer.max_epochs", 1, "--model.hidden", "[8]", "--run_dir", "run")


@pytest.mark.parametrize(
    ("flags", "fused"),
    [
        ((), True),
        (("--optimizer", "AdamW"), True),
        (("--optimizer", "SGD", "--optimizer.lr", 0.1), True),
        (("--optimizer.fused", "false"), False),
        (("--optimizer.foreach", "true"), None),
    ],
    ids=str,
)
def test_optimisers_are_fused_unless_the_user_has_chosen(
    flags: tuple[object, ...], fused: bool | None, here: Here, tiny_npz: Path, tmp_path: Path
) -> None:
    done = here("fit", "--data.source", tiny_npz, *SMALL, *flags)
    assert done.code == 0, done.err
    optimizer = RunRecord.load(tmp_path / "run" / "record.json").recipe["optimizer"]
    assert optimizer["init_args"]["fused"] is fused


def test_optimisers_that_cannot_be_fused_are_left_alone(here: Here, tiny_npz: Path) -> None:
    done = here("fit", "--data.source", tiny_npz, *SMALL, "--optimizer", "RMSprop")
    assert done.code == 0, done.err


def test_scaled_gradients_are_clipped_unfused_or_not_at_all(here: Here, tiny_npz: Path) -> None:
    flags = ("--trainer.precision", "16-mixed", "--trainer.gradient_clip_val", 1)
    done = here("fit", "--data.source", tiny_npz, *SMALL, *flags, "--optimizer.fused", "true")
    assert done.code == 1
    assert "error: --optimizer.fused true: cannot clip the gradients of a scaled loss" in done.err


def test_the_bar_counts_mini_batches(here: Here, tiny_npz: Path) -> None:
    done = here("fit", "--data.source", tiny_npz, *SMALL, "--data.batch_size", 32)
    assert " 12/12 " in done.out
    assert "loss: " in done.out
    flags = ("--trainer.enable_progress_bar", "false", "--run_dir", "quiet")
    assert " 12/12 " not in here("fit", "--data.source", tiny_npz, *SMALL, *flags).out
