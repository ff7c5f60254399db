"""The guard in any Keras training: caught where it must be, unnoticed everywhere else."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras", reason="the extra keras is not installed")
pytest.importorskip("tensorflow", reason="the extra keras is not installed")

import keras
import tensorflow as tf
from keras import layers as kl

from parity.keras import CollapseGuard, budget
from parity.keras.dataset_copy import copy_of
from parity.watch.alarm import CollapsedError
from parity.watch.symptoms import Symptoms
from tests.conftest import SLOW, make_digits, mostly_slow

DIGITS = make_digits(train_per_class=40, test_per_class=8)
X, Y = DIGITS.train_images, DIGITS.train_labels
SCALED = (X / 255).astype(np.float32)
TABLE = np.random.default_rng(0).standard_normal((400, 6)).astype(np.float32)
SUMS = TABLE.sum(axis=1)
TOKENS = np.random.default_rng(0).integers(0, 10, (400, 6))
SPARSE = "sparse_categorical_crossentropy"


@pytest.fixture(autouse=True)
def _seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    keras.utils.set_random_seed(0)
    monkeypatch.setattr(budget, "AT_FIRST", math.inf)  # a busy machine puts looks off


def sequential(*layers: Any, loss: Any, optimizer: Any = "adam", **given: Any) -> Any:
    model = keras.Sequential(list(layers))
    model.compile(optimizer=optimizer, loss=loss, **given)
    return model


def digits_mlp(optimizer: Any = "adam", loss: Any = SPARSE) -> Any:
    layers = (
        keras.Input((28, 28)),
        kl.Flatten(),
        kl.Dense(16, activation="relu"),
        kl.Dropout(0.2),
        kl.Dense(10, activation="softmax"),
    )
    return sequential(*layers, loss=loss, optimizer=optimizer, metrics=["accuracy"])


def train(model: Any, x: Any, y: Any = None, epochs: int = 2, **given: Any) -> CollapseGuard:
    guard = CollapseGuard(x, y, trials=False, **given)  # tests/programs looks at those
    model.fit(x, y, epochs=epochs, verbose=0, callbacks=[guard])
    return guard


def test_a_training_on_255_minus_x_is_stopped_and_its_evidence_kept(tmp_path: Path) -> None:
    model = digits_mlp(keras.optimizers.SGD(0.1))
    with pytest.raises(CollapsedError, match="the network has collapsed in epoch 1") as stopped:
        train(model, 255.0 - X, Y, run_dir=tmp_path)
    assert "every ReLU unit after layer 1 is dead" in str(stopped.value)
    assert 'CollapseGuard(..., reaction="warn") goes on all the same' in str(stopped.value)
    symptoms = Symptoms.load(tmp_path / "symptoms.json")
    assert symptoms.collapsed_at is not None
    assert symptoms.class_counts == [40] * 10
    assert symptoms.raw is not None
    assert symptoms.raw.maximum == 255
    assert (tmp_path / "collapse.npz").exists()


def test_warn_says_it_once_and_trains_to_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    model = digits_mlp(keras.optimizers.SGD(0.1))
    train(model, 255.0 - X, Y, reaction="warn", epochs=3)
    assert capsys.readouterr().err.count("warning: the network has collapsed") == 1
    assert int(model.optimizer.iterations) == 3 * 13


@pytest.mark.parametrize(
    ("loss", "last", "targets"),
    [
        pytest.param("mse", kl.Dense(1), SUMS, id="regression"),
        pytest.param(
            "binary_crossentropy", kl.Dense(1, activation="sigmoid"), SUMS > 0, id="one", marks=SLOW
        ),
        pytest.param(SPARSE, kl.Dense(3), np.arange(400) % 3, id="classes", marks=SLOW),
    ],
)
def test_values_that_are_not_finite_and_dead_layers_stop_any_training(
    loss: str, last: Any, targets: np.ndarray
) -> None:
    def model() -> Any:
        fresh = type(last).from_config(last.get_config())
        return sequential(
            keras.Input((6,)), kl.Dense(8), kl.BatchNormalization(), kl.ReLU(), fresh, loss=loss
        )

    broken = TABLE.copy()
    broken[5] = np.nan
    with pytest.raises(CollapsedError, match="are not finite"):
        train(model(), broken, targets)
    dead = model()
    dead.layers[1].beta.assign([-1e6] * 8)
    with pytest.raises(CollapsedError, match="every ReLU unit after layer 1 is dead"):
        train(dead, TABLE, targets)


class Batches(keras.utils.PyDataset):
    """Draws its batches at random, as augmentation does."""

    def __len__(self) -> int:
        return 12

    def __getitem__(self, place: int) -> tuple[np.ndarray, np.ndarray]:
        ids = np.random.randint(0, 400, 32)  # noqa: NPY002
        return SCALED[ids], Y[ids]


def pipeline() -> Any:
    return tf.data.Dataset.from_tensor_slices((SCALED, Y)).shuffle(400, seed=1).cache().batch(32)


def functional() -> Any:
    given = keras.Input((6,), dtype="int64")
    state = kl.LSTM(6, dropout=0.2)(kl.Embedding(10, 4)(given))
    model = keras.Model(given, kl.Dense(1)(state))
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(optimizer="rmsprop", loss=loss, steps_per_execution=5)
    return model


def convolutional() -> Any:
    return sequential(
        keras.Input((28, 28, 1)),
        kl.RandomRotation(0.05),
        kl.Conv2D(4, 5, strides=2),
        kl.BatchNormalization(),
        kl.ReLU(),
        kl.GlobalAveragePooling2D(),
        kl.Dropout(0.3),
        kl.Dense(10, activation="softmax"),
        loss="categorical_crossentropy",
        metrics=["acc"],
    )


def mixed() -> Any:
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = digits_mlp()
    finally:
        keras.mixed_precision.set_global_policy("float32")
    return model


class Subclassed(keras.Model):
    """Draws in training, and knows a loss of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.last = kl.Dense(8, activation="relu"), kl.Dense(2)

    def call(self, x: Any, training: bool = False) -> Any:
        x = keras.random.dropout(x, 0.2) if training else x
        self.add_loss(keras.ops.mean(x**2) * 1e-3)
        return self.last(self.hidden(x))


