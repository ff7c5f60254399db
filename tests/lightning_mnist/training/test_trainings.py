"""One training that leaves nothing behind, and the same work in several processes."""

import os
import signal
import time
from pathlib import Path

import pytest

from lightning_mnist.errors import InputError
from lightning_mnist.trainings.flags import refuse, without
from lightning_mnist.trainings.processes import processes_for, run, threads_each
from parity.run_record import RunRecord
from tests.conftest import SLOW, Here

SMALL = ["--trainer.max_epochs", "2", "--model.hidden", "[16]", "--data.batch_size", "32"]


def test_a_training_is_that_of_fit_and_leaves_nothing_behind(
    here: Here, tiny_npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lightning_mnist.trainings.training import train

    flags = [*SMALL, "--data.source", str(tiny_npz), "--model.dropout", "0.2"]
    monkeypatch.chdir(tmp_path)
    files = set(tmp_path.rglob("*"))
    training = train(flags)
    assert set(tmp_path.rglob("*")) == files

    done = here("fit", *flags, "--run_dir", "run")
    assert done.code == 0, done.err
    record = RunRecord.load(tmp_path / "run" / "record.json")
    assert training.recipe == record.recipe
    assert training.data == record.data
    assert training.accuracy == record.history[-1]["val_accuracy"]
    for mine, its in zip(training.history, record.history, strict=True):
        assert {k: v for k, v in mine.items() if k != "seconds"} == {
            k: its[k] for k in mine if k != "seconds"
        }
    assert not training.stopped
    assert training.parameters == 784 * 16 + 16 + 2 * 16 + 16 * 10 + 10
    assert training.train_accuracy > training.accuracy - 0.2


def test_who_watches_a_training_stops_it_but_not_after_its_last_epoch(tiny_npz: Path) -> None:
    from lightning_mnist.trainings.training import train

    flags = [*SMALL, "--data.source", str(tiny_npz)]
    stopped = train(flags, lambda row: True)
    assert (len(stopped.history), stopped.stopped) == (1, True)
    ended = train(flags, lambda row: row["epoch"] == 2)
    assert (len(ended.history), ended.stopped) == (2, False)


def test_a_training_that_validates_nothing_is_refused(tiny_npz: Path) -> None:
    from lightning_mnist.trainings.training import train

    flags = [*SMALL, "--data.source", str(tiny_npz), "--trainer.limit_val_batches", "0"]
    with pytest.raises(InputError, match="validates nothing"):
        train(flags)


def test_a_value_that_is_not_finite_ends_a_training(tiny_npz: Path) -> None:
    from lightning_mnist.divergence import DivergedError
    from lightning_mnist.trainings.training import train

    flags = [*SMALL, "--data.source", str(tiny_npz), "--optimizer", "SGD", "--optimizer.lr", "1e30"]
    with pytest.raises(DivergedError):
        train(flags)


def works(folder: Path) -> None:
    (folder / str(os.getpid())).write_text("")


def fails_beside_one_that_goes_on(folder: Path) -> None:
    (folder / str(os.getpid())).write_text("")
    while len(list(folder.iterdir())) < 2:
        time.sleep(0.01)
    if min(int(path.name) for path in folder.iterdir()) == os.getpid():
        raise InputError("the flag is wrong")
    time.sleep(600)


def is_killed(folder: Path) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def is_asked_to_end(folder: Path) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(600)


def test_work_is_done_in_as_many_processes(tmp_path: Path) -> None:
    assert run(works, (tmp_path,), 2) == 0
    pids = {int(path.name) for path in tmp_path.iterdir()}
    assert len(pids) == 2
    assert os.getpid() not in pids
    assert run(works, (tmp_path,), 1) == 0
    assert (tmp_path / str(os.getpid())).exists()


def test_a_mistake_is_said_once_and_ends_the_others(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(fails_beside_one_that_goes_on, (tmp_path,), 2) == 1
    assert capfd.readouterr().err == "error: the flag is wrong\n"


@pytest.mark.parametrize(
    ("work", "code", "said"),
    [
        (is_killed, 1, "error: a worker was ended by SIGKILL"),
        pytest.param(
            is_asked_to_end, 143, "stopped by SIGTERM; the same command goes on", marks=SLOW
        ),
    ],
)
def test_how_a_worker_ended_is_said(
    work: object, code: int, said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert callable(work)
    assert run(work, (tmp_path,), 2) == code
    assert capfd.readouterr().err.strip().startswith(said)


def test_processes_are_as_many_as_asked_but_no_more_than_jobs() -> None:
    assert processes_for(3, 10) == 3
    assert processes_for(3, 2) == 2
    assert processes_for(3, 0) == 1
    assert processes_for(None, 1) == 1
    assert threads_each(10_000) == 1


def test_flags_are_told_apart_from_values() -> None:
    words = ["--a", "1", "--b=2", "--c", "x", "y", "--d"]
    assert without(words, ("b", "c")) == ["--a", "1", "--d"]
    refuse(words)
    with pytest.raises(InputError, match="--run_dir: every training decides that"):
        refuse([*words, "--run_dir=x"])
