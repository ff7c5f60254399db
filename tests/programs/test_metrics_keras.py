"""Metrics of a Keras model that misjudge it: they are asked about answers that are all right."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras", reason="the extra keras is not installed")
pytest.importorskip("tensorflow", reason="the extra keras is not installed")

import keras
from keras import layers as kl
from keras import metrics

from parity.keras import check
from tests.programs import data
from tests.programs.keras_programs import SPARSE, table

FLOWERS = table(data.flowers)
ROWS = FLOWERS[0], np.eye(3)[FLOWERS[1]]
SICK = FLOWERS[0], (FLOWERS[1] > 0).astype(int)
SIZES = FLOWERS[0], FLOWERS[0][:, :1] * 0.5 + FLOWERS[0][:, 1:2]
JUDGES, UNFIT = "judges classes, and the targets are numbers", "does not fit the targets"


@pytest.mark.parametrize(
    ("samples", "last", "loss", "metric", "said"),
    [
        (SIZES, "linear", "mse", "accuracy", JUDGES),
        (SIZES, "linear", "mse", "mae", ""),
        (FLOWERS, "softmax", SPARSE, metrics.CategoricalAccuracy(), UNFIT),
        (FLOWERS, "softmax", SPARSE, "accuracy", ""),
        (FLOWERS, "softmax", SPARSE, "sparse_categorical_accuracy", ""),
        (ROWS, "softmax", "categorical_crossentropy", "binary_accuracy", UNFIT),
        (ROWS, "softmax", "categorical_crossentropy", "accuracy", ""),
        (SICK, "sigmoid", "binary_crossentropy", metrics.Accuracy(), UNFIT),
        (SICK, "sigmoid", "binary_crossentropy", "acc", ""),
        (SICK, "linear", keras.losses.BinaryCrossentropy(from_logits=True), "accuracy", ""),
    ],
)
def test_an_accuracy_that_reads_right_answers_as_wrong(
    samples: Any, last: str, loss: Any, metric: Any, said: str
) -> None:
    x, y = samples
    columns = 3 if last == "softmax" else 1
    model = keras.Sequential([keras.Input((4,)), kl.Dense(8, "relu"), kl.Dense(columns, last)])
    model.compile("adam", loss, metrics=[metric, keras.metrics.MeanSquaredError()])
    found = [finding.cause for finding in check(model, x, y)]
    assert len(found) == bool(said)
    assert said in "".join(found)
