"""How a Keras model behaves: whether it mixes samples, and looks up what it does not have."""

from contextlib import suppress
from typing import Any
from unittest import mock

import keras
import numpy as np

from parity.arrays import Array, Ints
from parity.keras.calls import as_array, unchanged
from parity.keras.traced import Traced
from parity.watch.check.mixed import mixed

DIFFERENT = 10
"""Targets from which on they are numbers, and not names or signs."""


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


def ascends(model: keras.Model, outputs: Array, targets: Array | None) -> bool:
    """Whether the model's own loss for numbers falls without end the further answers are off.

    Args:
        model: Compiled.
        outputs: What it gives, [N, ...].
        targets: Of the same samples.
    """
    if targets is None or targets.dtype.kind != "f" or outputs.size != targets.size:
        return False
    if len(np.unique(targets)) < DIFFERENT:
        return False
    wanted = targets.reshape(outputs.shape)
    try:
        with unchanged(model):
            near, far, farther = (
                float(model.compute_loss(y=targets, y_pred=wanted + n * (outputs - wanted)))
                for n in (1, 10, 100)
            )
    except Exception:  # a loss is anyone's code
        return False
    return farther < 0 and far - farther > 5 * (near - far) > 0


def _answers(traced: Traced, x: Any, drawn: bool = False) -> Array:
    """In inference; what is drawn at random there is another with `drawn`."""
    with unchanged(traced.model):
        if drawn:
            keras.random.uniform((1,))
            for variable in traced.model.non_trainable_variables:
                if variable.name == "seed_generator_state":
                    variable.assign(variable.value + 1)
        return as_array(traced(x)[0])
