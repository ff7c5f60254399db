"""Signals, kills, damaged files and full disks: a training goes on to the bit."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer

from lightning_mnist.module import DigitClassifier
from lightning_mnist.steps.execution import Execution
from parity.run_record import RunRecord
from tests.conftest import SLOW, Here, mostly_slow
from tests.lightning_mnist.resuming.conftest import EPOCHS, FLAGS, assert_same_run, fit
from tests.support.full_disk import room_for


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
        pytest.param(signal.SIGINT, 130, 30, "4", marks=SLOW),
        pytest.param(signal.SIGTERM, 143, 45, "auto", marks=SLOW),
    ],
)
def test_a_stopped_run_says_how_to_go_on_and_goes_on_to_the_bit(
    number: signal.Signals,
    code: int,
    step: int,
    blocks: str,
    here: Here,
    tiny_npz: Path,
    whole: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Steps 3 and 30 lie within an epoch of 23 steps; another block size does not matter."""
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
    assert_same_run(whole, "cut")


@pytest.mark.slow
def test_a_run_killed_before_its_first_checkpoint_starts_again(
    here: Here, tiny_npz: Path, whole: Path
) -> None:
    fit(here, tiny_npz, "cut")
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    folder = Path("cut/checkpoints")
    for path in folder.iterdir():
        path.unlink()
    (folder / f".{gone.pid}-best.ckpt").write_text("half")
    (folder / f".{os.getppid()}-best.ckpt").write_text("somebody is writing this")
    done = here("fit", "--data.source", tiny_npz, "--run_dir", "cut", *FLAGS)
    assert "holds another run; choose a new folder, or go on with a training: " in done.err
    done = here("fit", "--resume", "cut")
    assert done.code == 0, done.err
    assert "cut has no checkpoint yet: training from the beginning" in done.out
    assert_same_run(whole, "cut")
    left = {path.name for path in folder.iterdir()}
    assert left == {"best.ckpt", "last.ckpt", "previous.ckpt", f".{os.getppid()}-best.ckpt"}


@pytest.mark.parametrize(
    ("owner", "name", "call", "times"),
    [
        pytest.param(Execution, "_learn", 30, 2, id="twice in a row", marks=SLOW),
        pytest.param(DigitClassifier, "validation_step", 2, 1, id="validating"),
        pytest.param(DigitClassifier, "test_step", 1, 1, id="testing", marks=SLOW),
    ],
)
def test_whenever_a_signal_comes_the_run_goes_on_to_the_bit(
    owner: type,
    name: str,
    call: int,
    times: int,
    here: Here,
    tiny_npz: Path,
    whole: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, left = getattr(owner, name), [call]

    def signalled(self: Any, *args: Any) -> Any:
        left[0] -= 1
        for _ in range(times if left[0] == 0 else 0):
            signal.raise_signal(signal.SIGTERM)
        return real(self, *args)

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, signalled)
        done = here("fit", "--data.source", tiny_npz, "--run_dir", "cut", *FLAGS)
    assert done.code == 143
    assert "stopped by SIGTERM; to go on: python -m lightning_mnist fit --resume cut" in done.err
    assert not list(Path("cut").rglob(".*"))
    done = here("fit", "--resume", "cut")
    assert done.code == 0, done.err
    assert_same_run(whole, "cut")


