"""Checkpoints: whole or absent, and nothing but a sound one of our model is believed."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from jsonargparse import Namespace
from lightning.pytorch import Trainer

from lightning_mnist.checkpoint import WholeCheckpointIO, read_checkpoint
from lightning_mnist.errors import InputError
from lightning_mnist.module import DigitClassifier
from lightning_mnist.resuming.named import find_named
from parity.run_record import RunRecord
from tests.conftest import Here


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    trainer = Trainer(
        accelerator="cpu", plugins=WholeCheckpointIO(), logger=False, enable_checkpointing=False
    )
    trainer.strategy.connect(DigitClassifier(hidden=[8], standardize="dataset"))
    path = tmp_path / "model.ckpt"
    trainer.save_checkpoint(path)
    return path


def test_a_sound_checkpoint_is_read(saved: Path) -> None:
    checkpoint = read_checkpoint(saved)
    assert checkpoint["hyper_parameters"]["hidden"] == [8]
    assert list(saved.parent.iterdir()) == [saved]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def text(path: Path) -> None:
    path.write_text("a checkpoint")


def hold_code(path: Path) -> None:
    torch.save({"state_dict": {}, "callback": print}, path)


def hold_a_tensor(path: Path) -> None:
    torch.save(torch.zeros(3), path)


def hold_another_network(path: Path) -> None:
    checkpoint = torch.load(path, weights_only=True)
    checkpoint["hyper_parameters"]["hidden"] = [9]
    torch.save(checkpoint, path)


def hold_other_flags(path: Path) -> None:
    torch.save({"state_dict": {}, "hyper_parameters": {"channels": 3}}, path)


def remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut, "not a whole checkpoint"),
        (empty, "not a whole checkpoint"),
        (text, "not a whole checkpoint"),
        (hold_code, "not a whole checkpoint of weights and plain values"),
        (hold_a_tensor, "a checkpoint of another model"),
        (hold_another_network, "a checkpoint of another model"),
        (hold_other_flags, "a checkpoint of another model"),
        (remove, "no such file"),
    ],
)
def test_any_other_file_is_refused_in_one_sentence(
    damage: Callable[[Path], None], said: str, saved: Path
) -> None:
    damage(saved)
    with pytest.raises(InputError, match=f"--ckpt_path .*model.ckpt: {said}") as caught:
        read_checkpoint(saved)
    assert "\n" not in str(caught.value)


def test_a_flipped_bit_in_a_weight_is_noticed(saved: Path) -> None:
    """`torch.load` alone would not: it checks no CRC."""
    sound = saved.read_bytes()
    rng = random.Random(0)  # noqa: S311
    for _ in range(20):
        damaged = bytearray(sound)
        damaged[rng.randrange(len(sound) // 4, len(sound) // 2)] ^= 1 << rng.randrange(8)
        saved.write_bytes(damaged)
        with pytest.raises(InputError):
            read_checkpoint(saved)


@pytest.mark.slow
def test_a_kill_while_saving_leaves_the_former_checkpoint(saved: Path) -> None:
    before = saved.read_bytes()
    script = (
        "import os, pathlib, signal, torch; from lightning_mnist.checkpoint import *\n"
        "def half(checkpoint, path):\n"
        "    pathlib.Path(path).write_bytes(b'half'); os.kill(os.getpid(), signal.SIGKILL)\n"
        f"torch.save = half; WholeCheckpointIO().save_checkpoint({{}}, {str(saved)!r})"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == -signal.SIGKILL
    assert saved.read_bytes() == before


def checkpoints_of(here: Here, source: Path, *flags: object) -> tuple[Path, Path]:
    """The best and the latest one of a training of two epochs."""
    small = ("--model.hidden", "[8]", "--trainer.max_epochs", 2, "--guard", "off")
    done = here("fit", "--data.source", source, "--run_dir", "run", *small, *flags)
    assert done.code == 0, done.err
    return Path("run/checkpoints/best.ckpt"), Path("run/checkpoints/last.ckpt")


def test_an_epoch_that_is_the_best_and_the_latest_is_written_once(
    here: Here, tiny_npz: Path
) -> None:
    best, last = checkpoints_of(here, tiny_npz)
    assert best.samefile(last)
    assert read_checkpoint(last)["epoch"] == 1


def test_a_worse_epoch_is_the_latest_only(here: Here, tiny_npz: Path) -> None:
    """Its learning rate, a thousand million times the first one's, leaves nothing learned."""
    worse = ("--lr_scheduler", "StepLR", "--lr_scheduler.step_size", 1, "--lr_scheduler.gamma", 1e9)
    best, last = checkpoints_of(here, tiny_npz, *worse)
    assert read_checkpoint(best)["epoch"] == 0
    assert read_checkpoint(last)["epoch"] == 1


