"""The commands, run as a user runs them, on tiny digits."""

import csv
import json
import logging
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_mnist import lean_imports, short_floats
from lightning_mnist.module import DigitClassifier
from lightning_mnist.scores import RunningScores
from parity.run_record import Predictions, RunRecord
from tests.conftest import ROOT, Here, start

SMALL = ("--trainer.max_epochs", 2, "--model.hidden", "[32]", "--data.batch_size", 32)


@pytest.fixture(scope="module")
def fitted(source: Path) -> Path:
    """The run directory of a short training, which no test changes."""
    run_dir = source.parent / "run"
    flags = ("--data.source", source, "--run_dir", run_dir, *SMALL)
    assert start("lightning_mnist", "fit", *flags, cwd=source.parent, drawn=True) == 0
    return run_dir


def test_fit_leaves_a_complete_run_directory(fitted: Path, source: Path) -> None:
    names = {path.name for path in fitted.iterdir()}
    assert names == {
        "record.json", "predictions.npz", "config.yaml", "history.csv",
        "curves.png", "confusion.png", "mistakes.png", "symptoms.json", "index.html",
        "checkpoints",
    }  # fmt: skip
    kept = {path.name for path in (fitted / "checkpoints").iterdir()}
    assert kept == {"best.ckpt", "last.ckpt", "previous.ckpt"}
    for picture in fitted.glob("*.png"):
        with Image.open(picture) as image:
            assert min(image.size) > 200

    record = RunRecord.load(fitted / "record.json")
    assert record.finished
    assert record.framework == "lightning"
    assert record.seed == 0
    assert record.data["name"] == str(source)
    assert record.recipe["model"]["hidden"] == [32]
    assert set(record.versions) == {"python", "torch", "torchvision", "lightning", "numpy"}
    assert record.durations["fit"] > 0
    assert [row["epoch"] for row in record.history] == [1, 2]
    assert [row["learning_rate"] for row in record.history] == [0.002, 0.0015]
    for key in ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "val_recall_9"):
        assert all(np.isfinite(row[key]) for row in record.history)
    with (fitted / "history.csv").open() as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    assert rows == record.history


def test_the_predictions_meet_the_contract_and_agree_with_the_record(
    fitted: Path, source: Path
) -> None:
    predictions = Predictions.load(fitted / "predictions.npz")
    with np.load(source) as arrays:
        np.testing.assert_array_equal(predictions.labels, arrays["y_test"])
    assert predictions.sample_ids.tolist() == list(range(80))
    metrics = RunRecord.load(fitted / "record.json").metrics
    right = predictions.predicted == predictions.labels
    assert metrics["accuracy"] == pytest.approx(right.mean())
    for digit in range(10):
        mine = predictions.labels == digit
        assert metrics["recall"][digit] == pytest.approx(right[mine].mean())
        share = (predictions.predicted == digit).mean()
        assert metrics["predicted_share"][digit] == pytest.approx(share)


def test_fit_learns(here: Here, tiny_npz: Path, tmp_path: Path) -> None:
    flags = ("--trainer.max_epochs", 8, "--data.batch_size", 32, "--model.hidden", "[64]")
    done = here("fit", "--data.source", tiny_npz, "--run_dir", tmp_path / "run", *flags)
    assert done.code == 0, done.err
    assert RunRecord.load(tmp_path / "run" / "record.json").metrics["accuracy"] > 0.95
    assert "test part of" in done.out
    assert "share of predictions" in done.out


def test_the_config_repeats_the_run_to_the_bit_and_another_seed_does_not(
    here: Here, fitted: Path, tmp_path: Path
) -> None:
    config = fitted / "config.yaml"
    for name, seed in (("same", 0), ("other", 1)):
        done = here("fit", "-c", config, "--run_dir", tmp_path / name, "--seed_everything", seed)
        assert done.code == 0, done.err
    first, same, other = (
        (run / "predictions.npz").read_bytes()
        for run in (fitted, tmp_path / "same", tmp_path / "other")
    )
    assert first == same
    assert first != other


def test_a_new_run_directory_is_the_default(here: Here, tiny_npz: Path, tmp_path: Path) -> None:
    done = here("fit", "--data.source", tiny_npz, *SMALL)
    assert done.code == 0, done.err
    (run_dir,) = (tmp_path / "runs").iterdir()
    assert run_dir.name.endswith("-fit-seed0")
    assert f"runs/{run_dir.name}" in done.out


def test_test_scores_a_checkpoint_as_fit_did(here: Here, fitted: Path, tmp_path: Path) -> None:
    best = fitted / "checkpoints" / "best.ckpt"
    source = RunRecord.load(fitted / "record.json").data["name"]
    run_dir = tmp_path / "tested"
    done = here("test", "--ckpt_path", best, "--data.source", source, "--run_dir", run_dir)
    assert done.code == 0, done.err
    assert "test part of" in done.out
    first, again = (Predictions.load(run / "predictions.npz") for run in (fitted, run_dir))
    assert np.array_equal(first.logits, again.logits)
    record = RunRecord.load(run_dir / "record.json")
    assert record.command == "test"
    assert record.finished


