"""What the layers of a network do, measured on layers of the same configuration."""

from typing import Any

import keras
import numpy as np
from keras import layers as kl
from numpy.typing import NDArray

from parity.keras import layers, variables

Settings = dict[str, Any]
BEHIND_PREPROCESSING = (kl.Dense, kl.BatchNormalization, kl.Activation, kl.Dropout)
GRID = [step / 4 for step in range(-16, 17)]
"""Where activations are looked at."""


def layer_settings(network: keras.Sequential) -> Settings:
    """Shapes, counts, initial weights and arithmetic of layers by their canonical names."""
    named = {name: x for name, x in layers(network).items() if isinstance(x, BEHIND_PREPROCESSING)}
    values: Settings = {
        "network.layers": [_described(name, layer) for name, layer in named.items()],
        "network.trainable": _count(network.trainable_weights),
        "network.tracked": _count(network.non_trainable_weights),
        "network.dtype": network.trainable_variables[0].dtype,
        "init.he_normal": _he_normal(),
        **{f"init.{name}": _statistics(weight) for name, weight in variables(network).items()},
    }
    for name, layer in named.items():
        if isinstance(layer, kl.BatchNormalization):
            values |= {f"{name}.{key}": value for key, value in _batch_norm(layer).items()}
        elif isinstance(layer, kl.Dropout):
            own = kl.Dropout.from_config(layer.get_config())
            dropped = _array(own(np.ones(100_000, np.float32), training=True))
            values[name] = {
                "zeros": float((dropped == 0).mean()),
                "survivors": float(dropped.max()),
            }
        elif isinstance(layer, kl.Activation):
            found = _array(layer(np.array(GRID, np.float32)))
            values[name] = {"at": GRID, "values": found.astype(np.float64).tolist()}
    return values


def _described(name: str, layer: keras.Layer) -> str:
    if isinstance(layer, kl.Dense):
        return f"{name} {layer.kernel.shape[0]} -> {layer.units}"
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
    own = kl.BatchNormalization.from_config(layer.get_config() | {"dtype": "float64"})
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
