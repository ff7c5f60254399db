"""Watches a Keras model at work: which layers it calls, in which order, with what."""

import contextlib
import inspect
import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from keras import layers as kl
from numpy.typing import NDArray

from parity.keras import private

FUSING = (
    kl.Dense, kl.EinsumDense, kl.Conv1D, kl.Conv2D, kl.Conv3D,
    kl.Conv1DTranspose, kl.Conv2DTranspose, kl.Conv3DTranspose,
    kl.DepthwiseConv1D, kl.DepthwiseConv2D, kl.SeparableConv1D, kl.SeparableConv2D,
)  # fmt: skip
"""Layers that end in an activation of their own; in recurrent layers it lies within."""

Instead = Callable[[int], NDArray[Any] | None]
"""What the layer that works next, by its place, is fed instead."""


class Call(NamedTuple):
    """A layer at work.

    Attributes:
        layer: Of the model.
        fused: Whether it is the activation that the layer ends in, and not the layer itself.
        weights: Its own, without those of layers that it calls; none where `fused`.
        inputs: What went in; the first of several arguments.
        outputs: What came out.
    """

    layer: keras.Layer
    fused: bool
    weights: list[keras.Variable]
    inputs: Any
    outputs: Any


def watch(
    model: keras.Model, x: Any, training: bool = False, instead: Instead | None = None
) -> tuple[Any, list[Call]]:
    """Call the model eagerly and note each of its layers, in the order in which they work.

    Nested models, and layers of one's own that call others, are looked into, and are a call only
    where they have weights beside; a layer of Keras is one call, whatever it consists of. An
    activation that a layer ends in is a call of its own: ``Dense(8, activation="relu")`` gives the
    same two as ``Dense(8), Activation("relu")``. State, as seeds, may change; see `unchanged`.

    Args:
        model: Any Keras model.
        x: What it takes: an array [B, ...], or several.
        training: As in training (batch statistics, dropout) or as in inference.
        instead: What a layer is fed instead of what the one before it gives.

    Returns:
        What the model gives, as its tensors, and the calls.
    """
    build(model, x)  # which calls layers too
    calls: list[Call] = []
    closed = False
    call_layer = keras.Layer.__call__

    def noted(layer: keras.Layer, *args: Any, **kwargs: Any) -> Any:
        nonlocal closed
        if closed:
            return call_layer(layer, *args, **kwargs)
        if (dense := _at_each_time(layer)) is not None:
            return noted(dense, *args[:1])
        before, root = len(calls), layer is model
        closed = kind_of_keras(layer) is not None
        inner: list[Call] = []
        if closed and args:
            args = (_fed(instead, before, args[0]), *args[1:])
        try:
            with _activation_noted(layer, inner, before + 1, instead):
                outputs = call_layer(layer, *args, **kwargs)
        finally:
            closed = False
        inputs = [*args, *kwargs.values(), None][0]
        within = {id(weight) for call in calls[before:] for weight in call.weights}
        own = [weight for weight in layer.weights if id(weight) not in within]
        if inner or len(calls) == before or (own and not root):
            ends = inner[0].inputs if inner else outputs
            calls.extend([Call(layer, False, own, inputs, ends), *inner])
        return outputs

    with mock.patch.object(keras.Layer, "__call__", noted):
        return model(x, **training_mode(model, training)), calls


def _at_each_time(layer: keras.Layer) -> keras.layers.Dense | None:
    """The dense layer that works at each time: by itself it does so too, on the last axis."""
    inner = layer.layer if isinstance(layer, kl.TimeDistributed) else None
    return inner if isinstance(inner, kl.Dense) else None


def build(model: keras.Layer, x: Any) -> None:
    """Make a model's weights as `fit` does: what runs through it moves no statistics.

    Args:
        model: Any Keras model; one that has its weights stays as it is.
        x: A batch for it, [B, ...].
    """
    if model.built:
        return
    try:
        model(keras.tree.map_structure(lambda part: keras.KerasTensor(part.shape, part.dtype), x))
    except Exception:  # a layer may want values
        model(x)


@contextlib.contextmanager
def unchanged(model: keras.Layer, x: Any = None) -> Iterator[None]:
    """Afterwards moving statistics, seeds, states and metrics are what they were before.

    Args:
        model: Any Keras model, or a layer.
        x: A batch for one that may not have any of these yet.
    """
    if x is not None and not model.built:
        with unchanged(model):
            build(model, x)
    seeds = private.global_seeds()
    kept = [(variable, variable.read_value()) for variable in _state(model, seeds)]
    drawn = random.getstate()
    operations = private.operation_seeds()
    operations_drawn = None if operations is None else operations.getstate()
    try:
        yield
    finally:
        for variable, value in kept:
            variable.assign(value)
        if operations is not None and operations_drawn is not None:
            operations.setstate(operations_drawn)
        if seeds is None and private.global_seeds() is not None:
            private.forget_global_seeds()
            random.setstate(drawn)