def test_validate_uses_the_images_that_the_checkpoint_was_not_trained_on(
    here: Here, tiny_npz: Path, tmp_path: Path
) -> None:
    flags = ("--data.source", tiny_npz, "--data.val_size", 70)
    done = here("fit", *flags, "--seed_everything", 7, "--run_dir", tmp_path / "run", *SMALL)
    assert done.code == 0, done.err
    history = RunRecord.load(tmp_path / "run" / "record.json").history
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    done = here("validate", "--ckpt_path", last, "--data.source", tiny_npz)
    assert done.code == 0, done.err
    accuracy = history[-1]["val_accuracy"]
    assert f"accuracy {accuracy:.2%} ({round(accuracy * 70)} of 70)" in done.out


def test_batch_norm_of_keras_and_float64_are_flags(here: Here, tiny_npz: Path) -> None:
    precise = ("--model.batch_norm", "keras", "--trainer.precision", "64-true")
    flags = (*SMALL, *precise, "--data.source", tiny_npz)
    done = here("fit", *flags, "--model.augmentation.rotation", 10, "--run_dir", "run")
    assert done.code == 0, done.err
    last = "run/checkpoints/last.ckpt"
    checkpoint = torch.load(last, weights_only=True)
    assert checkpoint["hyper_parameters"]["batch_norm"] == "keras"
    assert checkpoint["state_dict"]["network.0.weight"].dtype == torch.float64
    done = here("test", "--ckpt_path", last, "--data.source", tiny_npz, "--run_dir", "tested")
    assert done.code == 0, done.err


