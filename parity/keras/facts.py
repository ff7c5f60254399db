"""What the check before the first step wants to know of a Keras model."""

import math
import warnings
from typing import Any, NamedTuple

import keras
import numpy as np

from parity.arrays import Array
from parity.keras.calls import Call, as_array, kind_of_keras, unchanged
from parity.keras.fitted import fitted
from parity.keras.names import function_name, kind_of, learns
from parity.keras.outputs import dead_share, is_relu, kernel
from parity.watch.check import Layer
from parity.watch.check.initial import DRAWS, as_uniform
from parity.watch.check.parts import FITTED, Fitted
from parity.watch.check.signals import AT_END, ENDS, NEARLY_ALL
from parity.watch.check.training import MULTIPLIES, RECURRENT

DROPOUTS = (
    keras.layers.Dropout, keras.layers.SpatialDropout1D, keras.layers.SpatialDropout2D,
)  # fmt: skip


APPLIED = ("softmax", "sigmoid", "relu", "tanh")
"""Functions that a model may apply by itself."""
ENOUGH = 100
"""Samples between which a deviation is read."""
DRAWN, FAR = 16, 10
"""Samples that are augmented, and times by which they vary more or less then, and are ruined."""


class Facts(NamedTuple):
    """A model at work on some samples, in inference.

    Attributes:
        layers: In the order in which they work.
        fed: What the first one that learns is given, [N, ...]; None without any.
        outputs: What the model gives, [N, ...].
        last: As in `parity.watch.check.Program`.
        several: Whether the model gives several outputs, of which this is the first.
        stuck: Why the last kernel never changes, where that before it does; empty where it does.
        masked: Whether padding does not matter: left out, or not what is read last.
        ends: Whether the last layer gives the outputs.
        undrawn, fitted: As in `parity.watch.check.Program`.
    """

    layers: tuple[Layer, ...]
    fed: Array | None
    outputs: Array
    last: str
    several: bool
    stuck: str = ""
    masked: bool = False
    ends: bool = False
    undrawn: int = 0
    fitted: Fitted = FITTED


def facts_of(outputs: Any, calls: list[Call]) -> Facts:
    """What a model and its layers have given for some samples, as `Traced` tells it."""
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
                _spread(call),
                (weight := kernel(call)) is not None and not weight.trainable,
                _flat(call),
                _overdone(call),
            )
        )
        before = call.outputs
    first = next((call for call in calls if learns(call)), None)
    found = keras.tree.flatten(outputs)
    last = (
        _ending(layers[-1]) if calls and calls[-1].outputs is outputs else applied(outputs, calls)
    )
    return Facts(
        tuple(layers),
        None if first is None else as_array(first.inputs),
        as_array(found[0]),
        last,
        len(found) > 1,
        _stuck(calls) or _made_so(calls),
        _masked(calls),
        bool(calls) and calls[-1].outputs is outputs,
        _undrawn(calls),
        fitted(calls),
    )


def _function(call: Call) -> str:
    """What an activation computes; that of a layer which works as one is its own name."""
    name = function_name(call)
    return {"softmaxlayer": "softmax", "leakyrelu": "leaky_relu"}.get(name, name)


def _ending(layer: Layer) -> str:
    return layer.function or ("linear" if layer.kind in ("dense", "conv") else "")


def applied(outputs: Any, calls: list[Call]) -> str:
    """The function that a model of one's own applies to what its last layer gives, by values."""
    if not calls or not keras.ops.is_tensor(outputs):
        return ""
    given, found = as_array(keras.tree.flatten(calls[-1].outputs)[0]), as_array(outputs)
    if given.shape != found.shape or given.dtype.kind != "f" or given.ndim < 2:
        return ""
    if given.size < ENOUGH or np.array_equal(given, found):
        return ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a softmax that is only thought of
        for name in APPLIED:
            expected = as_array(keras.activations.get(name)(given))
            if np.allclose(found, expected, rtol=1e-4, atol=1e-6):
                return name
    return ""


def _units(call: Call) -> int:
    shape: Any = getattr(keras.tree.flatten(call.outputs)[0], "shape", ())
    return int(shape[-1]) if len(shape) > 1 else 1


