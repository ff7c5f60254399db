"""A model in Keras with several outputs: a mistake at one of them is named, with its output."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras", reason="the extra keras is not installed")
pytest.importorskip("tensorflow", reason="the extra keras is not installed")

import keras
import tensorflow as tf
from keras import layers as kl

from parity.keras import check
from tests.programs.keras_programs import BINARY, SPARSE

X = np.random.default_rng(2).normal(size=(120, 4)).astype(np.float32)
KIND, SIZE = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0), X[:, 2] * 2
YES = (X[:, 3] > 0).astype(np.float32)


def causes(units: int, last: Any, loss: Any, y: Any, *, named: bool) -> list[str]:
    """What is found where the second output ends so; the first names three classes, rightly."""
    given = keras.Input((4,))
    hidden = kl.Dense(8, activation="relu")(given)
    kind = kl.Dense(3, activation="softmax", name="kind")(hidden)
    other = kl.Dense(units, activation=last, name="other")(hidden)
    if named:
        model = keras.Model(given, {"kind": kind, "other": other})
        model.compile("adam", {"other": loss, "kind": SPARSE})
        return [found.cause for found in check(model, X, {"other": y, "kind": KIND})]
    model = keras.Model(given, [kind, other])
    model.compile("adam", [SPARSE, loss])
    return [found.cause for found in check(model, X, [KIND, y])]


FAULTY: dict[str, tuple[Any, ...]] = {
    "the targets are not scaled": (1, None, "mse", 200_000 + 50_000 * SIZE),
    "a softmax over a single unit": (1, "softmax", BINARY, YES),
    "the last activation, sigmoid, cannot give": (1, "sigmoid", "mse", SIZE * 10),
    "binary_crossentropy asks yes or no": (3, "sigmoid", BINARY, np.eye(3)[KIND]),
}


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("cause", FAULTY)
def test_a_mistake_at_one_output_is_named(cause: str, named: bool) -> None:
    found = causes(*FAULTY[cause], named=named)
    assert len(found) == 1
    assert found[0].startswith(f"output other: {cause}")


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize(
    "other",
    [
        (1, "sigmoid", BINARY, YES),
        (1, None, "mse", SIZE),
        (1, None, lambda y, given: (y - given) ** 2, SIZE * 10),
        (3, "softmax", "categorical_crossentropy", np.eye(3)[KIND]),
    ],
)
def test_outputs_that_fit_get_no_word(other: Any, named: bool) -> None:
    assert causes(*other, named=named) == []


def test_targets_of_several_outputs_are_read_from_a_pipeline_too() -> None:
    given = keras.Input((4,))
    kind = kl.Dense(3, activation="softmax", name="kind")(given)
    other = kl.Dense(1, activation="softmax", name="other")(given)
    for outputs, y in (
        ([kind, other], (KIND, YES)),
        ({"a": kind, "b": other}, {"a": KIND, "b": YES}),
    ):
        model = keras.Model(given, outputs)
        model.compile(
            "adam", [SPARSE, BINARY] if isinstance(outputs, list) else {"a": SPARSE, "b": BINARY}
        )
        found = check(model, tf.data.Dataset.from_tensor_slices((X, y)).batch(32))
        assert [": a softmax over a single unit" in each.cause for each in found] == [True]
