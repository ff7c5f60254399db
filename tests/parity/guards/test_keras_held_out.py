"""Classes that `validation_split` holds out whole are noticed; what only looks alike is not."""

import numpy as np
import pytest

pytest.importorskip("keras", reason="the extra keras is not installed")
pytest.importorskip("tensorflow", reason="the extra keras is not installed")

import keras
from keras import layers as kl

from parity.keras import CollapseGuard
from parity.keras.held_out import never_trained
from tests.programs import data

SORTED = np.repeat(np.arange(3), 100)
IDS = np.arange(0, 300, 2)
SHUFFLED = np.random.default_rng(0).permutation(SORTED)


def told(labels: np.ndarray, predicted: np.ndarray, accuracy: float = 0.95) -> bool:
    return never_trained(labels, IDS, predicted, accuracy, 0.3, 0.05) is not None


def test_a_class_that_lies_in_what_is_held_out_is_named() -> None:
    found = never_trained(SORTED, IDS, SORTED[IDS] % 2, 0.97, 1 / 3, 0.02)
    assert found is not None
    assert "all 100 samples of class 2 lie in the last 33%" in found.figures


@pytest.mark.parametrize(
    ("labels", "predicted", "accuracy"),
    [
        pytest.param(SORTED, SORTED[IDS], 0.95, id="all are known"),
        pytest.param(SHUFFLED, SHUFFLED[IDS] % 2, 0.95, id="it occurs before, too"),
        pytest.param(SORTED, SORTED[IDS] * 0, 0.95, id="one answer for all"),
        pytest.param(
            SORTED, np.where(IDS % 3 == 0, 0, SORTED[IDS] % 2), 0.95, id="read worse than told"
        ),
        pytest.param(SORTED, np.where(IDS > 290, 2, SORTED[IDS] % 2), 0.95, id="it is answered"),
    ],
)
def test_what_looks_like_it_is_left_alone(
    labels: np.ndarray, predicted: np.ndarray, accuracy: float
) -> None:
    assert not told(labels, predicted, accuracy)


@pytest.mark.parametrize("shuffled", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_sorted_samples_and_a_validation_split(
    shuffled: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    x, y = data.flowers()
    x = (x - x.mean(0)) / x.std(0)
    order = np.random.default_rng(0).permutation(150) if shuffled else np.arange(150)
    layers = kl.Dense(8, activation="relu"), kl.Dense(3, activation="softmax")
    model = keras.Sequential([keras.Input((4,)), *layers])
    rate = keras.optimizers.Adam(0.05)
    model.compile(rate, "sparse_categorical_crossentropy", metrics=["accuracy"])
    guard = CollapseGuard(x[order], y[order], trials=False)
    model.fit(
        x[order], y[order], validation_split=0.34, epochs=8, batch_size=8, verbose=0,
        callbacks=[guard],
    )  # fmt: skip
    said = capsys.readouterr().err
    assert said.count("of classes that the training never sees") == (not shuffled)


@pytest.mark.parametrize("weight", [0.0, 0.1])
def test_samples_that_weigh_nothing_are_noticed(
    weight: float, capsys: pytest.CaptureFixture[str]
) -> None:
    x, y = data.flowers()
    x = (x - x.mean(0)) / x.std(0)
    model = keras.Sequential([keras.Input((4,)), kl.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    weights = np.full(150, weight)
    guard = CollapseGuard(x, y, trials=False)
    model.fit(x, y, sample_weight=weights, epochs=2, verbose=0, callbacks=[guard])
    assert capsys.readouterr().err.count("the samples weigh nothing") == (weight == 0)
