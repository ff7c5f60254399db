"""The reference goes on where it was, to the bit, and says what has come to NaN."""

import json
import re
import signal
import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest

pytest.importorskip("keras", reason="the extra keras is not installed")

import keras

from keras_reference.callbacks import Recorder, WatchForNaN
from keras_reference.data import Digits
from keras_reference.epochs import dealt, in_epochs
from keras_reference.errors import DivergedError, InputError
from keras_reference.kept import Kept, load_state
from keras_reference.model_archive import check_model_file
from parity.run_record import Predictions, RunRecord
from tests.conftest import Here, make_digits, mostly_slow, start
from tests.support.full_disk import room_for

FLAGS = (
    "--model.hidden", "[8]", "--model.dropout", 0.3, "--model.batch_norm", "true",
    "--model.augmentation.rotation", 10, "--optimizer.decay", 0.5, "--data.batch_size", 32,
)  # fmt: skip


def cut_off(keras_here: Here, source: Path, after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a training end as if it were killed, while the epoch after so many is recorded."""
    record = Recorder.on_epoch_end

    def killed(self: Recorder, epoch: int, logs: dict[str, float] | None = None) -> None:
        if epoch == after:
            raise KeyboardInterrupt
        record(self, epoch, logs)

    with monkeypatch.context() as patched:
        patched.setattr(Recorder, "on_epoch_end", killed)
        with pytest.raises(KeyboardInterrupt):
            keras_here("fit", "--data.source", source, *FLAGS, "--run_dir", "cut", *EPOCHS)


EPOCHS = ("--trainer.max_epochs", 3)
SMALL = ("--model.hidden", "[8]", "--data.batch_size", 32)
"""Where a training is not compared with another."""


def assert_same_run(first: Path | str, second: Path | str) -> None:
    one, other = (Predictions.load(Path(run, "predictions.npz")).logits for run in (first, second))
    np.testing.assert_array_equal(one, other)
    records = [RunRecord.load(Path(run, "record.json")) for run in (first, second)]
    histories = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in record.history]
        for record in records
    ]
    assert histories[0] == histories[1]
    assert all(record.finished for record in records)
    symptoms = [Path(run, "symptoms.json").read_text() for run in (first, second)]
    assert symptoms[0] == symptoms[1]


@pytest.fixture(scope="module")
def whole(source: Path) -> Path:
    """A training that nothing has interrupted."""
    flags = ("--data.source", source, *FLAGS, "--run_dir", "whole", *EPOCHS)
    with warnings.catch_warnings(action="ignore"):
        assert start("keras_reference", "fit", *flags, cwd=source.parent) == 0
    return source.parent / "whole"


@pytest.mark.filterwarnings("ignore")
def test_a_training_that_was_killed_goes_on_to_the_bit(
    keras_here: Here, tiny_npz: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off(keras_here, tiny_npz, 2, monkeypatch)
    state = Path("cut/training.npz")
    content = bytearray(state.read_bytes())
    content[len(content) // 2] ^= 1
    state.unlink()
    state.write_bytes(content)
    done = keras_here("fit", "--resume", "cut", "--model.hidden", "[9]")
    assert done.code == 1
    assert "--model.hidden [9], and it was trained with [8]: cannot change" in done.err
    # Its steps are watched, though what was there before the first is not known any more.
    monkeypatch.setattr("parity.keras.guard.BEGINS", (4,))
    done = keras_here("fit", "--resume", "cut")
    assert done.code == 0, done.err
    assert "SHA-256 is another); going on from training.previous.npz" in done.err
    assert_same_run(whole, "cut")
    done = keras_here("fit", "--resume", "nowhere")
    assert done.code == 1
    assert "--resume nowhere: no config.yaml in it; expected the folder of a training" in done.err


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_training_goes_on_within_an_epoch_to_the_bit(
    keras_here: Here, tiny_npz: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the first epoch, where the guard still looks after 8 steps, and in the last."""
    at, kept = [(0, 4), (2, 7)], Kept.on_train_batch_end

    def killed(self: Kept, batch: int, logs: dict[str, float] | None = None) -> None:
        kept(self, batch, logs)
        if at and (self.epoch, batch) == at[0]:
            at.pop(0)
            raise KeyboardInterrupt

    monkeypatch.setattr(Kept, "on_train_batch_end", killed)
    monkeypatch.setattr("keras_reference.kept.EVERY", 0.0)
    with pytest.raises(KeyboardInterrupt):
        keras_here("fit", "--data.source", tiny_npz, *FLAGS, "--run_dir", "cut", *EPOCHS)
    with pytest.raises(KeyboardInterrupt):
        keras_here("fit", "--resume", "cut")
    state = load_state(Path("cut"))
    assert state is not None
    assert (state["epochs"], state["position"]["batches"]) == (2, 8)
    done = keras_here("fit", "--resume", "cut")
    assert done.code == 0, done.err
    assert_same_run(whole, "cut")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("number", "code"),
    mostly_slow([(signal.SIGTERM, 143), (signal.SIGINT, 130)], (signal.SIGTERM, 143)),
)
def test_a_reference_that_a_signal_ends_says_how_to_go_on(
    number: signal.Signals,
    code: int,
    keras_here: Here,
    tiny_npz: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has kept the step that it was asked in."""
    learned = WatchForNaN.on_train_batch_end

    def signalled(self: WatchForNaN, batch: int, logs: dict[str, float] | None = None) -> None:
        if (self.epoch, batch) == (1, 2):
            signal.raise_signal(number)
        learned(self, batch, logs)

    flags = ("fit", "--data.source", tiny_npz, *SMALL, "--run_dir", "a b", *EPOCHS)
    with monkeypatch.context() as patched:
        patched.setattr(WatchForNaN, "on_train_batch_end", signalled)
        done = keras_here(*flags)
    assert done.code == code
    state = load_state(Path("a b"))
    assert state is not None
    assert (state["epochs"], state["position"]["batches"]) == (1, 3)
    (said,) = (line for line in done.err.splitlines() if line.startswith("stopped by "))
    command = "python -m keras_reference fit --resume 'a b'"
    assert said == f"stopped by {number.name}; to go on: {command}"
    record_left = RunRecord.load(Path("a b/record.json"))
    assert not record_left.finished
    assert record_left.stopped == f"stopped by {number.name}"
    assert len(record_left.history) == 1
    assert not list(Path("a b").glob(".*"))
    done = keras_here("fit", "--resume", "a b")
    assert done.code == 0, done.err
    assert len(RunRecord.load(Path("a b/record.json")).history) == 3


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_full_disk_leaves_what_was_there_and_says_how_to_go_on(
    keras_here: Here, tiny_npz: Path
) -> None:
    with room_for(5):
        done = keras_here("fit", "--data.source", tiny_npz, *SMALL, "--run_dir", "cut", *EPOCHS)
    assert done.code == 1
    (said,) = (line for line in done.err.splitlines() if line.startswith("error: "))
    assert "No space left on device; what was written before is whole" in said
    assert said.endswith("to go on: python -m keras_reference fit --resume cut")
    assert not list(Path("cut").glob(".*"))
    done = keras_here("fit", "--resume", "cut")
    assert done.code == 0, done.err


class Spoilt(keras.layers.Layer):
    """Gives NaN where an image is all white, and only then."""

    def call(self, x: object) -> object:
        white = keras.ops.mean(x, axis=1, keepdims=True) > 0.999
        return keras.ops.where(white, np.nan, x)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("epoch", [0, 1])
def test_a_loss_that_is_nan_names_its_step_and_samples(epoch: int) -> None:
    raw = make_digits(train_per_class=10, test_per_class=1)
    labels = (raw.train_labels, raw.test_labels)
    digits = Digits(raw.train_images, labels[0], raw.test_images, labels[1], "tiny")
    digits.x_train[37] = 255
    scaled = keras.layers.Rescaling(1 / 255)
    layers = [keras.Input((28, 28)), scaled, keras.layers.Flatten(), Spoilt()]
    training = keras.Sequential([*layers, keras.layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    training.compile("sgd", loss, metrics=["accuracy"])
    loading = {"batch_size": 8, "validation_split": 0.2}
    watch = WatchForNaN("off", None, lambda epoch, step: dealt(loading, 100, 5, epoch, step))
    with pytest.raises(DivergedError) as caught:
        in_epochs(
            training, [watch], (digits.x_train, digits.y_train), loading, range(epoch, epoch + 1), 5
        )
    said = str(caught.value)
    where = r"in epoch (\d): the loss of step (\d+) is nan; step \2 learned sample ids ([\d ]+)"
    found = re.search(where, said)
    assert found, said
    assert int(found[1]) == epoch + 1
    assert "37" in found[3].split()
    assert len(found[3].split()) == 8


def write_model(path: Path, units: int, shape: tuple[int, ...] = (784, 10)) -> None:
    """A .keras whose configuration names so many units, and whose file holds another array."""
    import zipfile

    config = {"class_name": "Sequential", "config": {"name": "net", "layers": [
        {"class_name": "Dense", "config": {"name": "dense", "units": units},
         "build_config": {"input_shape": [None, units]}},
    ]}}  # fmt: skip
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        file.create_dataset("layers/dense/vars/0", shape, np.float32, chunks=(1, 10))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", "{}")
        archive.write(path.with_suffix(".h5"), "model.weights.h5")


def test_a_model_holds_the_weights_that_it_promises(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    write_model(path, 10, shape=(10**6, 10**6))
    with pytest.raises(InputError, match=r"0 of model.weights.h5 is \(1000000, 1000000\)"):
        check_model_file(path)
    keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(10)]).save(
        path
    )
    check_model_file(path)
    import zipfile

    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    large = parts["config.json"].replace(b'"units": 10', b'"units": 1000000')
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (parts | {"config.json": large}).items():
            archive.writestr(name, content)
    with pytest.raises(InputError, match="has 784,000,000 weights, and the file 7,850"):
        check_model_file(path)
