"""The progress bar: what it counts, and how fast it says that is."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import rich
from rich.progress import Progress

from lightning_mnist.command_line.progress import SpeedColumn
from parity.run_record import RECORD_FILE, RunRecord
from tests.conftest import Here


def speed_said(*moves: tuple[float, int]) -> str:
    """What stands beside a bar of nine that has come so far after so many seconds."""
    now = 0.0
    progress = Progress(get_time=lambda: now, auto_refresh=False)
    bar = progress.add_task("", total=9)
    for seconds, completed in moves:
        now = seconds
        progress.update(bar, completed=completed)
    return SpeedColumn().render(progress.tasks[0]).plain


@pytest.mark.parametrize(
    ("moves", "said"),
    [
        ([(0.5, 9)], "18.00it/s"),
        ([(0.5, 2)], "4.00it/s"),
        ([(0.001, 1)], "1000.00it/s"),
        ([(300.0, 9)], "33.33s/it"),
        ([(10.0, 1), (11.0, 5), (12.0, 9)], "4.00it/s"),
        ([(0.0, 9)], ""),
        ([(3.0, 0)], ""),
    ],
    ids=str,
)
def test_a_bar_that_has_moved_has_a_speed(moves: list[tuple[float, int]], said: str) -> None:
    assert speed_said(*moves) == said


SMALL = ("--model.hidden", "[8]", "--data.batch_size", 32, "--run_dir", "run")


@pytest.fixture
def on_a_terminal(here: Here, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What a command prints on a terminal, without its colours and movements."""
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setattr(rich, "_console", None)  # it looks once
    return lambda *flags: re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", here(*flags).out)


def test_the_bar_counts_mini_batches(on_a_terminal: Callable[..., str], tiny_npz: Path) -> None:
    out = on_a_terminal("fit", "--data.source", tiny_npz, *SMALL, "--trainer.max_epochs", 1)
    assert " 12/12 " in out
    assert "loss: " in out
    assert "it/s" in out
    assert "0.00it/s" not in out.split()
    flags = ("--trainer.enable_progress_bar", "false", "--trainer.max_epochs", 1)
    quiet = on_a_terminal("fit", "--data.source", tiny_npz, *SMALL[:-1], "quiet", *flags)
    assert "it/s" not in quiet


def test_a_last_epoch_that_is_cut_short_shows_how_far_it_came(
    on_a_terminal: Callable[..., str], tiny_npz: Path
) -> None:
    flags = ("--trainer.max_steps", 17, "--model.steps_per_execution", 4)
    out = on_a_terminal("fit", "--data.source", tiny_npz, *SMALL, *flags)
    assert " 5/12 " in out
    assert "0.00it/s" not in out.split()


def test_where_nobody_watches_each_epoch_is_a_line(here: Here, tiny_npz: Path) -> None:
    flags = ("fit", "--data.source", tiny_npz, *SMALL[:-1])
    done = here(*flags, "run", "--trainer.max_epochs", 2)
    lines = [line for line in done.out.splitlines() if line.startswith("epoch ")]
    record = RunRecord.load(Path("run", RECORD_FILE))
    assert [line.split(":")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    for line, epoch in zip(lines, record.history, strict=True):
        assert f"train_loss {epoch['train_loss']:.4g}" in line
        assert f"val_accuracy {epoch['val_accuracy']:.2%}" in line
    assert "it/s" not in done.out
    assert "\x1b" not in done.out
    hidden = here(
        *flags, "quiet", "--trainer.max_epochs", 1, "--trainer.enable_progress_bar", "false"
    )
    assert "epoch 1" not in hidden.out


def test_fit_says_what_is_trained_in_one_line(here: Here, tiny_npz: Path) -> None:
    flags = ("--data.source", tiny_npz, "--run_dir", "run", "--model.hidden", "[8,5]")
    done = here("fit", *flags, "--trainer.max_epochs", 1)
    assert done.code == 0, done.err
    # Weights and biases, and two numbers a unit for each batch norm.
    size = 784 * 8 + 8 + 2 * 8 + 8 * 5 + 5 + 2 * 5 + 5 * 10 + 10
    assert done.out.splitlines()[0] == f"network: 784-8-5-10, {size:,} parameters"