@pytest.mark.filterwarnings("ignore:Precision bf16")  # Lightning's summary counts 32 bits
@pytest.mark.parametrize(("precision", "slower"), [("bf16-mixed", 2.0), ("bf16-true", 0.5)])
def test_sixteen_bits_are_a_flag(
    precision: str, slower: float, here: Here, tiny_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything that looks at logits and weights does: guard, calibration, views, pictures."""
    took = {torch.float32: 1.0, torch.bfloat16: slower}
    monkeypatch.setattr(short_floats, "seconds_of_a_product", took.__getitem__)
    flags = ("--trainer.precision", precision, "--views", "inverted")
    done = here("fit", "--data.source", tiny_npz, *SMALL, *flags, "--run_dir", "short")
    assert done.code == 0, done.err
    assert ("takes 2.0 times as long as in float32" in done.err) == (slower > 1)
    checkpoint = "short/checkpoints/best.ckpt"
    assert here("test", "--data.source", tiny_npz, "--ckpt_path", checkpoint, *flags[:2]).code == 0


def test_a_product_is_timed_in_either_precision() -> None:
    assert short_floats.seconds_of_a_product(torch.bfloat16) > 0
    assert short_floats.seconds_of_a_product(torch.float32) > 0


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What Lightning says; its logger hands nothing on."""
    logger = logging.getLogger("lightning.pytorch")
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


def test_the_last_checkpoint_is_the_last_where_nothing_gets_better(
    here: Here, tiny_npz: Path, said: pytest.LogCaptureFixture
) -> None:
    flags = ("--data.source", tiny_npz, "--guard", "off", "--run_dir", "run", *SMALL)
    done = here("fit", *flags, "--trainer.max_epochs", 3, "--optimizer.lr", 0)
    assert done.code == 0, done.err
    assert "GPU available" in said.text
    for noise in ("weights_only", "Tip:", "TPU", "stopped:"):
        assert noise not in said.text
    epochs = {
        name: torch.load(f"run/checkpoints/{name}.ckpt", weights_only=True)["epoch"]
        for name in ("best", "last")
    }
    assert epochs == {"best": 0, "last": 2}
    assert len(list(Path("run/checkpoints").iterdir())) == 3


def test_denormals_do_not_slow_a_training_and_are_left_to_the_caller(
    here: Here, tiny_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = torch.full((8,), 1e-40)
    seen = []

    def watched(self: DigitClassifier, *args: Any) -> None:
        seen.append(bool((small * 1).any()))
        step(self, *args)

    step = DigitClassifier.training_step
    monkeypatch.setattr(DigitClassifier, "training_step", watched)
    done = here("fit", "--data.source", tiny_npz, "--run_dir", "run", *SMALL)
    assert done.code == 0, done.err
    assert seen
    assert not any(seen)
    assert (small * 1).all()


def test_a_checkpoint_of_weights_alone_can_be_tested_but_not_resumed(
    here: Here, fitted: Path, tiny_npz: Path, tmp_path: Path
) -> None:
    whole = torch.load(fitted / "checkpoints" / "best.ckpt", weights_only=True)
    bare = tmp_path / "bare.ckpt"
    torch.save({key: whole[key] for key in ("hyper_parameters", "state_dict")}, bare)
    flags = ("--ckpt_path", bare, "--data.source", tiny_npz)
    done = here("fit", *flags, "--run_dir", tmp_path / "resumed")
    assert done.code == 1
    assert "error: --ckpt_path" in done.err
    assert "holds weights only" in done.err
    done = here("test", *flags, "--run_dir", tmp_path / "tested")
    assert done.code == 0, done.err


def test_the_best_epoch_is_tested_and_the_history_keeps_the_others(
    here: Here, tiny_npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lightning_mnist.module import DigitClassifier

    over_ranks = DigitClassifier.over_ranks

    def worse_each_epoch(
        model: DigitClassifier, scores: RunningScores
    ) -> tuple[torch.Tensor, torch.Tensor]:
        loss, accuracy = over_ranks(model, scores)
        validates = scores is model.evaluated
        return (torch.full_like(loss, model.current_epoch) if validates else loss), accuracy

    monkeypatch.setattr(DigitClassifier, "over_ranks", worse_each_epoch)
    run_dir = tmp_path / "run"
    flags = (*SMALL, "--trainer.max_epochs", 4)
    done = here("fit", "--data.source", tiny_npz, "--run_dir", run_dir, *flags)
    assert done.code == 0, done.err
    assert [row["val_loss"] for row in RunRecord.load(run_dir / "record.json").history] == [
        0,
        1,
        2,
        3,
    ]
    best = torch.load(run_dir / "checkpoints" / "best.ckpt", weights_only=True)
    assert best["epoch"] == 0
    model = DigitClassifier(hidden=[32])
    model.load_state_dict(best["state_dict"])
    with np.load(tiny_npz) as arrays, torch.inference_mode():
        logits = model.eval()(torch.from_numpy(arrays["x_test"])).numpy()
    np.testing.assert_allclose(
        Predictions.load(run_dir / "predictions.npz").logits, logits, atol=1e-5
    )


def test_standardisation_is_saved_with_the_model(
    here: Here, tiny_npz: Path, tmp_path: Path
) -> None:
    flags = ("--model.standardize", "dataset", "--model.invert", "true")
    run_dir = tmp_path / "run"
    done = here("fit", "--data.source", tiny_npz, "--run_dir", run_dir, *SMALL, *flags)
    assert done.code == 0, done.err
    used = RunRecord.load(run_dir / "record.json").preprocessing
    assert used["invert"] is True
    assert 0.5 < used["mean"] < 1
    best = run_dir / "checkpoints" / "best.ckpt"
    done = here("test", "--ckpt_path", best, "--data.source", tiny_npz, "--run_dir", "again")
    assert done.code == 0, done.err
    assert RunRecord.load(tmp_path / "again" / "record.json").preprocessing == used


@pytest.mark.parametrize(
    "flags",
    [
        (
            "--optimizer", "SGD", "--optimizer.lr", "0.1", "--optimizer.momentum", "0.9",
            "--lr_scheduler", "null", "--model.hidden", "[]",
        ),
        (
            "--lr_scheduler", "CosineAnnealingLR", "--lr_scheduler.T_max", "2",
            "--model.hidden", "[16, 8]", "--model.activation", "tanh", "--model.init", "torch",
        ),
        ("--trainer.fast_dev_run", "true"),
        ("--trainer.enable_checkpointing", "false"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_what_a_user_may_choose(
    flags: tuple[str, ...], here: Here, tiny_npz: Path, tmp_path: Path
) -> None:
    done = here("fit", "--data.source", tiny_npz, "--run_dir", tmp_path / "run", *SMALL, *flags)
    assert done.code == 0, done.err
    assert RunRecord.load(tmp_path / "run" / "record.json").finished


def test_a_folder_that_holds_another_run_is_refused(
    here: Here, fitted: Path, tiny_npz: Path
) -> None:
    before = (fitted / "record.json").read_bytes()
    done = here("fit", "--data.source", tiny_npz, "--run_dir", fitted, *SMALL)
    assert done.code == 1
    assert "holds another run; choose a new folder" in done.err
    assert (fitted / "record.json").read_bytes() == before


def test_help_answers_without_the_training_stack(here: Here) -> None:
    script = "import runpy, sys; sys.argv = ['x', '--help']\n"
    script += "try: runpy.run_module('lightning_mnist', run_name='__main__')\n"
    script += "finally: assert not {'torch', 'lightning', 'numpy'} & set(sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    for command in ("fit", "validate", "test", "predict", "export", "pixels"):
        assert f"  {command} " in done.stdout
        assert here(command, "--help").code == 0


def test_checkpoints_hold_weights_and_plain_values_only(fitted: Path) -> None:
    for path in (fitted / "checkpoints").iterdir():
        checkpoint = torch.load(path, weights_only=True)
        assert "preprocessing.mean" in checkpoint["state_dict"]
        json.dumps(checkpoint["hyper_parameters"])


def test_ctrl_c_while_libraries_are_imported_is_no_traceback(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(
        lean_imports, "import_torchmetrics", lambda: seen.append(signal.getsignal(signal.SIGINT))
    )
    before = signal.getsignal(signal.SIGINT)
    here("fit", "--help")
    assert seen == [signal.SIG_DFL]
    assert signal.getsignal(signal.SIGINT) is before
