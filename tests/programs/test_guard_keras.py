"""The guard around programs in Keras: what is wrong is named before the first step, and proved."""

import io
from contextlib import redirect_stderr, suppress
from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras", reason="the extra keras is not installed")
pytest.importorskip("tensorflow", reason="the extra keras is not installed")

import keras
import tensorflow as tf
from keras import layers as kl

from parity.keras import CollapseGuard
from parity.watch.alarm import CollapsedError
from tests.conftest import mostly_slow
from tests.programs import data
from tests.programs.keras_programs import BINARY, FAULTY, HEALTHY, Program, net, table

QUICK = ("digits, dense", "customers, logit")
SHOWN = {
    "softmax over one unit": "with one logit and the binary crossentropy the same network reads",
    "no softmax": "the same network reads 100%",
    "categorical for integers": "with the sparse crossentropy the same network reads 100%",
    "prices in dollars": "with standardised targets the same network explains",
    "weights of zero": "with kernels drawn anew (Glorot) the same network reads",
    "nine outputs": "with 10 outputs the same network reads",
}
"""What the trial of a cause must show."""
SEEN = [name for name in FAULTY if name != "names"]  # there `fit` fails before any callback


def said(program: Program, epochs: int, **given: Any) -> str:
    """What is printed while a program trains, or stops."""
    refused = (CollapsedError, ValueError, tf.errors.InvalidArgumentError)
    with redirect_stderr(io.StringIO()) as printed, suppress(*refused):
        guard = CollapseGuard(program.x, program.y, **given)
        targets = {"shuffle": False} if program.y is None else {"y": program.y}
        program.model.fit(program.x, epochs=epochs, verbose=0, callbacks=[guard], **targets)
    return printed.getvalue()


@pytest.mark.parametrize("name", mostly_slow(HEALTHY, *QUICK))
def test_a_healthy_training_gets_no_warning(name: str) -> None:
    assert "warning:" not in said(HEALTHY[name](), 12 if name not in QUICK else 2)


ITSELF = "ignore::UserWarning"
"""Keras says itself that some of it is odd."""


@pytest.mark.filterwarnings(ITSELF)
@pytest.mark.parametrize("name", mostly_slow(SEEN, "softmax over one unit"))
def test_the_right_cause_comes_first_with_what_its_remedy_brings(name: str) -> None:
    cause, build = FAULTY[name]
    printed = said(build(), 1)
    first = printed.partition("  1. ")[2].partition("\n")[0]
    also = "the targets are not scaled" if name == "sigmoid before prices" else cause
    assert cause in first or also in first
    assert SHOWN.get(name, "") in printed


@pytest.mark.slow
@pytest.mark.filterwarnings(ITSELF)
def test_a_training_is_the_same_to_the_bit_with_trials_and_without() -> None:
    weights = []
    for trials in (False, False, True):  # the first model of a process draws other numbers
        x, y = table(data.customers)
        program = Program(
            net(
                (3,), kl.Dense(8, activation="relu"), kl.BatchNormalization(), kl.Dropout(0.3),
                kl.Dense(1, activation="softmax"), loss=BINARY,
            ),
            x,
            y,
        )  # fmt: skip
        printed = said(program, 2, trials=trials)
        assert ("tried:" in printed) == trials
        weights.append([np.array(value) for value in program.model.get_weights()])
        weights[-1].append(np.array(keras.random.uniform((3,))))
    assert all(np.array_equal(*pair) for pair in zip(*weights[1:], strict=True))
