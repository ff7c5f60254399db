"""What is resumed is what was run: to the bit, and never another recipe."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from lightning.pytorch import Trainer

from lightning_mnist.data.sources import RawDigits
from lightning_mnist.errors import InputError
from lightning_mnist.module import DigitClassifier
from lightning_mnist.resuming.kept import BestCheckpoint
from lightning_mnist.resuming.resume import changes
from lightning_mnist.steps.execution import Execution
from parity.claims import claimed
from parity.run_record import Predictions, RunRecord
from parity.watch.symptoms import Symptoms
from tests.conftest import ROOT, SLOW, Here, mostly_slow, start, write_npz
from tests.support.full_disk import room_for

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


def test_a_training_in_float64_goes_on_with_every_bit_of_its_weights(
    here: Here, tiny_npz: Path
) -> None:
    exact = ("--trainer.precision", "64-true")
    fit(here, tiny_npz, "averaged", *exact, "--trainer.max_epochs", 1)
    flags = (*exact, "--ema_decay", "null")
    fit(here, tiny_npz, "whole", *flags, "--trainer.max_epochs", 2)
    fit(here, tiny_npz, "cut", *flags, "--trainer.max_epochs", 1)
    assert here("fit", "--resume", "cut", "--trainer.max_epochs", 2).code == 0
    one, other = weights("whole"), weights("cut")
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert torch.float32 not in {weight.dtype for weight in weights("averaged").values()}


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


def test_a_run_goes_on_by_its_name_alone_and_says_what_is_new(
    here: Here, fitted: Path, whole: Path
) -> None:
    done = here("fit", "--resume", fitted, "--trainer.max_epochs", EPOCHS, "--guard", "warn")
    assert done.code == 0, done.err
    assert "going on with run after 23 steps; " in done.out
    assert f"--trainer.max_epochs {EPOCHS} instead of 1" in done.out
    assert "--guard warn instead of stop" in done.out
    assert_same_run(whole, fitted)
    recipe = RunRecord.load(fitted / "record.json").recipe
    assert (recipe["model"]["hidden"], recipe["guard"]) == ([16], "warn")
    assert yaml.safe_load((fitted / "config.yaml").read_text()) == recipe


def test_what_cannot_change_on_the_way_is_refused_in_a_sentence(
    here: Here, fitted: Path, tiny_digits: RawDigits, tmp_path: Path
) -> None:
    before = {path: path.read_bytes() for path in fitted.rglob("*") if path.is_file()}
    tiny_digits.train_images[0] += 1
    other = write_npz(tiny_digits, tmp_path / "other.npz")
    last = fitted / "checkpoints" / "last.ckpt"
    for flags, said in (
        (("--resume", fitted, "--model.hidden", "[128]"), "--model.hidden [128], and it was"),
        (("--resume", fitted, "--model.dropout", 0), "--model.dropout 0.0, and it was"),
        (("--resume", fitted, "--optimizer", "SGD"), "--optimizer torch.optim.SGD, and it was"),
        (("--resume", fitted, "--optimizer.lr", 1), "--optimizer.lr 1.0, and it was trained with"),
        (("--resume", fitted, "--lr_scheduler", "null"), "--lr_scheduler null, and it was"),
        (("--resume", fitted, "--seed_everything", 1), "--seed_everything 1, and it was"),
        (("--resume", fitted, "--data.source", other), "has other images than"),
        (("--resume", fitted, "--ckpt_path", last), "--resume and --ckpt_path: expected one"),
        (("--resume", "nowhere"), "--resume nowhere: no config.yaml in it"),
        (("--resume",), "--resume: no training in runs/"),
        (("--ckpt_path", last), "--model.hidden [512, 512], and it was trained with [16]"),
        (("--ckpt_path", last, *RECIPE, "--data.source", other), "has other images than"),
    ):
        done = here("fit", *flags)
        assert done.code == 1, done.out
        assert done.err.count("error: ") == 1
        assert said in done.err
        assert "Traceback" not in done.err
    assert before == {path: path.read_bytes() for path in fitted.rglob("*") if path.is_file()}


def test_a_checkpoint_goes_on_in_another_folder_with_its_own_recipe(
    here: Here, fitted: Path, tiny_npz: Path, whole: Path
) -> None:
    fit(here, tiny_npz, "other", "--ckpt_path", fitted / "checkpoints" / "last.ckpt")
    assert_same_run(whole, "other")


@pytest.mark.slow
def test_the_newest_training_is_the_default(here: Here, tiny_npz: Path) -> None:
    for name in ("older", "newer"):
        fit(here, tiny_npz, f"runs/{name}", "--trainer.max_epochs", 1)
    best = "runs/newer/checkpoints/best.ckpt"
    done = here("test", "--ckpt_path", best, "--data.source", tiny_npz, "--run_dir", "runs/tested")
    assert done.code == 0, done.err
    done = here("fit", "--resume", "--trainer.max_epochs", 2)
    assert done.code == 0, done.err
    assert len(RunRecord.load(Path("runs/newer/record.json")).history) == 2
    done = here("fit", "--resume", "runs/tested")
    assert "--resume runs/tested: holds a test" in done.err


@pytest.mark.slow
def test_a_run_killed_before_its_first_checkpoint_starts_again(here: Here, tiny_npz: Path) -> None:
    fit(here, tiny_npz, "whole")
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
    assert_same_run("whole", "cut")
    left = {path.name for path in folder.iterdir()}
    assert left == {"best.ckpt", "last.ckpt", "previous.ckpt", f".{os.getppid()}-best.ckpt"}


def test_a_moved_run_keeps_its_best_epoch(
    here: Here, tiny_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    over_ranks = DigitClassifier.over_ranks

    def worse_each_epoch(model: DigitClassifier, scores: Any) -> tuple[torch.Tensor, torch.Tensor]:
        loss, accuracy = over_ranks(model, scores)
        validates = scores is model.evaluated
        return (torch.full_like(loss, model.current_epoch) if validates else loss), accuracy

    monkeypatch.setattr(DigitClassifier, "over_ranks", worse_each_epoch)
    fit(here, tiny_npz, "run", "--trainer.max_epochs", 2)
    best = Path("run/checkpoints/best.ckpt").read_bytes()
    Path("run").rename("moved")
    done = here("fit", "--resume", "moved", "--trainer.max_epochs", 3)
    assert done.code == 0, done.err
    assert Path("moved/checkpoints/best.ckpt").read_bytes() == best
    assert torch.load("moved/checkpoints/last.ckpt", weights_only=True)["epoch"] == 2
    assert not Path("run").exists()


def test_a_resumed_run_whose_best_epoch_is_the_one_before_is_not_stale(
    here: Here, tiny_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit(here, tiny_npz, "run", "--trainer.max_epochs", 1)
    monkeypatch.setattr(BestCheckpoint, "check_monitor_top_k", lambda *_: False)
    done = here("fit", "--resume", "run", "--trainer.max_epochs", 2)
    assert done.code == 0, done.err
    symptoms = Symptoms.load(Path("run/symptoms.json"))
    assert symptoms.epoch == 2
    assert all(layer.evaluated_change and layer.evaluated_change > 0 for layer in symptoms.layers)
    assert {reading["epoch"] for reading in symptoms.readings} == {0, 1, 2}


def test_a_run_that_is_finished_can_be_tested_once_more(here: Here, fitted: Path) -> None:
    """A run that is killed while it is tested has all its epochs."""
    before = (fitted / "symptoms.json").read_text()
    for name in ("predictions.npz", "symptoms.json"):
        (fitted / name).unlink()
    done = here("fit", "--resume", fitted)
    assert done.code == 0, done.err
    assert RunRecord.load(fitted / "record.json").finished
    assert len(RunRecord.load(fitted / "record.json").history) == 1
    assert (fitted / "symptoms.json").read_text() == before


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
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fit(here, tiny_npz, "whole")
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
    assert_same_run("whole", "cut")


def test_a_training_that_stopped_itself_has_ended(
    here: Here, tiny_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before its curves were drawn; Lightning would train an epoch more."""
    stops = (
        "--trainer.callbacks", "EarlyStopping", "--trainer.callbacks.monitor", "train_loss",
        "--trainer.callbacks.mode", "max", "--trainer.callbacks.patience", "1",
    )  # fmt: skip
    fit(here, tiny_npz, "run", *stops)
    assert len(RunRecord.load(Path("run/record.json")).history) == 2
    Path("run").rename("whole")
    shutil.copytree("whole", "run")
    for name in ("curves.png", "predictions.npz", "symptoms.json", "index.html"):
        Path("run", name).unlink()
    done = here("fit", "--resume", "run")
    assert done.code == 0, done.err
    assert_same_run("whole", "run")
    assert {p.name for p in Path("run").iterdir()} == {p.name for p in Path("whole").iterdir()}
    done = here("fit", "--resume", "run", "--trainer.max_epochs", 4)
    assert done.code == 0, done.err
    assert len(RunRecord.load(Path("run/record.json")).history) == 3
    done = here("fit", "--resume", "run", *stops[:-1], 3, "--trainer.max_epochs", 9)
    assert done.code == 0, done.err
    assert len(RunRecord.load(Path("run/record.json")).history) == 4


