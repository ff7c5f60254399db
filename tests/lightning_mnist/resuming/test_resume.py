"""What is resumed is what was run: to the bit, and never another recipe."""

import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from lightning_mnist.data.sources import RawDigits
from lightning_mnist.errors import InputError
from lightning_mnist.module import DigitClassifier
from lightning_mnist.resuming.kept import BestCheckpoint
from lightning_mnist.resuming.resume import changes
from parity.claims import claimed
from parity.run_record import RunRecord
from parity.watch.symptoms import Symptoms
from tests.conftest import ROOT, Here, write_npz
from tests.lightning_mnist.resuming.conftest import (
    EPOCHS,
    FLAGS,
    RECIPE,
    assert_same_run,
    fit,
    weights,
)


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


def test_every_promise_names_a_test_that_is_there() -> None:
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    written = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", text)
    assert named
    assert all(f"def {name}(" in written for name in named)
    assert all((ROOT / name).is_file() for name in re.findall(r"`(tests/[\w/]+\.py)`", text))


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
