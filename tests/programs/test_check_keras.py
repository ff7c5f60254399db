"""The check before the first step in Keras: what is wrong is named first, and no more."""

import pytest

pytest.importorskip("keras", reason="the extra keras is not installed")
pytest.importorskip("tensorflow", reason="the extra keras is not installed")

from keras import layers as kl

from parity.keras import check
from tests.programs import data
from tests.programs.keras_programs import FAULTY, HEALTHY, digits, digits_net, net

HEALTHY_OF_KERAS = (
    "digits, logits", "digits, one-hot", "digits, rescaling on bytes", "digits, tf.data",
    "flowers, normalization", "flowers, subclass", "words, lstm", "warm-up",
    "tags, functional with a shortcut",
)  # fmt: skip
FAULTY_OF_KERAS = (
    "softmax over one unit", "softmax and from_logits", "no softmax", "sigmoid for ten classes",
    "categorical for integers", "sparse for one-hot", "names", "nothing trainable",
    "no activations", "sorted batches",
)  # fmt: skip
"""What only Keras has; the guard of Keras, which looks alike, is tested with all of them."""


@pytest.mark.parametrize("name", HEALTHY_OF_KERAS)
def test_a_healthy_program_gets_no_word(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    program = HEALTHY[name]()
    assert check(program.model, program.x, program.y) == []
    assert "warning" not in capsys.readouterr().err


@pytest.mark.parametrize("name", FAULTY_OF_KERAS)
def test_what_is_wrong_is_named_first(name: str) -> None:
    cause, build = FAULTY[name]
    program = build()
    found = check(program.model, program.x, program.y)
    assert found, name
    assert cause in found[0].cause


def test_held_out_samples_are_compared_with_those_of_training() -> None:
    x, y = digits()
    held = (x[300:], y[300:])
    assert check(digits_net(), x[:300], y[:300], validation=held) == []
    (raw,) = check(digits_net(), x[:300], y[:300], test=(x[300:] * 255, y[300:]))
    assert "test samples are scaled unlike those of training" in raw.cause
    (again,) = check(digits_net(), x, y, validation=held)
    assert "validation samples are among those of training" in again.cause


def test_plain_layers_behind_a_recurrent_one_are_left_alone() -> None:
    layers = kl.LSTM(8), kl.Dense(6), kl.Dense(1)
    x, y = data.waves()
    assert check(net((20, 1), *layers, loss="mse"), x, y) == []


def test_what_can_be_read_only_once_is_refused() -> None:
    with pytest.raises(TypeError, match="which can be read only once; expected arrays"):
        check(digits_net(), iter([digits()]))
