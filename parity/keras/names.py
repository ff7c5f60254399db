"""Canonical names of layers and of their weights, alike in every framework."""

import re
from collections import Counter
from collections.abc import Iterable
from itertools import takewhile
from typing import Any

import keras
import numpy as np

from parity.keras.calls import Call, example, kind_of_keras, unchanged, watch

_KINDS = {
    "einsum_dense": "dense",
    "batch_normalization": "batch_norm",
    "layer_normalization": "layer_norm",
    "group_normalization": "group_norm",
    "simple_rnn": "rnn",
    "spatial_dropout": "dropout",
    "max_pooling": "max_pool",
    "average_pooling": "avg_pool",
    "global_max_pooling": "global_max_pool",
    "global_average_pooling": "global_avg_pool",
    **dict.fromkeys(("re_lu", "leaky_re_lu", "p_re_lu", "elu", "softmax"), "activation"),
}
"""By the name of Keras' class in snake case, where that is not the kind itself."""
_WEIGHTS = {
    "gamma": "scale", "beta": "offset", "moving_mean": "mean", "moving_variance": "variance",
    "embeddings": "kernel",
}  # fmt: skip
"""By Keras' own name."""
SHAPING = ("flatten", "reshape", "permute")
"""Kinds that move values and leave them as they are."""


def layers(model: keras.Model, x: Any = None) -> dict[str, keras.Layer]:
    """The layers of a model by canonical name, in the order in which they work.

    ``dense_1``, ``conv_1``, ``batch_norm_1``, ``activation_1``, ...: a kind and its place among
    those of that kind, whatever the program calls them. An activation that a layer ends in has a
    name of its own and leads to that layer; a layer that works several times has one name.

    Args:
        model: Any Keras model: Sequential, functional or a subclass, nested or not.
        x: A batch for it, [B, ...]; needed for a subclass that has never been called.

    Raises:
        ValueError: `x` is needed.
    """
    return {name: call.layer for name, call in first_calls(model, x)}


def variables(model: keras.Model, x: Any = None) -> dict[str, keras.Variable]:
    """Everything that is learned or tracked, by canonical name, in the order of the layers.

    ``dense_1.kernel`` [in, out], ``conv_1.kernel`` [height, width, in, out], ``dense_1.bias``,
    ``batch_norm_1.scale``, ``.offset``, ``.mean`` and ``.variance``, ``embedding_1.kernel``,
    ``lstm_1.recurrent_kernel``; others as the program calls them.

    Raises:
        ValueError: as `layers`.
    """
    named: dict[str, keras.Variable] = {}
    for name, call in first_calls(model, x):
        named |= _named(name, call.weights)
    found = {id(variable) for variable in named.values()}
    return named | _named("model", [w for w in model.weights if id(w) not in found])


def first_calls(model: keras.Model, x: Any = None) -> list[tuple[str, Call]]:
    """Each layer with its canonical name, and with the first thing that it does."""
    batch = example(model) if x is None else x
    with unchanged(model, batch):
        _, calls = watch(model, batch)
    return [(name, call) for name, call in named_calls(calls) if "@" not in name]


def named_calls(calls: Iterable[Call]) -> list[tuple[str, Call]]:
    """Each call with the canonical name of its layer; ``dense_1@2`` is a second call of it."""
    count: Counter[str] = Counter()
    times: Counter[tuple[int, bool]] = Counter()
    names: dict[tuple[int, bool], str] = {}
    result = []
    for call in calls:
        key = id(call.layer), call.fused
        if key not in names:
            kind = kind_of(call)
            count[kind] += 1
            names[key] = f"{kind}_{count[kind]}"
        times[key] += 1
        again = f"@{times[key]}" if times[key] > 1 else ""
        result.append((names[key] + again, call))
    return result


def kind_of(call: Call) -> str:
    """The canonical kind: that of the layer of Keras which it is, or is derived from."""
    if call.fused:
        return "activation"
    kind = kind_of_keras(call.layer) or type(call.layer)
    snake = re.sub(r"_?[123]d_?", "_", snake_case(kind.__name__)).strip("_")
    return _KINDS.get(snake, snake)


def snake_case(name: str) -> str:
    """``ReLU`` is ``re_lu``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def function_name(call: Call) -> str:
    """What an activation computes, in Keras' words; empty for another layer."""
    if isinstance(call.layer, keras.layers.ReLU) and np.any(call.layer.negative_slope):
        return "leaky_relu"
    if kind_of(call) != "activation":
        return ""
    function = getattr(call.layer, "activation", type(call.layer))
    return getattr(function, "__name__", type(function).__name__).lower()


def learns(call: Call) -> bool:
    """Whether it has weights that a training changes."""
    return bool(call.weights) and not isinstance(call.layer, keras.layers.Normalization)


def _named(owner: str, weights: list[keras.Variable]) -> dict[str, keras.Variable]:
    """``owner.kernel``, ``owner.bias``; longer where several have one name."""
    own = [_WEIGHTS.get(weight.name, weight.name) for weight in weights]
    if len(set(own)) < len(own):
        paths = [_path(weight) for weight in weights]
        around = zip(*(path[:-1] for path in paths), strict=False)
        shared = len([*takewhile(lambda parts: len(set(parts)) == 1, around)])
        own = [".".join(path[shared:]) for path in paths]
    count: Counter[str] = Counter()
    named = {}
    for name, weight in zip(own, weights, strict=True):
        count[name] += 1
        again = f"_{count[name]}" if count[name] > 1 else ""
        named[f"{owner}.{name}{again}"] = weight
    return named


def _path(weight: keras.Variable) -> list[str]:
    """The names of the layers around a weight, and its own, without Keras' running numbers."""
    *around, own = weight.path.split("/")
    return [*(re.sub(r"_\d+$", "", part) for part in around), _WEIGHTS.get(own, own)]
