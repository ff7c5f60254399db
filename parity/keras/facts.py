"""What the check before the first step wants to know of a Keras model."""

import math
import warnings
from typing import Any, NamedTuple

import keras
import numpy as np

from parity.arrays import Array, Ints
from parity.keras.calls import Call, as_array, training_mode, unchanged, watch
from parity.keras.names import function_name, kind_of, learns, snake_case
from parity.keras.outputs import dead_share, is_relu, kernel
from parity.watch.check import Layer, Loss, Penalty
from parity.watch.check.mixed import mixed

_KINDS: dict[str, Any] = {
    "categorical_crossentropy": ("categorical", "rows"),
    "categorical_focal_crossentropy": ("categorical", "rows"),
    "sparse_categorical_crossentropy": ("categorical", "numbers"),
    "binary_crossentropy": ("binary", ""),
    "binary_focal_crossentropy": ("binary", ""),
    "mean_squared_error": ("distance", ""),
    "mean_absolute_error": ("distance", ""),
    "huber": ("distance", ""),
    "log_cosh": ("distance", ""),
}
"""Kind of a loss and the targets that it takes, by Keras' name."""
DROPOUTS = (
    keras.layers.Dropout, keras.layers.SpatialDropout1D, keras.layers.SpatialDropout2D,
)  # fmt: skip


class Facts(NamedTuple):
    """A model at work on some samples, in inference.

    Attributes:
        layers: In the order in which they work.
        fed: What the first one that learns is given, [N, ...]; None without any.
        outputs: What the model gives, [N, ...].
        last: As in `parity.watch.check.Program`.
        several: Whether the model gives several outputs, of which this is the first.
    """

    layers: tuple[Layer, ...]
    fed: Array | None
    outputs: Array
    last: str
    several: bool


def facts_of(model: keras.Model, x: Any) -> Facts:
    """Look at a model; no state changes.

    Args:
        model: Built or not.
        x: Samples for it, [N, ...].
    """
    with unchanged(model), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what the check says in its own words
        outputs, calls = watch(model, x)
    layers: list[Layer] = []
    before: Any = None
    for call in calls:
        layers.append(
            Layer(
                kind_of(call),
                _function(call),
                learns(call),
                _units(call),
                before is None or call.inputs is before,
                _gain(call),
                _dropped(call),
                dead_share(call) if is_relu(call) else 0.0,
            )
        )
        before = call.outputs
    first = next((call for call in calls if learns(call)), None)
    found = keras.tree.flatten(outputs)
    last = _ending(layers[-1]) if calls and calls[-1].outputs is outputs else ""
    return Facts(
        tuple(layers),
        None if first is None else as_array(first.inputs),
        as_array(found[0]),
        last,
        len(found) > 1,
    )


def loss_of(model: keras.Model, last: str) -> Loss | None:
    """The loss that a model was compiled with; None where it is none of Keras', or several.

    Args:
        model: Compiled or not.
        last: What it ends in.
    """
    given = getattr(model, "loss", None)
    given = given[0] if isinstance(given, list | tuple) and len(given) == 1 else given
    if isinstance(given, str):
        given = keras.losses.get(given)
    own = type(given) if isinstance(given, keras.losses.Loss) else given
    if not getattr(own, "__module__", "").startswith("keras."):
        return None
    name = snake_case(getattr(own, "__name__", ""))
    kind, targets = _KINDS.get(name, ("", ""))
    takes: Any = ""
    if kind in ("categorical", "binary"):
        takes = "logits" if getattr(given, "from_logits", False) else "probabilities"
    return Loss(name, kind, takes, targets, undoes=last in ("softmax", "sigmoid"))


def mixes(model: keras.Model, x: Any, outputs: Array) -> bool:
    """Whether an answer depends on the other samples of its batch, in inference.

    Args:
        model: Built.
        x: Samples for it, [N, ...].
        outputs: What it gives for them.
    """
    if not outputs.ndim or any(len(part) != len(outputs) for part in keras.tree.flatten(x)):
        return False

    def part(chosen: Ints) -> Array:
        return _answers(model, keras.tree.map_structure(lambda each: each[chosen], x))

    try:
        return mixed(outputs, part, lambda: _answers(model, x))
    except Exception:  # a model is anyone's code, and may take batches of one size only
        return False


def _answers(model: keras.Model, x: Any) -> Array:
    with unchanged(model), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return as_array(model(x, **training_mode(model, False)))


def penalties_of(model: keras.Model, optimizer: Any) -> tuple[Penalty, ...]:
    """Of the optimiser, where it is one of Keras' own, and of the layers."""
    found: list[Penalty] = []
    decay = getattr(optimizer, "weight_decay", None)
    if decay and type(optimizer).__module__.startswith("keras."):
        found.append(Penalty("decoupled", float(decay)))
    for variable in model.trainable_variables:
        own = variable.regularizer
        found += [Penalty("l2", float(l2))] if (l2 := getattr(own, "l2", 0)) else []
        found += [Penalty("l1", float(l1))] if (l1 := getattr(own, "l1", 0)) else []
    return tuple(found)


def plan_of(optimizer: Any) -> tuple[float, float] | None:
    """Learning rate at first and now, where a schedule has changed it."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    plan = optimizer.get_config().get("learning_rate")
    if not isinstance(plan, dict):
        return None
    schedule = keras.optimizers.schedules.deserialize(plan)
    now = keras.ops.convert_to_numpy(optimizer.learning_rate)
    return float(keras.ops.convert_to_numpy(schedule(0))), float(now)


def rate_of(optimizer: Any) -> float | None:
    """The learning rate; None where a schedule changes it."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if optimizer is None or isinstance(optimizer.get_config().get("learning_rate"), dict):
        return None
    return float(keras.ops.convert_to_numpy(optimizer.learning_rate))


def trainable(model: keras.Model) -> int:
    """How many weights may change."""
    return sum(math.prod(variable.shape) for variable in model.trainable_variables)


def _function(call: Call) -> str:
    """What an activation computes; that of a layer which works as one is its own name."""
    name = function_name(call)
    return {"softmaxlayer": "softmax", "leakyrelu": "leaky_relu"}.get(name, name)


def _ending(layer: Layer) -> str:
    return layer.function or ("linear" if layer.kind in ("dense", "conv") else "")


def _units(call: Call) -> int:
    shape: Any = getattr(keras.tree.flatten(call.outputs)[0], "shape", ())
    return int(shape[-1]) if len(shape) > 1 else 1


def _dropped(call: Call) -> float:
    return float(call.layer.rate) if isinstance(call.layer, DROPOUTS) else 0.0


def _gain(call: Call) -> float | None:
    variable = kernel(call)
    if variable is None or call.fused or kind_of(call) == "embedding":
        return None
    values = as_array(variable)
    if values.size < 2:
        return None
    return float(values.astype(np.float64).std()) * math.sqrt(math.prod(values.shape[:-1]))