def test_without_links_the_latest_is_a_copy(
    here: Here, tiny_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no links on this file system")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    best, last = checkpoints_of(here, tiny_npz)
    assert not best.samefile(last)
    assert best.read_bytes() == last.read_bytes()


def a_run(folder: Path, age: int, *names: str) -> Path:
    for name in names:
        path = folder / "checkpoints" / f"{name}.ckpt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
    return folder


@pytest.mark.parametrize(
    ("flags", "named", "run_dir_after"),
    [
        ({"ckpt_path": "best"}, "runs/new/checkpoints/best.ckpt", None),
        ({"ckpt_path": "last"}, "runs/older/checkpoints/last.ckpt", None),
        ({"ckpt_path": "best", "run_dir": "mine"}, "mine/checkpoints/best.ckpt", None),
        (
            {"ckpt_path": "last", "run_dir": "mine", "guard": "stop"},
            "mine/checkpoints/last.ckpt", "mine",
        ),
        ({"ckpt_path": "other.ckpt", "run_dir": "mine"}, "other.ckpt", "mine"),
    ],
    ids=["newest best", "newest last", "best of a run", "fit goes on", "a path"],
)  # fmt: skip
def test_best_and_last_are_checkpoints_of_a_run(
    flags: dict[str, str], named: str, run_dir_after: str | None, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    a_run(Path("runs/older"), 50, "best", "last")
    a_run(Path("runs/new"), 10, "best")
    a_run(Path("mine"), 90, "best", "last")
    config = Namespace(**flags)
    find_named(config)
    assert config.ckpt_path == named
    assert config.get("run_dir") == run_dir_after
    assert (named in capsys.readouterr().err) == (flags["ckpt_path"] != named)


def test_a_named_checkpoint_that_is_not_there_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for flags, said in (
        ({}, "no run in runs/ has checkpoints/best.ckpt; train with fit first"),
        ({"run_dir": "mine"}, "--run_dir mine has no checkpoints/best.ckpt"),
    ):
        with pytest.raises(InputError, match=said):
            find_named(Namespace(ckpt_path="best", **flags))


def test_a_named_checkpoint_is_tested(saved: Path, here: Here, tiny_npz: Path) -> None:
    (saved.parent / "mine" / "checkpoints").mkdir(parents=True)
    saved.rename(saved.parent / "mine" / "checkpoints" / "best.ckpt")
    done = here("test", "--ckpt_path", "best", "--run_dir", "mine", "--data.source", tiny_npz)
    assert "--ckpt_path best: mine/checkpoints/best.ckpt" in done.err
    assert (done.code, "run directory: runs/" in done.out) == (0, True), done.err


def test_a_named_checkpoint_is_exported_and_served(saved: Path, here: Here) -> None:
    folder = saved.parent / "runs" / "mine" / "checkpoints"
    folder.mkdir(parents=True)
    saved.rename(folder / "best.ckpt")
    done = here("export", "--ckpt_path", "best", "--to", "safetensors")
    assert done.code == 0, done.err
    assert (folder / "best.safetensors").is_file()
    for command in (("serve",), ("export", "--to", "safetensors")):
        done = here(*command, "--ckpt_path", "last")
        assert (done.code, "no run in runs/ has checkpoints/last.ckpt" in done.err) == (1, True)


def test_the_last_epoch_is_kept_and_tested_where_that_is_asked(here: Here, tiny_npz: Path) -> None:
    """The rate grows by 300 after the first epoch, which spoils what was learned."""
    schedule = (
        "--lr_scheduler",
        "torch.optim.lr_scheduler.ExponentialLR",
        "--lr_scheduler.gamma",
        300,
    )
    flags = ("--data.source", tiny_npz, "--model.hidden", "[8]", "--optimizer", "SGD",
             "--optimizer.lr", 0.1, *schedule, "--guard", "off")  # fmt: skip
    for keep in ("best", "last"):
        for more in ((), ("--resume", keep, "--trainer.max_epochs", 3)):
            run = ("--run_dir", keep, "--trainer.max_epochs", 2, "--keep", keep, *flags)
            done = here("fit", *(more or run))
            assert done.code == 0, done.err
    steps = {
        (run, name): torch.load(f"{run}/checkpoints/{name}.ckpt", weights_only=True)["global_step"]
        for run in ("best", "last")
        for name in ("best", "last")
    }
    assert steps["best", "best"] * 3 == steps["best", "last"]
    assert steps["last", "best"] == steps["last", "last"] == steps["best", "last"]
    read = {
        run: RunRecord.load(Path(run, "record.json")).metrics["accuracy"]
        for run in ("best", "last")
    }
    assert read["last"] < read["best"]
