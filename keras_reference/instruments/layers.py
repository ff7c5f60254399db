"""Reads a Keras network layer by layer: is it a multilayer perceptron of the kind we exchange?"""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers

from keras_reference.errors import InputError
from keras_reference.instruments.mlp_file import ACTIVATIONS, NORMALIZATIONS, Config

Variables = dict[str, keras.Variable]
WHOLE = (
    "Rescaling(1/255), Rescaling(-1, 1) or not, Flatten, LayerNormalization or Normalization or "
    "neither, then Dense, BatchNormalization or not, Activation, Dropout or not, repeated, and a "
    "last Dense"
)


class Block(NamedTuple):
    """What stands behind a hidden Dense."""

    activation: str
    dropout: float
    batch_norm: dict[str, float] | None


class Layers:
    """Takes the layers of a network one after the other, and refuses what it does not expect."""

    def __init__(self, network: keras.Sequential) -> None:
        self.rest: list[Any] = list(network.layers)

    def next_is(self, kind: type) -> bool:
        """Whether the next layer is of that kind."""
        return bool(self.rest) and type(self.rest[0]) is kind

    def take(self, kind: type, **settings: object) -> Any:
        """The next layer.

        Raises:
            InputError: there is none, or one of another kind, or with other settings.
        """
        if not self.rest:
            raise InputError(f"ends where {kind.__name__} is expected: {WHOLE}")
        if not self.next_is(kind):
            found = _name(self.rest[0])
            raise InputError(f"{found} stands where {kind.__name__} is expected: {WHOLE}")
        layer = self.rest.pop(0)
        config = layer.get_config()
        if layer.dtype_policy.name != "float32":
            refuse(layer, f"computes in {layer.dtype_policy.name}", "float32")
        for name, value in settings.items():
            if config[name] != value:
                refuse(layer, f"has {name} {config[name]!r:.60}", repr(value))
        for name, value in config.items():
            if name.endswith(("_regularizer", "_constraint")) and value is not None:
                refuse(layer, f"has a {name}", "none: the interchange cannot say it")
        return layer


def described(network: keras.Model) -> tuple[Config, Variables]:
    """What the interchange says of a network, and the variables that it names, in order.

    Raises:
        InputError: a layer, which is named, is not one that the interchange can say.
    """
    if type(network) is not keras.Sequential:
        raise InputError(f"a {type(network).__name__} model; expected a Sequential: {WHOLE}")
    rest = Layers(network)
    config = _preprocessing(rest)
    variables: Variables = {}
    blocks: list[Block] = []
    while True:
        dense = rest.take(layers.Dense, use_bias=True)
        place = len(blocks) + 1
        variables |= {f"dense_{place}.kernel": dense.kernel, f"dense_{place}.bias": dense.bias}
        if not rest.rest:
            break
        block = _block(dense, rest, place, variables)
        if blocks and block != blocks[0]:
            refuse(dense, f"is followed by {block}", f"all hidden layers alike, like {blocks[0]}")
        blocks.append(block)
        config["hidden"].append(dense.units)
    if dense.activation is not keras.activations.linear:
        refuse(dense, f"ends in {dense.get_config()['activation']!r:.60}", "logits (linear)")
    first = blocks[0] if blocks else Block("relu", 0.0, None)
    return config | first._asdict(), variables


def _preprocessing(rest: Layers) -> Config:
    config: Config = {
        "hidden": [], "invert": False, "standardize": "none", "mean": 0.0, "std": 1.0,
    }  # fmt: skip
    _check_rescaling(rest.take(layers.Rescaling), 1 / 255, 0)
    if rest.next_is(layers.Rescaling):
        _check_rescaling(rest.take(layers.Rescaling), -1, 1)
        config["invert"] = True
    rest.take(layers.Flatten, data_format="channels_last")
    if rest.next_is(layers.LayerNormalization):
        settings = {"epsilon": 1e-5, "center": False, "scale": False, "rms_scaling": False}
        rest.take(layers.LayerNormalization, **settings)
        config["standardize"] = "image"
    elif rest.next_is(layers.Normalization):
        layer = rest.take(layers.Normalization, invert=False)
        mean, variance = map(keras.ops.convert_to_numpy, (layer.mean, layer.variance))
        if mean.size != 1:
            refuse(layer, f"has {mean.size} means", "one for all pixels (axis=None)")
        # What the layer divides by, which is never smaller than Keras' epsilon.
        std = np.maximum(np.sqrt(variance), np.float32(keras.config.epsilon()))
        config |= {"standardize": "dataset", "mean": mean.item(), "std": std.item()}
    return config


def _check_rescaling(layer: Any, scale: float, offset: float) -> None:
    found, wanted = (layer.scale, layer.offset), (scale, offset)
    if any(map(np.ndim, found)) or not np.array_equal(*np.array([found, wanted], np.float32)):
        refuse(layer, f"has scale {layer.scale}, offset {layer.offset}", f"{scale:.6g}, {offset}")


def _block(dense: Any, rest: Layers, place: int, variables: Variables) -> Block:
    """What follows a hidden Dense; an activation of its own stands for an Activation."""
    batch_norm = None
    if dense.activation is not keras.activations.linear:
        layer = dense
    else:
        if rest.next_is(layers.BatchNormalization):
            settings = {"center": True, "scale": True, "renorm": False}
            norm = rest.take(layers.BatchNormalization, **settings)
            batch_norm = {"epsilon": norm.epsilon, "momentum": norm.momentum}
            if batch_norm not in NORMALIZATIONS:
                said = " or ".join(map(str, NORMALIZATIONS))
                refuse(norm, f"has {batch_norm}", said)
            names = ("scale", "offset", "mean", "variance")
            parts = (norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance)
            for name, variable in zip(names, parts, strict=True):
                variables[f"batch_norm_{place}.{name}"] = variable
        layer = rest.take(layers.Activation)
    activation = layer.get_config()["activation"]
    if activation not in ACTIVATIONS:
        refuse(layer, f"computes {activation!r:.60}", ", ".join(ACTIVATIONS))
    dropout = 0.0
    if rest.next_is(layers.Dropout):
        dropout = float(rest.take(layers.Dropout, noise_shape=None).rate)
    return Block(activation, dropout, batch_norm)


def refuse(layer: Any, found: str, expected: str) -> None:
    """Raise an `InputError` that names the layer."""
    raise InputError(f"{_name(layer)} {found}; expected {expected}")


def _name(layer: Any) -> str:
    return f"layer {layer.name} ({type(layer).__name__})"
