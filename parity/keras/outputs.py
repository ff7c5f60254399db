"""What each layer of a Keras model gives, and which units give nothing."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from parity.keras.calls import Call, as_array, unchanged, watch
from parity.keras.names import function_name, kind_of, learns, named_calls

_BEGINNING = ("activation", "dropout", "zero_padding")
"""Kinds with which a network begins that learns nothing yet."""
Table = dict[str, NDArray[Any]]


def answers(model: keras.Model, x: Any, training: bool = False) -> Table:
    """What each layer gives for a batch, by canonical name, in order; no state changes.

    A layer that works more than once has an entry each time: ``dense_1``, ``dense_1@2``. Of a
    layer that gives several tensors it is the first.

    Args:
        model: Any Keras model.
        x: A batch for it, [B, ...].
        training: As in training (batch statistics, dropout) or as in inference.
    """
    with unchanged(model, x):
        _, calls = watch(model, x, training)
    return {name: as_array(call.outputs) for name, call in named_calls(calls)}


def dead_units(model: keras.Model, x: Any) -> dict[str, float]:
    """The share of ReLU units that are 0 for the whole batch, by canonical name of the activation.

    A unit of a convolution is a channel, 0 everywhere. A ReLU that is no layer and not the
    activation of one, as in ``keras.ops.relu(x)``, is not seen.
    """
    with unchanged(model, x):
        _, calls = watch(model, x)
    return {name: dead_share(call) for name, call in named_calls(calls) if is_relu(call)}


def fed(model: keras.Model, x: Any) -> NDArray[Any]:
    """What the network behind the preprocessing is fed, [B, ...], in inference.

    The network begins with the first layer that learns, activates or drops out.
    """
    with unchanged(model, x):
        _, calls = watch(model, x)
    return as_array(calls[beginning(calls)].inputs)


def beginning(calls: list[Call]) -> int:
    """The place of the call with which the network behind the preprocessing begins."""
    begins = (n for n, c in enumerate(calls) if learns(c) or kind_of(c) in _BEGINNING)
    return next(begins, 0)


def is_relu(call: Call) -> bool:
    """Whether the call is an activation that is 0 below 0."""
    return function_name(call) in ("relu", "relu6")


def dead_share(call: Call) -> float:
    """Of the units that a ReLU gives, those that are 0 for the whole batch."""
    values = as_array(call.outputs)
    first = getattr(call.layer, "data_format", "") == "channels_first"
    units = np.moveaxis(values, 1 if first else -1, -1)
    return float((units.reshape(-1, units.shape[-1]).max(axis=0) <= 0).mean())


def kernels(model: keras.Model, x: Any) -> Table:
    """Copies of the layers' kernels, ``layer 1``, ``layer 2``, ..., in the order of work.

    They are counted over all layers that have one, and are the first weights of a layer that are no
    vector.
    """
    with unchanged(model, x):
        _, calls = watch(model, x)
    return {name: as_array(variable) for name, variable in kernels_of(calls).items()}


def kernels_of(calls: list[Call]) -> dict[str, keras.Variable]:
    """The kernels of layers at work, by their names in `kernels`."""
    found = {id(variable): variable for c in calls if (variable := kernel(c)) is not None}
    return {f"layer {n}": variable for n, variable in enumerate(found.values(), 1)}


def kernel(call: Call) -> keras.Variable | None:
    """The first weights of a layer that are no vector, if any."""
    weights = call.weights if learns(call) else []
    return next((weight for weight in weights if len(weight.shape) > 1), None)


def untrained(layer: keras.layers.BatchNormalization) -> bool:
    """Whether its running mean and variance are those that it was made with."""
    mean, variance = as_array(layer.moving_mean), as_array(layer.moving_variance)
    return not mean.any() and bool((variance == 1).all())