def subclassed() -> Any:
    model = Subclassed()
    model.compile(loss=lambda y, z: keras.ops.sum((y - z) ** 2, axis=-1), optimizer="adam")
    return model


ONE_HOT = np.eye(10, dtype=np.float32)[Y]
TRAININGS: dict[str, tuple[Callable[[], Any], Callable[[], Any], Any]] = {
    "arrays": (digits_mlp, lambda: SCALED, Y),
    "column of float labels": (digits_mlp, lambda: SCALED, Y[:, None].astype(np.float32)),
    "tensors": (digits_mlp, lambda: tf.constant(SCALED), tf.constant(Y)),
    "tf.data": (digits_mlp, pipeline, None),
    "PyDataset": (digits_mlp, lambda: Batches(), None),
    "convolutions": (convolutional, lambda: SCALED[..., None], ONE_HOT),
    "one logit of a recurrent": (functional, lambda: TOKENS, TOKENS[:, 0] > 4),
    "several sigmoids": (
        lambda: sequential(
            keras.Input((6,)), kl.Dense(3, activation="sigmoid"), loss="binary_crossentropy"
        ),
        lambda: TABLE,
        (TABLE[:, :3] > 0).astype(int),
    ),
    "regression": (
        lambda: sequential(keras.Input((6,)), kl.Dense(4, "tanh"), kl.Dense(1), loss="mse"),
        lambda: TABLE,
        SUMS,
    ),
    "a subclass with a loss of its own": (subclassed, lambda: TABLE, TABLE[:, :2]),
    "mixed precision": (mixed, lambda: SCALED, Y),
}
LEFT_OUT = ("several sigmoids", "regression", "a subclass with a loss of its own")


