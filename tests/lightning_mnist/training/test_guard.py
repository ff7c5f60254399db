"""The guard in Lightning: the user's bug on the tiny digits, caught, explained, or let through."""

import re
from pathlib import Path

import numpy as np
import pytest

from lightning_mnist.instruments.faults import FAULTS
from parity.run_record import RunRecord
from parity.watch.symptoms import Symptoms
from tests.conftest import SLOW, Command, Done, Here

# No dropout, as the user's network had none: it keeps a unit or two alive for an epoch of 12 steps.
SMALL = (
    *("--model.hidden", "[32]", "--model.batch_norm", "false", "--model.dropout", 0),
    *("--data.batch_size", 32),
)
SGD = ("--optimizer", "SGD", "--optimizer.lr", 0.1, "--lr_scheduler", "null")


def fit(here: Here, data: Path, fault: str, *flags: object) -> Done:
    with FAULTS[fault]():
        return here("fit", "--data.source", data, "--run_dir", "run", *SMALL, *SGD, *flags)


def test_a_training_on_255_minus_x_is_stopped_in_its_first_epoch_and_explained(
    here: Here, tiny_npz: Path, tmp_path: Path
) -> None:
    done = fit(here, tiny_npz, "255 - x")
    assert done.code == 3
    assert "error: the network has collapsed in epoch 1, after" in done.err
    assert "every ReLU unit after layer 1 is dead" in done.err
    checked, _, collapsed = done.err.partition("error: the network has collapsed")
    assert "before the first step, one thing looks wrong" in checked
    assert "1. the features are bytes from 0 to 255, and are not scaled" in checked
    assert "with x / 255" in checked  # was tried
    assert "the features are bytes" not in collapsed  # what was intended is known better
    assert (
        "1. in training, the pixels were inverted and not scaled: the network was fed" in done.err
    )
    assert "Feed it x / 255" in done.err
    assert "Traceback" not in done.err
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"symptoms.json", "collapse.npz", "record.json", "config.yaml"} <= names
    assert "predictions.npz" not in names
    record = RunRecord.load(tmp_path / "run" / "record.json")
    assert not record.finished
    assert "the network has collapsed in epoch 1" in (record.stopped or "")


def test_warn_goes_on_to_the_end(here: Here, tiny_npz: Path, tmp_path: Path) -> None:
    done = fit(here, tiny_npz, "255 - x", "--guard", "warn", "--trainer.max_epochs", 3)
    assert done.code == 0
    assert done.err.count("warning: the network has collapsed") == 1
    assert "1. in training, the pixels were inverted and not scaled" in done.err
    record = RunRecord.load(tmp_path / "run" / "record.json")
    assert record.finished
    assert len(record.history) == 3
    assert max(record.metrics["predicted_share"]) == 1.0  # the user's bug


def test_off_is_silent_and_leaves_no_trace(here: Here, tiny_npz: Path, tmp_path: Path) -> None:
    done = fit(here, tiny_npz, "255 - x", "--guard", "off", "--trainer.max_epochs", 2)
    assert done.code == 0
    assert "collapsed" not in done.err
    assert not (tmp_path / "run" / "symptoms.json").exists()
    assert max(RunRecord.load(tmp_path / "run" / "record.json").metrics["predicted_share"]) == 1.0


def test_a_healthy_training_is_left_alone_and_measured(
    here: Here, tiny_npz: Path, tmp_path: Path
) -> None:
    done = fit(here, tiny_npz, "none", "--trainer.max_epochs", 5)
    assert done.code == 0
    assert "collapsed" not in done.err
    symptoms = Symptoms.load(tmp_path / "run" / "symptoms.json")
    assert (symptoms.epoch, symptoms.step, symptoms.collapsed_at) == (5, 5 * 12, None)
    assert symptoms.class_counts is not None
    assert sum(symptoms.class_counts) == 367
    assert symptoms.optimizer == "SGD"
    assert symptoms.learning_rate == pytest.approx(0.1)
    assert symptoms.repeat_difference == 0
    assert [layer.name for layer in symptoms.layers] == ["layer 1", "layer 2"]
    for layer in symptoms.layers:
        assert 0.01 < layer.change < 10
        assert layer.evaluated_change == pytest.approx(layer.change, abs=0.5)
    assert symptoms.intended is not None
    assert symptoms.trained_on is not None
    assert symptoms.trained_on.mean == pytest.approx(symptoms.intended.mean)
    accuracy = RunRecord.load(tmp_path / "run" / "record.json").history[-1]["val_accuracy"]
    assert symptoms.best_accuracy is not None
    assert symptoms.best_accuracy >= accuracy - 1e-6


@pytest.mark.parametrize(
    "flags",
    [
        pytest.param(("--model.standardize", "dataset"), id="standardised", marks=SLOW),
        pytest.param(("--model.invert", "true", "--model.standardize", "dataset"), id="inverted"),
        pytest.param(("--model.standardize", "image"), id="one by one", marks=SLOW),
        pytest.param(
            ("--model.augmentation.invert", 0.5, "--model.augmentation.rotation", 15),
            id="augmented",
        ),
    ],
)
def test_what_the_recipe_asks_for_is_no_mistake(
    flags: tuple[object, ...], here: Here, tiny_npz: Path, parity_here: Here
) -> None:
    assert fit(here, tiny_npz, "none", "--trainer.max_epochs", 5, *flags).code == 0
    done = parity_here("diagnose", "run")
    assert "pixels" not in done.out
    augmented = "--model.augmentation.rotation" in flags
    assert Symptoms.load(Path("run", "symptoms.json")).augmented == augmented


def test_a_model_that_is_fed_wrongly_is_explained_when_it_is_tested(
    here: Here, tiny_npz: Path, tmp_path: Path
) -> None:
    assert fit(here, tiny_npz, "none", "--trainer.max_epochs", 10).code == 0
    best = tmp_path / "run" / "checkpoints" / "best.ckpt"
    flags = ("--ckpt_path", best, "--data.source", tiny_npz, "--run_dir")
    healthy = here("test", *flags, "healthy")
    assert healthy.code == 0
    assert "collapsed" not in healthy.err
    with FAULTS["blank"]():
        done = here("test", *flags, "blank")
    assert done.code == 0
    assert "warning: the network has collapsed on the test set" in done.err
    assert "1. the pixels are blank" in done.err


def test_the_optimiser_is_named_where_it_is_the_cause(here: Here, tiny_npz: Path) -> None:
    done = fit(here, tiny_npz, "none", "--optimizer.lr", 1e9)  # with less, a unit may survive
    assert done.code == 3
    assert re.search(r"1\. the learning rate is too high: SGD at 1e\+09", done.err)


@pytest.mark.slow
def test_two_ranks_stop_together(
    lightning_mnist_command: Command, tiny_npz: Path, tmp_path: Path
) -> None:
    done = lightning_mnist_command(
        "fit", "--data.source", tiny_npz, "--run_dir", tmp_path / "run", *SMALL, *SGD,
        "--optimizer.lr", 1e30, "--trainer.accelerator", "cpu", "--trainer.devices", 2,
        "--trainer.strategy", "ddp",
    )  # fmt: skip
    assert done.returncode == 3
    assert "the network has collapsed in epoch 1" in done.stderr
    assert "Traceback" not in done.stderr
    symptoms = Symptoms.load(tmp_path / "run" / "symptoms.json")
    with np.load(tmp_path / "run" / "collapse.npz") as evidence:
        assert not np.isfinite(evidence["logits"]).all()
    assert symptoms.collapsed_at is not None
