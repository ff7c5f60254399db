"""Changes what the layers of a Keras model compute, for a while and without changing the model."""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from parity.keras.calls import FUSING, Call
from parity.keras.facts import DROPOUTS
from parity.keras.names import function_name, kind_of
from parity.watch.check import Change, Remedy
from parity.watch.check.training import MULTIPLIES, SATURATING

POOLING = ("global_avg_pool", "global_max_pool")


@contextlib.contextmanager
def intervention(
    calls: list[Call],
    remedy: Remedy,
    ends: bool,
    head: Callable[[Any], Any] | None,
    last: list[Any] | None = None,
) -> Iterator[None]:
    """Within, layers compute what the remedy asks for.

    Args:
        calls: Of the model's layers, in order.
        remedy: What to change.
        ends: Whether the last call is an activation that the model gives; a new head leaves it out.
        head: Computes instead of the last layer that multiplies; None where that stays.
        last: Is given what the last layer gives, where the model applies a function to it.
    """
    changes: list[tuple[keras.Layer, str, Any]] = []
    multiplying = [call for call in calls if not call.fused and kind_of(call) in MULTIPLIES]
    if ends and remedy.head:
        changes.append(_passing(calls[-1]))
    hidden = calls[:-1] if ends else calls
    for call in hidden:
        if Change.RELU in remedy and function_name(call) in (*SATURATING, "softmax"):
            changes.append((call.layer, "activation", keras.activations.relu))
        if Change.UNDROPPED in remedy and isinstance(call.layer, DROPOUTS):
            changes.append((call.layer, "rate", 0.0))
        if Change.UNDROPPED in remedy and hasattr(call.layer, "value_range"):
            changes.append(_passing(call))
        if Change.ORDERED in remedy and kind_of(call) in POOLING:
            changes.append((call.layer, "call", _telling_places(call.layer.call)))
    for call in multiplying[:-1]:
        bare = getattr(call.layer, "activation", None) in (None, keras.activations.linear)
        if Change.RELU_BETWEEN in remedy and bare and isinstance(call.layer, FUSING):
            changes.append((call.layer, "activation", keras.activations.relu))
    if head is not None:
        changes.append((multiplying[-1].layer, "call", head))
    if last is not None:
        layer = calls[-1].layer
        changes.append((layer, "call", _noting(head or layer.call, last)))
    with contextlib.ExitStack() as stack:
        for layer, name, value in changes:
            stack.enter_context(_instead(layer, name, value))
        yield


def _noting(call: Callable[..., Any], given: list[Any]) -> Callable[..., Any]:
    def noted(*args: Any, **kwargs: Any) -> Any:
        given[:] = [call(*args, **kwargs)]
        return given[0]

    return noted


def _telling_places(pool: Callable[..., Any]) -> Callable[..., Any]:
    """Half of what each step gives, [B, T, F], is weighted by its place in the sequence."""

    def told(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        steps, width = tf.shape(inputs)[1], inputs.shape[-1]
        place = tf.cast(tf.range(steps), inputs.dtype) / tf.cast(steps, inputs.dtype)
        half = tf.cast(tf.range(width) < width // 2, inputs.dtype)
        return pool(inputs * (half + (1 - half) * 2 * place[:, None]), *args, **kwargs)

    return told


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
    """A dense layer of logits, behind a hidden one where it is deeper.

    Args:
        inputs: Features of what it is given.
        units: Logits.
        hidden: Units of the hidden layer; 0 for none.
        activation: Applied to the logits.
    """

    def __init__(self, inputs: int, units: int, hidden: int = 0, activation: Any = None) -> None:
        sizes, rng = [inputs, *([hidden] if hidden else []), units], np.random.default_rng(0)
        self.activation = activation or keras.activations.linear
        self.variables: list[keras.Variable] = []
        for before, after in itertools.pairwise(sizes):
            reach = np.sqrt(6 / (before + after))
            kernel = rng.uniform(-reach, reach, (before, after)).astype(np.float32)
            self.variables += [
                keras.Variable(kernel),
                keras.Variable(np.zeros(after, np.float32)),
            ]

    def __call__(self, inputs: Any, *_: Any, **__: Any) -> Any:
        """Logits [B, units] of what the layer is given, [B, inputs]."""
        values = tf.cast(inputs, tf.float32)
        *hidden, kernel, bias = (variable.value for variable in self.variables)
        if hidden:
            values = tf.nn.relu(values @ hidden[0] + hidden[1])
        return self.activation(values @ kernel + bias)