def test_a_run_that_goes_on_has_its_history_from_the_start(
    here: Here, tiny_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill before its first new epoch does not take from the record what was there."""
    fit(here, tiny_npz, "run", "--trainer.max_epochs", 1)
    seen = []

    def noted(self: Execution, block: Any) -> None:
        seen.append(len(RunRecord.load(Path("run/record.json")).history))
        raise KeyboardInterrupt

    monkeypatch.setattr(Execution, "run", noted)
    with suppress(KeyboardInterrupt):
        here("fit", "--resume", "run", "--trainer.max_epochs", 2)
    assert seen == [1]


def test_the_latest_checkpoint_is_written_every_few_seconds(
    here: Here, tiny_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[int] = []
    save = Trainer.save_checkpoint

    def noted(self: Trainer, path: Any, *args: Any, **kwargs: Any) -> None:
        saved.append(self.global_step)
        save(self, path, *args, **kwargs)

    monkeypatch.setattr(Trainer, "save_checkpoint", noted)
    monkeypatch.setattr("lightning_mnist.resuming.kept.EVERY", 0.0)
    flags = ("--trainer.max_epochs", 1, "--model.steps_per_execution", 5)
    fit(here, tiny_npz, "often", *flags)
    assert saved == [5, 10, 15, 20, 23]
    monkeypatch.setattr("lightning_mnist.resuming.kept.EVERY", 1e9)
    fit(here, tiny_npz, "seldom", *flags)
    assert saved == [5, 10, 15, 20, 23, 23]
    assert_same_run("often", "seldom")


SCRIPT = """
import sys
from lightning_mnist.resuming import kept
from lightning_mnist.command_line.command import main
kept.EVERY = 0.02
sys.exit(main())
"""
"""A training that saves within its epochs, short as they are."""


@pytest.mark.slow
def test_kills_at_random_moments_change_nothing(tiny_npz: Path, tmp_path: Path) -> None:
    def started(*flags: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", SCRIPT, "fit", *map(str, flags)],
            cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def finished(*flags: object) -> None:
        process = started(*flags)
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0, said

    flags: tuple[object, ...] = ("--data.source", tiny_npz, *FLAGS, "--trainer.max_epochs", 40)
    flags += ("--model.batch_norm", "true", "--trainer.callbacks", "EarlyStopping")
    flags += ("--trainer.callbacks.monitor", "val_loss", "--trainer.callbacks.patience", 30)
    finished(*flags, "--model.steps_per_execution", 4, "--run_dir", "whole")
    (tmp_path / "cut").mkdir()
    rng = random.Random(0)  # noqa: S311
    steps = []
    what: tuple[object, ...] = (*flags, "--model.steps_per_execution", 2, "--run_dir", "cut")
    begun, saved = "record.json", "checkpoints/last.ckpt"
    for file in (begun, begun, begun, begun, saved):  # a slow machine gets as far as that too
        sign = tmp_path / "cut" / file
        before = sign.stat().st_mtime_ns if sign.exists() else 0
        process = started(*what)
        while process.poll() is None and not (sign.exists() and sign.stat().st_mtime_ns > before):
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 1))
        process.kill()
        process.communicate()
        what = ("--resume", "cut")
        if (last := tmp_path / "cut" / "checkpoints" / "last.ckpt").exists():
            steps.append(torch.load(last, weights_only=True)["global_step"])
    assert steps == sorted(steps)
    assert steps
    assert steps[-1] > 0
    finished("--resume", "cut")
    assert_same_run(tmp_path / "whole", tmp_path / "cut")


def harm(path: Path) -> None:
    """Flip a bit; a file that has another name keeps it unharmed."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.unlink()
    path.write_bytes(content)


def test_a_damaged_checkpoint_falls_back_to_the_one_before(
    here: Here, tiny_npz: Path, whole: Path
) -> None:
    fit(here, tiny_npz, "cut", "--trainer.max_epochs", 2)
    harm(Path("cut/checkpoints/last.ckpt"))
    done = here("fit", "--resume", "cut", "--trainer.max_epochs", EPOCHS)
    assert done.code == 0, done.err
    assert "last.ckpt cannot be read (damaged: its SHA-256 is another)" in done.err
    assert "going on from previous.ckpt, the one before" in done.err
    assert "going on with cut after 23 steps" in done.out
    assert_same_run(whole, "cut")
    harm(Path("cut/checkpoints/last.ckpt"))
    harm(Path("cut/checkpoints/previous.ckpt"))
    done = here("fit", "--resume", "cut", "--trainer.max_epochs", 9)
    assert done.code == 1
    assert "previous.ckpt cannot be read" in done.err
    assert "train anew" in done.err


@pytest.mark.parametrize("room", mostly_slow([3, 6, 9], 6))
def test_a_full_disk_leaves_what_was_there(
    room: int, here: Here, tiny_npz: Path, whole: Path
) -> None:
    """So many files can be written, and then no more."""
    with room_for(room):
        done = here("fit", "--data.source", tiny_npz, "--run_dir", "cut", *FLAGS)
    assert done.code == 1
    (sentence,) = (line for line in done.err.splitlines() if line.startswith("error: "))
    assert "No space left on device; what was written before is whole" in sentence
    assert "Traceback" not in done.err
    assert not list(Path("cut").rglob(".*"))
    done = here("fit", "--resume", "cut")
    assert done.code == 0, done.err
    assert_same_run(whole, "cut")
