"""What TensorFlow and Keras give no public name: it is where it is looked for, or is gone without.

The first test fails where another version of either has moved it.
"""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras", reason="the extra keras is not installed")
pytest.importorskip("tensorflow", reason="the extra keras is not installed")

import keras
import tensorflow as tf
from keras import layers as kl

from parity.keras import CollapseGuard, private
from tests.programs.keras_programs import SPARSE, net


def test_it_is_what_is_drawn_from() -> None:
    tf.random.set_seed(3)
    seeds = private.operation_seeds()
    assert seeds is not None
    before = seeds.getstate()
    tf.random.normal(())
    assert seeds.getstate() != before
    assert tf.random.get_global_generator() is private.global_generator()
    keras.random.uniform((1,))
    assert isinstance(private.global_seeds(), keras.random.SeedGenerator)
    private.forget_global_seeds()
    assert private.global_seeds() is None


@pytest.mark.parametrize("error", [ImportError, None])
def test_a_training_is_watched_without_it(
    error: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def moved(name: str) -> Any:
        if error is not None:
            raise error(name)
        return object()  # the module is there, and the name is not

    monkeypatch.setattr(private, "import_module", moved)
    assert private.operation_seeds() is private.global_generator() is private.global_seeds() is None
    private.forget_global_seeds()
    x = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
    model = net((4,), kl.Dropout(0.2), kl.Dense(3, activation="softmax"), loss=SPARSE)
    model.fit(x, np.arange(64) % 3, verbose=0, callbacks=[CollapseGuard(x, np.arange(64) % 3)])
    assert "looks at nothing" not in capsys.readouterr().err


def test_what_fit_was_given() -> None:
    found = []

    class Asking(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_begin(self, logs: Any = None) -> None:
            found.append(private.given_to_fit(self))

    x, y = np.zeros((8, 4), np.float32), np.arange(8) % 3
    model, asking = net((4,), kl.Dense(3, activation="softmax"), loss=SPARSE), Asking()
    model.fit(x, y, batch_size=4, class_weight={0: 2.0}, verbose=0, callbacks=[asking])
    (given,) = found
    assert asking in given["callbacks"]
    assert given["batch_size"] == 4
    assert given["class_weight"] == {0: 2.0}
    assert given["validation_data"] is given["sample_weight"] is None
    assert given["validation_split"] == 0
    assert private.given_to_fit(asking) == {}


def test_layers_within_layers_are_found_or_the_outer_ones() -> None:
    inner = net((4,), kl.Dense(3), loss=SPARSE)
    model = net((4,), inner, kl.Dense(2), loss=SPARSE)
    assert inner.layers[-1] in private.layers_within(model)

    class Hidden:
        layers = model.layers

    hidden = Hidden()
    assert private.layers_within(hidden) == [hidden, *model.layers]


def test_what_compile_was_given() -> None:
    model = net((4,), kl.Dense(1), loss=lambda wanted, given: given - wanted)
    assert private.given_to_compile(model)["loss_weights"] is None  # and the lambda is not written
    assert private.given_to_compile(keras.Sequential()) == {}
