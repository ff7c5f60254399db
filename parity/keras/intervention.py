"""Changes what the layers of a Keras model compute, for a while and without changing the model."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from parity.keras.calls import FUSING, Call
from parity.keras.facts import DROPOUTS
from parity.keras.names import function_name, kind_of
from parity.watch.check import Remedy
from parity.watch.check.training import MULTIPLIES, SATURATING


@contextlib.contextmanager
def intervention(
    calls: list[Call], remedy: Remedy, ends: bool, head: Callable[[Any], Any] | None
) -> Iterator[None]:
    """Within, layers compute what the remedy asks for.

    Args:
        calls: Of the model's layers, in order.
        remedy: What to change.
        ends: Whether the last call is an activation that the model gives; a new head leaves it out.
        head: Computes instead of the last layer that multiplies; None where that stays.
    """
    changes: list[tuple[keras.Layer, str, Any]] = []
    multiplying = [call for call in calls if not call.fused and kind_of(call) in MULTIPLIES]
    if ends and remedy.head:
        changes.append(_passing(calls[-1]))
    hidden = calls[:-1] if ends else calls
    for call in hidden:
        if remedy.hidden and function_name(call) in (*SATURATING, "softmax"):
            changes.append((call.layer, "activation", keras.activations.relu))
        if remedy.undropped and isinstance(call.layer, DROPOUTS):
            changes.append((call.layer, "rate", 0.0))
        if remedy.undropped and hasattr(call.layer, "value_range"):
            changes.append(_passing(call))
    for call in multiplying[:-1]:
        bare = getattr(call.layer, "activation", None) in (None, keras.activations.linear)
        if remedy.between and bare and isinstance(call.layer, FUSING):
            changes.append((call.layer, "activation", keras.activations.relu))
    if head is not None:
        changes.append((multiplying[-1].layer, "call", head))
    with contextlib.ExitStack() as stack:
        for layer, name, value in changes:
            stack.enter_context(_instead(layer, name, value))
        yield


def _passing(call: Call) -> tuple[keras.Layer, str, Any]:
    """An activation that gives what it is given."""
    if call.fused or isinstance(call.layer, keras.layers.Activation):
        return call.layer, "activation", keras.activations.linear
    return call.layer, "call", lambda inputs, *_, **__: inputs


@contextlib.contextmanager
def _instead(layer: keras.Layer, name: str, value: Any) -> Iterator[None]:
    attributes = vars(layer)  # past Keras' tracking of what is set
    missing = object()
    before = attributes.get(name, missing)
    attributes[name] = value
    try:
        yield
    finally:
        if before is missing:
            del attributes[name]
        else:
            attributes[name] = before


class Head:
    """A dense layer of logits."""

    def __init__(self, inputs: int, units: int) -> None:
        reach = np.sqrt(6 / (inputs + units))
        kernel = np.random.default_rng(0).uniform(-reach, reach, (inputs, units))
        self.variables = [
            keras.Variable(kernel.astype(np.float32)),
            keras.Variable(np.zeros(units, np.float32)),
        ]

    def __call__(self, inputs: Any, *_: Any, **__: Any) -> Any:
        """Logits [B, units] of what the layer is given, [B, inputs]."""
        kernel, bias = (variable.value for variable in self.variables)
        return tf.cast(inputs, tf.float32) @ kernel + bias
