"""What a Keras model's optimiser and penalties do to its weights."""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from parity.keras import private
from parity.keras.calls import as_array, kind_of_keras
from parity.watch.check import Penalty


def optimizer_of(model: keras.Model) -> Any:
    """Without what scales its loss; None where a model is not compiled, as in a loop of its own."""
    optimizer = getattr(model, "optimizer", None)
    return getattr(optimizer, "inner_optimizer", optimizer)


def name_of(optimizer: Any) -> str:
    """Of its class; empty without any."""
    return "" if optimizer is None else type(optimizer).__name__


def rate_now(optimizer: Any) -> float:
    """The learning rate of the next step; NaN without an optimiser."""
    return float(np.nan if optimizer is None else as_array(optimizer.learning_rate))


def rate_of(optimizer: Any) -> float | None:
    """The learning rate; None where a schedule changes it."""
    if optimizer is None or isinstance(optimizer.get_config().get("learning_rate"), dict):
        return None
    return rate_now(optimizer)


def plan_of(optimizer: Any) -> tuple[float, float] | None:
    """Learning rate at first and now, where a schedule has changed it."""
    plan = None if optimizer is None else optimizer.get_config().get("learning_rate")
    if not isinstance(plan, dict):
        return None
    schedule = keras.optimizers.schedules.deserialize(plan)
    return float(as_array(schedule(0))), rate_now(optimizer)


def momentum_of(optimizer: Any) -> float | None:
    """Its momentum, or Adam's first beta."""
    given = getattr(optimizer, "beta_1", getattr(optimizer, "momentum", None))
    return float(given) if isinstance(given, int | float) else None


def clipped_of(model: keras.Model, optimizer: Any) -> float | None:
    """Length that clipping leaves to gradients: of all weights, of each, or value by value."""
    lengths = [getattr(optimizer, name, None) for name in ("clipnorm", "global_clipnorm")]
    if each := getattr(optimizer, "clipvalue", None):
        lengths.append(each * math.sqrt(trainable(model)))
    return min((float(length) for length in lengths if length), default=None)


def no_eps_of(model: keras.Model, optimizer: Any) -> str:
    """What is 0 in float16, and divided by, where the weights are such."""
    halves = any(variable.dtype == "float16" for variable in model.trainable_variables)
    return "the square of a gradient below 2e-4" if halves and hasattr(optimizer, "epsilon") else ""


def trainable(model: keras.Model) -> int:
    """How many weights may change."""
    return sum(math.prod(variable.shape) for variable in model.trainable_variables)


def frozen(model: keras.Model) -> set[int]:
    """Weights that could be trained, and are not, by identity."""
    layers = private.layers_within(model)
    thawed = {id(v) for layer in layers for v in layer._trainable_variables if not v.trainable}
    made_so = (layer for layer in layers if kind_of_keras(layer) is None)
    return thawed | {
        id(v) for layer in made_so for v in layer._non_trainable_variables if len(v.shape) > 1
    }


def untracked(model: keras.Model) -> int:
    """Weights in plain variables of TensorFlow, which Keras does not train."""
    parts = (part for layer in private.layers_within(model) for part in vars(layer).values())
    found = {id(p): p for p in parts if isinstance(p, tf.Variable) and p.trainable}
    return sum(math.prod(p.shape) for p in found.values() if p.dtype.is_floating and p.shape.rank)


def penalties_of(model: keras.Model, optimizer: Any) -> tuple[Penalty, ...]:
    """Of the optimiser, where it is one of Keras' own, and of the layers."""
    found: list[Penalty] = []
    decay = getattr(optimizer, "weight_decay", None)
    if decay and type(optimizer).__module__.startswith("keras."):
        found.append(Penalty("decoupled", float(decay)))
    for layer in private.layers_within(model):
        own = getattr(layer, "activity_regularizer", None)
        most = max(float(getattr(own, "l1", 0) or 0), float(getattr(own, "l2", 0) or 0))
        found += [Penalty("activity", most)] if most else []
    for variable in model.trainable_variables:
        own = variable.regularizer
        found += [Penalty("l2", float(l2))] if (l2 := getattr(own, "l2", 0)) else []
        found += [Penalty("l1", float(l1))] if (l1 := getattr(own, "l1", 0)) else []
    return tuple(found)
