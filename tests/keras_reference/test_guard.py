"""The guard in Keras: the user's bug on the tiny digits, caught, explained, or let through."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras", reason="the extra keras is not installed")

from keras_reference.instruments.faults import FAULTS
from lightning_mnist.data.sources import RawDigits
from parity.run_record import RunRecord
from parity.watch.symptoms import Symptoms
from tests.conftest import Done, Here, write_npz

SMALL = (
    "--model.hidden", "[32]", "--data.batch_size", 32,
    "--optimizer.name", "SGD", "--optimizer.learning_rate", 0.1,
)  # fmt: skip


def fit(keras_here: Here, data: Path, fault: str, *flags: object) -> Done:
    with FAULTS[fault]():
        return keras_here("fit", "--data.source", data, "--run_dir", "run", *SMALL, *flags)


def test_a_training_on_255_minus_x_is_stopped_in_its_first_epoch_and_explained(
    keras_here: Here, tiny_npz: Path, tmp_path: Path
) -> None:
    done = fit(keras_here, tiny_npz, "255 - x")
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
    assert "Traceback" not in done.err
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"symptoms.json", "collapse.npz", "record.json", "config.yaml"} <= names
    assert "predictions.npz" not in names
    record = RunRecord.load(tmp_path / "run" / "record.json")
    assert not record.finished
    assert "the network has collapsed in epoch 1" in (record.stopped or "")


@pytest.mark.slow
def test_warn_goes_on_to_the_end_and_off_is_silent(
    keras_here: Here, tiny_npz: Path, tmp_path: Path
) -> None:
    done = fit(keras_here, tiny_npz, "raw pixels", "--guard", "warn", "--trainer.max_epochs", 2)
    assert done.code == 0
    assert done.err.count("warning: the network has collapsed") == 1
    assert "1. in training, the pixels were not scaled" in done.err
    record = RunRecord.load(tmp_path / "run" / "record.json")
    assert record.finished
    assert max(record.metrics["predicted_share"]) == 1.0  # the user's bug

    off = ("--guard", "off", "--trainer.max_epochs", 2, "--run_dir", "off")
    done = fit(keras_here, tiny_npz, "raw pixels", *off)
    assert done.code == 0
    assert "collapsed" not in done.err
    assert not (tmp_path / "off" / "symptoms.json").exists()


def test_a_healthy_training_is_left_alone_and_measured(
    keras_here: Here, tiny_npz: Path, tmp_path: Path
) -> None:
    changed = ("--model.invert", "true", "--model.augmentation.rotation", 5)
    flags = ("--trainer.max_epochs", 4, *changed)
    done = fit(keras_here, tiny_npz, "none", *flags, "--optimizer.learning_rate", 0.01)
    assert done.code == 0
    assert "collapsed" not in done.err
    symptoms = Symptoms.load(tmp_path / "run" / "symptoms.json")
    assert (symptoms.epoch, symptoms.step, symptoms.collapsed_at) == (4, 4 * 12, None)
    assert symptoms.class_counts is not None
    assert sum(symptoms.class_counts) == 367
    assert symptoms.optimizer == "SGD"
    assert symptoms.learning_rate == pytest.approx(0.01)
    assert symptoms.repeat_difference == 0
    assert [layer.name for layer in symptoms.layers] == ["layer 1", "layer 2"]
    assert all(layer.change > 0.01 and layer.evaluated_change for layer in symptoms.layers)
    assert symptoms.intended is not None
    assert symptoms.trained_on is not None
    assert symptoms.trained_on.mean == pytest.approx(symptoms.intended.mean, rel=1e-4)
    assert symptoms.trained_on.mean > 0.5  # inverted, as the recipe says
    assert symptoms.augmented


@pytest.mark.slow
def test_a_model_that_is_fed_wrongly_is_explained_when_it_is_tested(
    keras_here: Here, tiny_digits: RawDigits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Sorted by class, Keras would keep a whole class from training, which is a cause of its own.
    order = np.random.default_rng(0).permutation(len(tiny_digits.train_labels))
    images, labels = tiny_digits.train_images[order], tiny_digits.train_labels[order]
    mixed = replace(tiny_digits, train_images=images, train_labels=labels)
    data = write_npz(mixed, tmp_path / "mixed.npz")
    assert fit(keras_here, data, "none", "--trainer.max_epochs", 10).code == 0
    flags = ("--model_file", tmp_path / "run" / "model.keras", "--data.source", data)
    healthy = keras_here("predict", *flags, "--run_dir", "healthy")
    assert healthy.code == 0
    assert "collapsed" not in healthy.err
    monkeypatch.setattr("sys.argv", ["keras_reference", "predict"])
    with FAULTS["x / 255 / 255"]():
        done = keras_here("predict", *flags, "--run_dir", "scaled")
    assert done.code == 0
    assert "warning: the network has collapsed on the test set" in done.err
    assert "1. the pixels were scaled twice since training" in done.err
