"""Reads a Keras network as it works: is it a multilayer perceptron, and which?

What a network computes in inference counts, not how it is written: functional or not, nested,
activations as layers or within, any scaling of pixels, batch norm anywhere. What the interchange
has no word for but can express, it is told by other weights: that is folding.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, get_args

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from keras_reference.errors import InputError
from keras_reference.instruments.blocks import Block, Blocks, Floats
from keras_reference.instruments.pixels import Pixels
from parity.keras.calls import Call, as_array, unchanged, watch
from parity.mlp_file import Activation, Plan, Weights

ACTIVATIONS: tuple[str, ...] = get_args(Activation)
WHOLE = "layers that scale, flatten or drop out, Dense, BatchNormalization and an activation"
GRID = np.linspace(-16, 16, 129, dtype=np.float32)
"""Where activations are told apart."""
_ACTIVATIONS = (
    layers.Activation, layers.ReLU, layers.ELU, layers.LeakyReLU, layers.PReLU, layers.Softmax,
)  # fmt: skip
SAME = 1e-6
"""By how much two float32 activations may differ on the grid and be one."""


class Described(NamedTuple):
    """What the interchange says of a network.

    Attributes:
        plan: What rebuilds it.
        tensors: See `parity.mlp_file`.
        notes: What is no weight and so is left behind, and what was folded, in words.
    """

    plan: Plan
    tensors: Weights
    notes: list[str]


def described(network: keras.Model) -> Described:
    """What a network from raw images [B, 28, 28], 0 to 255, to ten scores computes.

    Raises:
        InputError: a layer, which is named, is not one that the interchange can say.
        MLPFileError: as of `Plan`.
    """
    images = np.random.default_rng(0).integers(0, 256, (2, 28, 28)).astype(np.float32)
    with unchanged(network):
        _, calls = watch(network, images)
    pixels, blocks = Pixels(), Blocks()
    given = images
    for place, call in enumerate(calls):
        fed, seen = as_array(call.inputs), as_array(call.outputs)
        if not np.array_equal(fed.reshape(2, -1), given.reshape(2, -1)):
            refuse(call, "takes something else than what the layer before it gives", "a chain")
        if call.layer.dtype_policy.name != "float32":
            refuse(call, f"computes in {call.layer.dtype_policy.name}", "float32")
        blocks.notes += _regularizers(call)
        _take(call, fed, seen, pixels, blocks, last=place == len(calls) - 1)
        given = seen
    if not blocks.blocks or not blocks.ends_linear:
        raise InputError(f"ends in {_name(calls[-1])}; expected a Dense of 10 logits, or a softmax")
    return Described(*_said(pixels, blocks), blocks.notes)


def _take(
    call: Call, fed: NDArray[Any], seen: NDArray[Any], pixels: Pixels, blocks: Blocks, *, last: bool
) -> None:
    """One layer more."""
    layer = call.layer
    same = np.array_equal(fed.reshape(2, -1), seen.reshape(2, -1))
    activation = _activation(call)
    if activation is not None:
        if activation == "softmax" and last:
            return
        if activation not in ACTIVATIONS:
            refuse(
                call, f"computes {activation}", f"{', '.join(ACTIVATIONS)}, or a softmax at the end"
            )
        if not blocks.blocks:
            refuse(call, "stands in front of the first Dense", WHOLE)
        blocks.activate(activation)
    elif isinstance(layer, layers.Dense):
        if fed.ndim != 2:
            refuse(call, f"takes {list(fed.shape[1:])}", "flat images: a Flatten before it")
        bias = as_array(layer.bias) if layer.use_bias else np.zeros(layer.units, np.float32)
        blocks.append(as_array(layer.kernel), bias)
    elif isinstance(layer, layers.BatchNormalization):
        if seen.ndim != 2:
            refuse(call, f"takes {list(fed.shape[1:])}", "flat images: a Flatten before it")
        blocks.normalise(layer, pixels)
    elif not blocks.blocks and pixels.takes(layer):
        pixels.take(call)
    elif same:
        blocks.left_out(layer)
    else:
        refuse(call, "stands where it has no counterpart", WHOLE)


def _said(pixels: Pixels, blocks: Blocks) -> tuple[Plan, Weights]:
    config, scale, offset = pixels.config()
    found = blocks.joined(scale, offset)
    hidden: list[Block] = found[:-1]
    tensors: dict[str, Floats] = {}
    for place, block in enumerate(found, 1):
        tensors |= {f"dense_{place}.kernel": block.kernel, f"dense_{place}.bias": block.bias}
        for name, values in block.norm.items():
            tensors[f"batch_norm_{place}.{name}"] = values
    functions: list[Any] = [block.activation for block in hidden] or ["relu"]
    plan = Plan(
        hidden=[len(block.bias) for block in hidden],
        activation=functions[0] if len(set(functions)) == 1 else functions,
        dropout=blocks.dropout(hidden),
        batch_norm=hidden[0].settings if hidden else None,
        **config,
    )
    return plan, {name: values.astype(np.float32) for name, values in tensors.items()}


def _activation(call: Call) -> str | None:
    """The activation that a call computes, by what it gives; None for another layer."""
    layer = call.layer
    if not call.fused and not isinstance(layer, _ACTIVATIONS):
        return None
    function: Callable[[Any], Any] = layer.activation if call.fused else layer
    if isinstance(layer, layers.Activation) and layer.activation is keras.activations.linear:
        return None
    if isinstance(layer, layers.Softmax) or _called(call) == "softmax":
        return "softmax"
    try:
        values = as_array(function(keras.ops.convert_to_tensor(GRID)))
    except Exception:  # one with weights, or of whole rows
        return _called(call)
    for name in ACTIVATIONS:
        if np.abs(as_array(keras.activations.get(name)(GRID)) - values).max() <= SAME:
            return name
    return f"another {_called(call)}" if _called(call) in ACTIVATIONS else _called(call)


def _called(call: Call) -> str:
    """What Keras calls an activation."""
    function = getattr(call.layer, "activation", call.layer)
    return str(getattr(function, "__name__", type(function).__name__)).lower()


def _regularizers(call: Call) -> list[str]:
    """What a layer asks of a training that is no weight."""
    if call.fused:
        return []
    found = [
        name
        for name, value in call.layer.get_config().items()
        if name.endswith(("_regularizer", "_constraint")) and value is not None
    ]
    return [f"{_name(call)} has a {name}, which is no weight: left behind" for name in found]


def refuse(call: Call, found: str, expected: str) -> None:
    """Raise an `InputError` that names the layer."""
    raise InputError(f"{_name(call)} {found}; expected {expected}")


def _name(call: Call) -> str:
    return f"layer {call.layer.name} ({type(call.layer).__name__})"
