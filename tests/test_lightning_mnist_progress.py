"""The progress bar: what it counts, and how fast it says that is."""

from pathlib import Path

import pytest
from rich.progress import Progress

from lightning_mnist.progress import SpeedColumn
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


def test_the_bar_counts_mini_batches(here: Here, tiny_npz: Path) -> None:
    done = here("fit", "--data.source", tiny_npz, *SMALL, "--trainer.max_epochs", 1)
    assert " 12/12 " in done.out
    assert "loss: " in done.out
    assert "it/s" in done.out
    assert "0.00it/s" not in done.out.split()
    flags = ("--trainer.enable_progress_bar", "false", "--trainer.max_epochs", 1)
    quiet = here("fit", "--data.source", tiny_npz, *SMALL[:-1], "quiet", *flags)
    assert "it/s" not in quiet.out


def test_a_last_epoch_that_is_cut_short_shows_how_far_it_came(here: Here, tiny_npz: Path) -> None:
    flags = ("--trainer.max_steps", 17, "--model.steps_per_execution", 4)
    done = here("fit", "--data.source", tiny_npz, *SMALL, *flags)
    assert " 5/12 " in done.out
    assert "0.00it/s" not in done.out.split()
