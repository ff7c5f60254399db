"""Whether the accuracy that a Keras model was compiled with can tell right answers from wrong."""

from contextlib import suppress
from typing import Any

import keras
import numpy as np

from parity.arrays import Array
from parity.keras import private
from parity.keras.calls import as_array
from parity.watch.check import Match, Program
from parity.watch.check.parts import ROWS

SURE, LOGIT = 0.9, 5.0
"""Probability, and logit, of an answer that is meant."""
BLIND, GENEROUS = 0.9, 0.2
"""Share of right answers up to which, and of wrong ones from which on, a metric misjudges them."""
KINDS = (
    keras.metrics.Accuracy,
    keras.metrics.BinaryAccuracy,
    keras.metrics.CategoricalAccuracy,
    keras.metrics.SparseCategoricalAccuracy,
)
"""Metrics that read 1 of right answers and 0 of wrong ones, where they are given what they take."""


def misjudging(model: keras.Model, program: Program | None) -> list[Match]:
    """Metrics that read little of answers which are all right, or much of such as are all wrong.

    Args:
        model: Compiled.
        program: What is known of it.
    """
    found: list[Match] = []
    with suppress(Exception):  # metrics are anyone's code
        answers = None if program is None else _answers(program)
        if program is None or program.own is None or answers is None:
            return []
        right, wrong = answers
        for given in keras.tree.flatten(private.given_to_compile(model).get("metrics")):
            metric = _metric(given, program.own, right)
            if metric is None:
                continue
            of_right, of_wrong = (_reads(metric, program.own, each) for each in (right, wrong))
            if of_right < BLIND or (program.task == "classes" and of_wrong > GENEROUS):
                name = given if isinstance(given, str) else metric.name
                found.append(_match(program, name, of_right, of_wrong))
    return found


def _answers(program: Program) -> tuple[Array, Array] | None:
    """Such as the network gives, [N, C], all right and all wrong; None for other tasks."""
    own, columns = program.own, program.columns
    if own is None or columns is None or len(own) < ROWS or program.same_as_inputs:
        return None
    values = own.reshape(len(own), -1)
    if program.task == "values":
        return (values, values + 1) if values.shape[1] == columns == 1 else None
    if program.task not in ("classes", "binary"):
        return None
    names = values.argmax(axis=1) if values.shape[1] > 1 else values[:, 0].astype(int)
    if names.min() < 0 or names.max() >= max(columns, 2):
        return None
    yes = np.eye(columns)[names] if columns > 1 else names[:, None]
    wrong = np.roll(yes, 1, axis=1) if columns > 1 else 1 - yes
    logits = program.loss is not None and program.loss.takes == "logits"
    high, low = (LOGIT, -LOGIT) if logits else (SURE, (1 - SURE) / max(columns - 1, 1))
    return np.where(yes, high, low), np.where(wrong, high, low)


def _metric(given: Any, targets: Array, answers: Array) -> keras.Metric | None:
    """A fresh one like that of `compile`; None where it is no accuracy."""
    if given in ("accuracy", "acc"):  # Keras chooses by the shapes
        rows = targets.ndim > 1 and targets.shape[-1] > 1
        kind = 2 if rows else 3
        return KINDS[1 if answers.shape[-1] == 1 else kind]()
    if isinstance(given, str):
        given = next((kind() for kind in KINDS if kind().name == given), None)
    if type(given) not in KINDS:
        return None
    fresh: keras.Metric = type(given).from_config(given.get_config())
    return fresh


def _reads(metric: keras.Metric, targets: Array, answers: Array) -> float:
    metric.reset_state()
    metric.update_state(targets, answers.astype(np.float32))
    return float(as_array(metric.result()))


def _match(program: Program, name: str, right: float, wrong: float) -> Match:
    numbers = program.task == "values"
    which, share = ("right", right) if right < BLIND else ("wrong", wrong)
    return Match(
        f"{name} judges classes, and the targets are numbers"
        if numbers
        else f"the metric {name} does not fit the targets: it misjudges the network",
        f"of answers that are all {which} it reads {share:.0%}",
        'Use metrics=["mae"]: it is in the units of the targets'
        if numbers
        else 'Use metrics=["accuracy"], which Keras chooses by the shapes',
    )