@pytest.mark.parametrize("name", mostly_slow(TRAININGS, "arrays", "regression"))
def test_a_healthy_training_is_silent_and_the_same_to_the_bit(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    build, data, targets = TRAININGS[name]
    ends = []
    for watched in (False, True):
        keras.utils.set_random_seed(0)
        model, x = build(), data()
        callbacks = [CollapseGuard(x, targets)] if watched else []
        shuffled = targets is not None  # Keras warns otherwise
        model.fit(x, targets, epochs=2, verbose=0, shuffle=shuffled, callbacks=callbacks)
        ends.append([np.array(variable) for variable in model.variables])
    assert all(map(np.array_equal, *ends))
    said = capsys.readouterr().err
    assert "collapsed" not in said
    assert said.count("note: CollapseGuard looks for dead layers") == (name in LEFT_OUT)
    assert "looks at nothing" not in said


def one_by_one() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for start in range(0, 384, 32):
        yield SCALED[start : start + 32], Y[start : start + 32]


def test_what_can_be_read_only_once_is_left_to_the_training(
    capsys: pytest.CaptureFixture[str],
) -> None:
    drawn = one_by_one()
    model = digits_mlp()
    guard = CollapseGuard(drawn)
    model.fit(drawn, shuffle=False, steps_per_epoch=12, verbose=0, callbacks=[guard])
    assert int(model.optimizer.iterations) == 12
    assert capsys.readouterr().err.count("looks at nothing") == 1


def test_a_guard_that_cannot_ask_the_model_lets_it_train(
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = digits_mlp()
    model.fit(SCALED, Y, verbose=0, callbacks=[CollapseGuard(SCALED[:, :5], Y)])
    assert "looks at nothing: the model cannot be asked" in capsys.readouterr().err


def test_sorted_training_images_are_noticed(tmp_path: Path) -> None:
    model = digits_mlp(keras.optimizers.SGD(0.1))
    x, y = np.repeat(SCALED, 4, axis=0), np.repeat(Y, 4)
    guard = CollapseGuard(x, y, run_dir=tmp_path, reaction="warn")
    model.fit(x, y, batch_size=32, shuffle=False, verbose=0, callbacks=[guard])
    gap = Symptoms.load(tmp_path / "symptoms.json").early_gap
    assert gap is not None
    assert gap > 0.5


PIPELINES: dict[str, Callable[[], Any]] = {
    "shuffled": lambda: tf.data.Dataset.range(10).shuffle(10, seed=3).batch(5),
    "cached": lambda: tf.data.Dataset.range(10).cache().shuffle(10).cache().batch(5),
    "drawn": lambda: (
        tf.data.Dataset.range(10)
        .map(lambda n: tf.cast(n, tf.float32) + tf.random.uniform([]))
        .shuffle(10)
        .batch(5)
    ),
    "nested": lambda: (
        tf.data.Dataset.range(3)
        .interleave(lambda n: tf.data.Dataset.range(n, n + 4).shuffle(4), cycle_length=2)
        .repeat()
        .batch(5)
        .take(2)
    ),
}


@pytest.mark.parametrize("name", PIPELINES)
def test_reading_a_copy_of_a_pipeline_does_not_change_the_pipeline(name: str) -> None:
    def read(dataset: Any) -> list[list[float]]:
        return [batch.tolist() for _ in range(2) for batch in dataset.as_numpy_iterator()]

    found = []
    for copied in (False, True):
        tf.random.set_seed(1)
        dataset = PIPELINES[name]()
        if copied:
            assert len(read(copy_of(dataset))) == 4
        found.append(read(dataset))
    assert found[0] == found[1]


def test_a_pipeline_that_calls_python_is_not_copied() -> None:
    dataset = tf.data.Dataset.from_generator(
        lambda: iter(range(4)), output_signature=tf.TensorSpec((), tf.int64)
    )
    assert copy_of(dataset.batch(2)) is None