def _dropped(call: Call) -> float:
    return float(call.layer.rate) if isinstance(call.layer, DROPOUTS) else 0.0


def _spread(call: Call) -> float | None:
    """Deviation between some of the samples, the mean of all units."""
    given = keras.tree.flatten(call.outputs)[0]
    if len(getattr(given, "shape", ())) < 2:
        return None
    values = as_array(given[:: max(1, given.shape[0] // ENOUGH)])
    if values.dtype.kind != "f":
        return None
    return float(values.std(axis=0, dtype=np.float64).mean())


def _flat(call: Call) -> float:
    """Share of the units of a sigmoid or tanh that are at their ends for nearly all samples."""
    if _function(call) not in ENDS or (values := as_array(call.outputs)).ndim < 2:
        return 0.0
    low, high = ENDS[_function(call)]
    units, near = values.reshape(-1, values.shape[-1]), AT_END * (high - low)
    at_end = (units < low + near) | (units > high - near)
    return float((at_end.mean(axis=0) >= NEARLY_ALL).mean())


def _overdone(call: Call) -> str:
    """Of an augmentation that is told a range, as it works in training."""
    if call.fused or not hasattr(call.layer, "value_range"):
        return ""
    try:
        with unchanged(call.layer):
            given = call.inputs[:DRAWN]
            before, after = as_array(given), as_array(call.layer(given, training=True))
    except Exception:  # it may take more than pictures
        return ""
    if not 0 < before.std() < np.inf or 1 / FAR < after.std() / before.std() < FAR:
        return ""
    ends = (f"{values.min():.3g} to {values.max():.3g}" for values in (after, before))
    return f"{type(call.layer).__name__} makes {' of '.join(ends)}"


def _stuck(calls: list[Call]) -> str:
    found = [call.layer for call in calls if not call.fused and kind_of(call) in MULTIPLIES]
    if len(found) < 2 or found[-1] is found[-2]:
        return ""
    before, last = found[-2:]
    frozen = before.trainable_variables and not last.trainable_variables
    return f"{last.name}.trainable is False" if frozen else ""


def _made_so(calls: list[Call]) -> str:
    """Of a last layer of the program's own that adds its kernel as one not to be trained."""
    found = [call for call in calls if any(len(weight.shape) > 1 for weight in call.weights)]
    if len(found) < 2 or kind_of_keras(found[-1].layer) is not None or not learns(found[0]):
        return ""
    kernels = [weight for weight in found[-1].weights if len(weight.shape) > 1]
    if found[-1].layer.trainable is False or any(weight.trainable for weight in kernels):
        return ""
    return f"{found[-1].layer.name} adds its kernel {kernels[0].name} with trainable=False"


def _undrawn(calls: list[Call]) -> int:
    kernels = {id(v): v for call in calls if (v := kernel(call)) is not None}.values()
    frozen = [v for v in kernels if not v.trainable and math.prod(v.shape) >= DRAWS]
    return len(frozen) if all(map(_as_drawn, frozen)) else 0


def _as_drawn(kernel: keras.Variable) -> bool:
    """Whether it is uniform up to the bound of Glorot and Bengio 2010, equation 16."""
    values = as_array(kernel)
    field, (inputs, units) = math.prod(values.shape[:-2]), values.shape[-2:]
    return as_uniform(values, math.sqrt(6 / (field * (inputs + units))))


def _masked(calls: list[Call]) -> bool:
    masks = any(
        getattr(call.layer, "mask_zero", False) or isinstance(call.layer, keras.layers.Masking)
        for call in calls
    )
    recurrent = [call for call in calls if kind_of(call) in RECURRENT]
    return masks or (bool(recurrent) and as_array(recurrent[-1].outputs).ndim > 2)


def _gain(call: Call) -> float | None:
    variable = kernel(call)
    if variable is None or call.fused or kind_of(call) == "embedding":
        return None
    values = as_array(variable)
    if values.size < 2:
        return None
    return float(values.astype(np.float64).std()) * math.sqrt(math.prod(values.shape[:-1]))
