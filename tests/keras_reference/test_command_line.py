"""The Keras reference: the commands, the contract, and what it refuses."""

import io
import re
import sys
import zipfile
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import yaml

pytest.importorskip("keras", reason="the extra keras is not installed")

import keras

from keras_reference.callbacks import BestModel
from keras_reference.config import DataConfig, ModelConfig
from keras_reference.data import load_digits
from keras_reference.errors import InputError
from keras_reference.model_file import load_model
from keras_reference.network import build
from parity.run_record import Predictions, RunRecord
from tests.conftest import Here, start

SHORT = ("--trainer.max_epochs", 2, "--model.hidden", "[32]", "--data.batch_size", 32)


@pytest.fixture(scope="module")
def fitted(source: Path) -> Path:
    """The run directory of a short training, which no test changes."""
    flags = ("--data.source", source, "--run_dir", "run", *SHORT)
    assert start("keras_reference", "fit", *flags, cwd=source.parent) == 0
    return source.parent / "run"


def test_fit_fills_a_run_directory_that_meets_the_contract(fitted: Path, tiny_npz: Path) -> None:
    names = {path.name for path in fitted.iterdir()}
    assert names == {
        "record.json", "predictions.npz", "config.yaml", "model.keras", "symptoms.json",
        "training.npz", "training.previous.npz",
    }  # fmt: skip
    record = RunRecord.load(fitted / "record.json")
    assert record.finished
    assert record.framework == "keras"
    assert set(record.versions) == {"python", "tensorflow", "keras", "numpy"}
    assert (record.data["train"], record.data["val"], record.data["test"]) == (367, 33, 80)
    assert [row["epoch"] for row in record.history] == [1, 2]
    assert [row["step"] for row in record.history] == [12, 24]
    predictions = Predictions.load(fitted / "predictions.npz")
    with np.load(tiny_npz) as arrays:
        np.testing.assert_array_equal(predictions.labels, arrays["y_test"])
    right = predictions.predicted == predictions.labels
    assert record.metrics["accuracy"] == pytest.approx(right.mean())


def test_both_sides_record_the_same_digest_and_history_keys(
    fitted: Path, here: Here, source: Path, tmp_path: Path
) -> None:
    done = here("fit", "--data.source", source, "--run_dir", tmp_path / "other", *SHORT)
    assert done.code == 0, done.err
    ours, theirs = (RunRecord.load(p / "record.json") for p in (fitted, tmp_path / "other"))
    assert ours.data == theirs.data
    assert set(ours.metrics) == set(theirs.metrics)
    assert set(ours.preprocessing) == set(theirs.preprocessing)
    assert set(ours.history[0]) <= set(theirs.history[0])


@pytest.mark.slow
def test_the_config_repeats_the_run_and_another_seed_does_not(
    keras_here: Here, fitted: Path, tmp_path: Path
) -> None:
    config = fitted / "config.yaml"
    assert yaml.safe_load(config.read_text())["model"]["hidden"] == [32]
    for name, seed in (("same", 0), ("other", 1)):
        flags = ("--run_dir", tmp_path / name, "--seed_everything", seed)
        done = keras_here("fit", "-c", config, *flags)
        assert done.code == 0, done.err
    first, same, other = (
        (run / "predictions.npz").read_bytes()
        for run in (fitted, tmp_path / "same", tmp_path / "other")
    )
    assert first == same
    assert first != other


def test_fit_learns(keras_here: Here, tiny_npz: Path, tmp_path: Path) -> None:
    learning = ("--optimizer.learning_rate", 0.01, "--data.batch_size", 16)
    flags = ("--data.source", tiny_npz, "--trainer.max_epochs", 4, "--run_dir", tmp_path / "run")
    done = keras_here("fit", *flags, *learning)
    assert done.code == 0, done.err
    assert RunRecord.load(tmp_path / "run" / "record.json").metrics["accuracy"] > 0.95
    assert "share of predictions" in done.out
    assert len(re.findall("val_accuracy: ", done.out)) == 4, "a line an epoch: it is no terminal"
    assert not {"\r", "\b"} & set(done.out)


def test_predict_scores_a_model_as_fit_did(
    keras_here: Here, fitted: Path, tiny_npz: Path, tmp_path: Path
) -> None:
    flags = ("--model_file", fitted / "model.keras", "--data.source", tiny_npz)
    done = keras_here("predict", *flags, "--run_dir", tmp_path / "again")
    assert done.code == 0, done.err
    first, again = (Predictions.load(p / "predictions.npz") for p in (fitted, tmp_path / "again"))
    np.testing.assert_allclose(first.logits, again.logits, atol=1e-6)


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("standardize", ["none", "dataset", "image"])
def test_preprocessing_against_arithmetic(
    invert: bool, standardize: Literal["none", "dataset", "image"]
) -> None:
    x = np.random.default_rng(0).integers(0, 256, (20, 28, 28), np.uint8)
    config = ModelConfig(hidden=(), invert=invert, standardize=standardize)
    model = build(config, x)
    pixels = keras.Sequential(model.layers[:-1])(x).numpy()
    expected = x.reshape(20, 784) / 255
    expected = 1 - expected if invert else expected
    if standardize != "none":
        axis = 1 if standardize == "image" else None
        mean, std = (f(expected, axis=axis, keepdims=True) for f in (np.mean, np.std))
        expected = (expected - mean) / std
    np.testing.assert_allclose(pixels, expected, atol=2e-4)


