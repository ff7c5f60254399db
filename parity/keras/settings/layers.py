"""What the layers of a model do, measured on layers of the same configuration."""

from typing import Any

import keras
import numpy as np
from keras import layers as kl
from numpy.typing import NDArray

from parity.keras.calls import Call
from parity.keras.names import first_calls, function_name, variables
from parity.keras.outputs import beginning

Settings = dict[str, Any]
GRID = [step / 4 for step in range(-16, 17)]
"""Where activations are looked at."""
NOT_BY_ELEMENT = ("", "softmax", "log_softmax", "sparsemax", "glu", "prelu")
"""What an activation computes of more than one number, or with weights."""


def layer_settings(model: keras.Model) -> Settings:
    """Shapes, counts, initial weights and arithmetic of layers by their canonical names.

    Raises:
        ValueError: the model is a subclass that has never been called.
    """
    named = first_calls(model)
    named = named[beginning([call for _, call in named]) :]
    values: Settings = {
        "network.layers": [_described(name, call) for name, call in named],
        "network.trainable": _count(model.trainable_weights),
        "network.tracked": _count(model.non_trainable_weights),
        "network.dtype": model.weights[0].dtype if model.weights else "",
        "init.he_normal": _he_normal(),
        **{f"init.{name}": _statistics(weight) for name, weight in variables(model).items()},
    }
    for name, call in named:
        values |= _measured(name, call)
    return values


def _measured(name: str, call: Call) -> Settings:
    """What a copy of a layer does with numbers of ours; nothing of a kind that is not known."""
    layer = call.layer
    if isinstance(layer, kl.BatchNormalization):
        return {f"{name}.{key}": value for key, value in _batch_norm(layer).items()}
    if type(layer) is kl.Dropout and layer.noise_shape is None:
        own = kl.Dropout.from_config(layer.get_config() | {"seed": 0})
        dropped = _array(own(np.ones(100_000, np.float32), training=True))
        zeros = float((dropped == 0).mean())
        return {name: {"zeros": zeros, "survivors": float(dropped.max())}}
    if function_name(call) in NOT_BY_ELEMENT:
        return {}
    activation = layer.activation if call.fused else layer
    found = _array(activation(keras.ops.convert_to_tensor(GRID)))
    return {name: {"at": GRID, "values": found.astype(np.float64).tolist()}}


def _described(name: str, call: Call) -> str:
    if isinstance(call.layer, kl.Dense) and not call.fused:
        return f"{name} {call.layer.kernel.shape[0]} -> {call.layer.units}"
    return name


def _count(variables: list[keras.Variable]) -> int:
    return sum(int(np.prod(variable.shape)) for variable in variables)


def _statistics(variable: keras.Variable) -> Settings:
    values = _array(variable).astype(np.float64)
    return {
        "shape": list(values.shape),
        "mean": float(values.mean()),
        "std": float(values.std()),
        "min": float(values.min()),
        "max": float(values.max()),
    }


def _he_normal() -> float:
    """The largest of 40,000 He normal weights, in their standard deviations."""
    drawn = _array(keras.initializers.HeNormal(seed=0)((200, 200)))
    return float(np.abs(drawn).max() / drawn.std())


def _batch_norm(layer: kl.BatchNormalization) -> Settings:
    """Epsilon from a variance of 0; momentum and kind of variance from a batch of four."""
    own = kl.BatchNormalization.from_config(layer.get_config() | {"dtype": "float64", "axis": -1})
    own.build((None, 1))
    own.moving_mean.assign([0.0])
    own.moving_variance.assign([0.0])
    normalised = _array(own(np.ones((1, 1)), training=False))
    own(np.array([[0.0], [0.0], [2.0], [2.0]]), training=True)  # mean 1, population variance 1
    taken = float(_array(own.moving_mean)[0])
    return {
        "epsilon": float(1 / normalised[0, 0] ** 2),
        "momentum": 1 - taken,
        "moving_variance": float(_array(own.moving_variance)[0]) / taken,
    }


def _array(values: Any) -> NDArray[Any]:
    array: NDArray[Any] = keras.ops.convert_to_numpy(values)
    return array