def test_a_run_that_says_it_is_finished_lacks_nothing(
    here: Here, tiny_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`parity run` keeps a finished run as it is: its record is the last file to say so."""
    seen = []

    def noted(run: Path, record: RunRecord) -> None:
        seen.append((record.finished, RunRecord.load(run / "record.json").finished))

    monkeypatch.setattr("lightning_mnist.callbacks.write_index", noted)
    fit(here, tiny_npz, "run", "--trainer.max_epochs", 1)
    assert seen == [(True, False)]
    assert RunRecord.load(Path("run/record.json")).finished


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


def test_every_promise_names_a_test_that_is_there() -> None:
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    written = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", text)
    assert named
    assert all(f"def {name}(" in written for name in named)
    assert all((ROOT / name).is_file() for name in re.findall(r"`(tests/[\w/]+\.py)`", text))


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


def test_a_second_training_in_the_same_folder_is_refused(
    here: Here, tiny_npz: Path, tmp_path: Path
) -> None:
    with claimed(tmp_path / "run"):
        done = here("fit", "--data.source", tiny_npz, "--run_dir", "run", *FLAGS)
    assert done.code == 1
    assert f"process {os.getpid()} is filling it; wait for it, or choose a new folder" in done.err


def test_a_recipe_that_is_older_than_a_flag_goes_on_with_its_default() -> None:
    former = {"model": {"hidden": [8]}, "optimizer": {"class_path": "A", "init_args": {"lr": 1}}}
    usual = {"class_path": "B", "init_args": {"lr": 2, "betas": [0.9, 0.999]}}
    defaults = {"keep": "best", "model": {"hidden": [9], "dropout": 0.3}, "optimizer": usual}
    recipe = {**former, "keep": "best", "model": {"hidden": [8], "dropout": 0.3}}
    assert changes(former, recipe, defaults) == []
    with pytest.raises(InputError, match="--keep last, and it was trained with best: cannot"):
        changes(former, {**recipe, "keep": "last"}, defaults)
    with pytest.raises(InputError, match=r"--model.hidden \[9\], and it was trained with \[8\]"):
        changes(former, {**recipe, "model": {"hidden": [9], "dropout": 0.3}}, defaults)