@contextlib.contextmanager
def undrawn() -> Iterator[None]:
    """Afterwards Python and NumPy draw at random what they would have drawn before.

    Not while a training reads its data in other threads, which draw too.
    """
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002


def _state(model: keras.Layer, seeds: Any) -> list[Any]:
    """Variables of TensorFlow that a call may change: Keras' own, and those that Keras ignores."""
    kept = [*model.non_trainable_variables, *model.metrics_variables]
    kept += [] if seeds is None else [seeds.state]
    parts = [part for layer in private.layers_within(model) for part in vars(layer).values()]
    parts.append(private.global_generator())
    generators = [part.state for part in parts if isinstance(part, tf.random.Generator)]
    others = [part for part in parts if isinstance(part, tf.Variable)]
    return [variable.value for variable in kept] + generators + others


def example(model: keras.Model) -> Any:
    """Zeros of a shape that the model takes, one of a batch.

    Raises:
        ValueError: the model is a subclass that has not told what it takes.
    """
    given: Any = getattr(model, "inputs", None)
    if given:
        zeros = [_zeros(tensor.shape, tensor.dtype) for tensor in given]
        return zeros[0] if len(zeros) == 1 else keras.tree.pack_sequence_as(model.input, zeros)
    shape = (model.get_build_config() or {}).get("input_shape")
    if not shape or not all(size is None or isinstance(size, int) for size in shape):
        raise ValueError(
            f"the model {model.name} does not say what it takes; call it once on a batch, or give "
            "that batch as x"
        )
    return _zeros(shape, keras.config.floatx())


def as_array(values: Any) -> NDArray[Any]:
    """A tensor as an array; the first of several. NumPy has no bfloat16: that becomes float32."""
    values = keras.tree.flatten(values)[0]
    if keras.backend.standardize_dtype(getattr(values, "dtype", "float32")) == "bfloat16":
        values = keras.ops.cast(values, "float32")
    array: NDArray[Any] = np.asarray(keras.ops.convert_to_numpy(values))
    return array


def kind_of_keras(layer: keras.Layer) -> type | None:
    """The layer of Keras that it is or is derived from; None for a model, and for one's own."""
    kind = next(kind for kind in type(layer).__mro__ if kind.__module__.startswith("keras."))
    return None if kind is keras.Layer or isinstance(layer, keras.Model) else kind


def _fed(instead: Instead | None, place: int, given: Any) -> Any:
    """What a layer is fed: what is there for its place, where it has the axes and channels."""
    other = instead(place) if instead is not None else None
    shape = tuple(getattr(given, "shape", ()))
    if other is None or shape[-1:] != other.shape[-1:] or len(shape) != other.ndim:
        return given
    return keras.ops.cast(keras.ops.convert_to_tensor(other), given.dtype)


@contextlib.contextmanager
def _activation_noted(
    layer: keras.Layer, calls: list[Call], place: int, instead: Instead | None
) -> Iterator[None]:
    """The activation that `layer` ends in leaves a call, which is at `place`."""
    function: Callable[[Any], Any] | None = getattr(layer, "activation", None)
    if not isinstance(layer, FUSING) or function in (None, keras.activations.linear):
        yield
        return

    def activation(values: Any) -> Any:
        given = _fed(instead, place, values)
        outputs = function(given)
        calls.append(Call(layer, True, [], values, outputs))
        return outputs

    attributes = vars(layer)  # past Keras' tracking of what is set
    attributes["activation"] = activation
    try:
        yield
    finally:
        attributes["activation"] = function


def training_mode(model: keras.Model, training: bool) -> dict[str, bool]:
    """The keyword `training`, for a model whose `call` knows it."""
    parameters = inspect.signature(model.call).parameters.values()
    known = any(p.name == "training" or p.kind is p.VAR_KEYWORD for p in parameters)
    return {"training": training} if known else {}


def _zeros(shape: tuple[int | None, ...], dtype: str) -> NDArray[Any]:
    """One of a batch, or an empty text; 32 where any size will do."""
    sizes = (1, *(size or 32 for size in shape[1:]))
    return np.full(sizes, "") if dtype == "string" else np.zeros(sizes, dtype)
