"""How a Keras model behaves: whether it mixes samples, and looks up what it does not have."""

import inspect
import math
import re
from collections.abc import Callable
from contextlib import suppress
from itertools import permutations
from typing import Any
from unittest import mock

import keras
import numpy as np

from parity.arrays import Array, Ints
from parity.keras import private
from parity.keras.calls import as_array, unchanged
from parity.keras.traced import Traced
from parity.watch.check.mixed import mixed

DIFFERENT = 10
"""Targets from which on they are numbers, and not names or signs."""
OFF = 1e-7
"""How far from 0 and 1 a probability is one: Keras' own epsilon."""
SAME = 1e-4
"""Part of a loss that rounding may change."""
RIGHT = 0.9
"""Probability of what is answered for certain; a logarithm of 0 is no number."""


def beyond_table(model: keras.Model, x: Any) -> tuple[int, int] | None:
    """The number that an embedding is asked for and does not have, and how many it has.

    Args:
        model: One that cannot take `x`.
        x: Samples for it, [N, ...].
    """
    found: list[tuple[int, int]] = []
    look_up = keras.layers.Embedding.call

    def asked(layer: keras.layers.Embedding, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        numbers, rows = as_array(inputs), int(layer.input_dim)
        ends = (int(numbers.min()), int(numbers.max())) if numbers.size else ()
        found.extend((n, rows) for n in ends if not 0 <= n < rows)
        return look_up(layer, inputs, *args, **kwargs)

    with (
        mock.patch.object(keras.layers.Embedding, "call", asked),
        suppress(Exception),  # that is why it is asked
        unchanged(model),
    ):
        model(x)
    return found[0] if found else None


def mixes(traced: Traced, x: Any, outputs: Array) -> bool:
    """Whether an answer depends on the other samples of its batch, in inference.

    Args:
        traced: The model.
        x: Samples for it, [N, ...].
        outputs: What it gives for them.
    """
    if not outputs.ndim or any(len(part) != len(outputs) for part in keras.tree.flatten(x)):
        return False

    def part(chosen: Ints) -> Array:
        return _answers(traced, keras.tree.map_structure(lambda each: each[chosen], x))

    try:
        return mixed(outputs, part, lambda: _answers(traced, x, drawn=True))
    except Exception:  # a model is anyone's code, and may take batches of one size only
        return False


def ascends(model: keras.Model, outputs: Array, targets: Array | None, last: str) -> bool:
    """Whether the model's own loss falls the further answers are off.

    One that stays above 0 must be of classes, or of what is judged by an accuracy: it may be of
    distances, which are small for a yes.

    Args:
        model: Compiled.
        outputs: What it gives, [N, ...].
        targets: Of the same samples.
        last: The activation that it ends in.
    """
    if targets is None:
        return False

    def loss(answers: Array) -> float:
        return float(model.compute_loss(y=targets, y_pred=answers.astype(outputs.dtype)))

    try:
        with unchanged(model):
            if last in ("softmax", "sigmoid"):
                judged = "acc" in str(private.given_to_compile(model).get("metrics")).lower()
                least = math.inf if judged or last == "softmax" else 0.0
                return _prefers_wrong(loss, outputs, targets, least)
            return _prefers_far(loss, outputs, targets)
    except Exception:  # a loss is anyone's code
        return False


def swapped(model: keras.Model, outputs: Array, targets: Array | None) -> bool:
    """Whether the model's own loss takes answers first, by the names, and that makes a difference.

    Args: as of `broadcasts`.
    """
    with suppress(Exception):  # a loss is anyone's code
        own = getattr(model.loss, "call", model.loss)
        first, second = list(inspect.signature(own).parameters)[:2]
        if targets is None or "pred" not in first or not re.search("true|target|label", second):
            return False
        with unchanged(model):
            wanted = targets.reshape(len(targets), -1).astype(outputs.dtype)
            given, meant = (float(np.mean(own(*p))) for p in permutations((wanted, outputs)))
        return not math.isclose(given, meant, rel_tol=SAME)
    return False


def unbounded(model: keras.Model, outputs: Array, targets: Array | None, last: str) -> bool:
    """Whether the model's own loss is finite for probabilities, and not for 0 and 1 themselves.

    Args: as of `ascends`.
    """
    if targets is None or last not in ("softmax", "sigmoid"):
        return False
    names = _names(outputs, targets)
    if names is None:
        return False

    def finite(answers: Array) -> bool:
        found = model.compute_loss(y=targets, y_pred=answers.astype(outputs.dtype))
        return math.isfinite(float(found))

    try:
        with unchanged(model):
            return finite(names.clip(OFF, 1 - OFF)) and not (finite(names) and finite(1 - names))
    except Exception:  # a loss is anyone's code
        return False


def broadcasts(model: keras.Model, outputs: Array, targets: Array | None) -> bool:
    """Whether the model's own loss is the same whichever answer belongs to which target.

    So is one that subtracts [B] from [B, 1]; one that does not ask for the targets does not count.

    Args:
        model: Compiled.
        outputs: What it gives, [N, 1].
        targets: Of the same samples, [N] or [N, 1].
    """
    if targets is None or outputs.shape != (targets.size, 1) or targets.dtype.kind not in "iufb":
        return False
    wanted = targets.astype(outputs.dtype)
    dealt = np.random.default_rng(0).permutation(wanted)

    def loss(y: Array) -> float:
        return float(model.compute_loss(y=y, y_pred=wanted.reshape(outputs.shape)))

    with suppress(Exception), unchanged(model):  # a loss is anyone's code
        right, other = loss(wanted), loss(2 * wanted + 1)
        same = math.isclose(right, loss(dealt), rel_tol=SAME)
        return same and not math.isclose(right, other, rel_tol=100 * SAME)
    return False


def _names(outputs: Array, targets: Array) -> Array | None:
    """Targets [N, C] of 0 and 1, where they are such, or numbers of classes."""
    if outputs.ndim != 2:
        return None
    columns, names = outputs.shape[1], targets.reshape(len(targets), -1)
    if names.shape[1] == 1 < columns:
        names = np.eye(columns)[names[:, 0].astype(int)]
    fits = names.shape == outputs.shape and np.isin(names, (0, 1)).all()
    return names.astype(np.float64) if fits else None


def _prefers_wrong(
    loss: Callable[[Array], float], outputs: Array, targets: Array, least: float
) -> bool:
    """Whether another class than the right one costs less, of one-hot rows, numbers, yes or no.

    Args:
        loss: Of any answers.
        outputs: As of `ascends`.
        targets: Likewise.
        least: What it must cost less than, too.
    """
    names, columns = _names(outputs, targets), outputs.shape[-1]
    if names is None:
        return False
    right = np.where(names == 1, RIGHT, (1 - RIGHT) / max(columns - 1, 1))
    wrong = 1 - right if columns == 1 else np.roll(right, 1, axis=1)
    return loss(wrong) < min(loss(right), least)


def _prefers_far(loss: Callable[[Array], float], outputs: Array, targets: Array) -> bool:
    """Whether numbers far from the targets, or opposite to them, cost less."""
    if targets.dtype.kind != "f" or outputs.size != targets.size:
        return False
    if len(np.unique(targets)) < DIFFERENT:
        return False
    wanted = targets.reshape(outputs.shape)
    best, near = loss(wanted), loss(outputs)
    endless = False
    for way in (outputs - wanted, wanted.std(), -wanted.std()):
        one, far, farther = (loss(wanted + n * way) for n in (1, 10, 100))
        endless |= farther < 0 and far - farther > 5 * (one - far) > 0
    opposite = loss(2 * wanted.mean(axis=0) - wanted)
    return endless or opposite < min(near, 0) <= max(near, 0) < best


def _answers(traced: Traced, x: Any, drawn: bool = False) -> Array:
    """In inference; what is drawn at random there is another with `drawn`."""
    with unchanged(traced.model):
        if drawn:
            keras.random.uniform((1,))
            for variable in traced.model.non_trainable_variables:
                if variable.name == "seed_generator_state":
                    variable.assign(variable.value + 1)
        return as_array(traced(x)[0])