def test_the_network_is_dense_batch_norm_activation_dropout_and_ends_in_logits() -> None:
    config = ModelConfig(hidden=(7, 5), dropout=0.5, batch_norm=True, activation="tanh")
    layers = build(config, np.zeros((1, 28, 28), np.uint8)).layers
    names = [type(layer).__name__ for layer in layers]
    block = ["Dense", "BatchNormalization", "Activation", "Dropout"]
    assert names == ["Rescaling", "Flatten", *block, *block, "Dense"]
    assert layers[-1].activation is keras.activations.linear


def test_the_best_model_is_kept_and_the_first_where_none_is_finite(tmp_path: Path) -> None:
    class Model:
        epoch = ""

        def get_weights(self) -> list[np.ndarray]:
            return []

        def save(self, path: Path) -> None:
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("epoch", self.epoch)

    model = Model()
    for losses, kept in (((3.0, 1.0, 2.0), "1"), ((float("nan"),) * 3, "0")):
        keeper = BestModel(model, tmp_path)
        for epoch, loss in enumerate(losses):
            model.epoch = str(epoch)
            keeper.on_epoch_end(epoch, {"val_loss": loss})
        with zipfile.ZipFile(keeper.path) as archive:
            assert archive.read("epoch").decode() == kept


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (("fit", "--nope", "1"), 2, "--nope"),
        (("fit", "--model.activation", "wavy"), 2, "wavy"),
        (("fit", "--model.hidden", "[0]"), 1, r"hidden widths \[0\]"),
        (("fit", "--model.dropout", "1"), 1, "dropout 1.0"),
        (("fit", "--optimizer.name", "Nope"), 1, "optimizer Nope"),
        (("fit", "--optimizer.settings", '{"nope": 1}'), 1, "optimizer Adam with"),
        (("fit", "--data.source", "gone.npz"), 1, "gone.npz: no such file"),
        (("fit", "--data.val_size", "400"), 1, "val_size 400; expected .* between 1 and 399"),
        (("fit", "--data.batch_size", "0"), 1, "batch_size 0"),
        (("fit", "--run_dir", "/dev/null/run"), 1, "--run_dir /dev/null/run: cannot be written"),
        (("predict", "--model_file", "gone.keras"), 1, "gone.keras: no such file"),
        (("predict",), 2, "model_file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input_gets_one_sentence(
    flags: tuple[str, ...], code: int, said: str, keras_here: Here, tiny_npz: Path
) -> None:
    if flags[0] == "fit" and "--data.source" not in flags:
        flags += ("--data.source", str(tiny_npz))
    done = keras_here(*flags)
    assert done.code == code
    (sentence,) = (line for line in done.err.splitlines() if line.startswith("error: "))
    assert re.search(said, sentence)
    assert "Traceback" not in done.err


def test_a_folder_that_holds_another_run_is_refused(
    keras_here: Here, fitted: Path, tiny_npz: Path
) -> None:
    done = keras_here("fit", "--data.source", tiny_npz, "--run_dir", fitted, *SHORT)
    assert (done.code, "holds another run" in done.err) == (1, True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"y_test": np.full(80, 10)}, "goes from 10 to 10; expected 0 to 9"),
        ({"x_train": np.zeros((400, 700), np.uint8)}, r"expected grey images, \[N, H, W\]"),
        ({"y_train": np.zeros(399, int)}, "expected 400 integers"),
        ({"y_train": np.array([{}] * 400, dtype=object)}, "without pickles"),
    ],
)
def test_an_npz_of_another_kind_is_refused(
    change: dict[str, np.ndarray], said: str, tiny_npz: Path
) -> None:
    with np.load(tiny_npz) as file:
        arrays = {**file} | change
    np.savez(tiny_npz, **arrays)
    with pytest.raises(InputError, match=said):
        load_digits(str(tiny_npz))


def test_a_damaged_or_foreign_model_is_refused(fitted: Path, tmp_path: Path) -> None:
    cut, foreign = tmp_path / "cut.keras", tmp_path / "foreign.keras"
    cut.write_bytes((fitted / "model.keras").read_bytes()[:-500])
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(foreign)
    with pytest.raises(InputError, match="cut.keras: cannot be read"):
        load_model(cut)
    with pytest.raises(InputError, match=r"maps \(None, 4\) to \(None, 2\)"):
        load_model(foreign)


def test_defaults_are_those_of_the_plain_keras_model() -> None:
    assert ModelConfig() == ModelConfig(hidden=(128,), activation="relu", dropout=0.0)
    assert DataConfig().batch_size == 128


def test_a_terminal_without_unicode_kills_nothing(
    fitted: Path, keras_here: Here, tiny_npz: Path, tmp_path: Path
) -> None:
    source = tmp_path / "zahlen-\u00e9.npz"
    source.write_bytes(tiny_npz.read_bytes())
    assert isinstance(sys.stdout, io.TextIOWrapper)
    sys.stdout.reconfigure(encoding="ascii", errors="strict")
    flags = ("--model_file", fitted / "model.keras", "--run_dir", tmp_path / "read")
    done = keras_here("predict", *flags, "--data.source", source)
    assert done.code == 0, done.err
    assert "zahlen-\\xe9.npz: accuracy" in done.out
