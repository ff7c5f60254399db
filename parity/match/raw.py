"""Tensors of a file of weights, whose model nobody has given, as layers with canonical names."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from parity.arrays import Array, Table

_NORM = {"weight": "scale", "bias": "offset", "running_mean": "mean", "running_var": "variance"}
_OF_KERAS = {
    "batch_norm": ("scale", "offset", "mean", "variance"),
    "layer_norm": ("scale", "offset"),
    "lstm": ("kernel", "recurrent_kernel", "bias"),
    "gru": ("kernel", "recurrent_kernel", "bias"),
    "rnn": ("kernel", "recurrent_kernel", "bias"),
    "bidirectional": tuple(
        f"{way}.{part}"
        for way in ("forward", "backward")
        for part in ("kernel", "recurrent_kernel", "bias")
    ),
}
"""Parts in the order in which Keras stores them; others have a kernel and a bias."""
_KINDS_OF_KERAS = {
    "batch_normalization": "batch_norm", "layer_normalization": "layer_norm", "conv": "conv",
    "depthwise_conv": "depthwise_conv", "embedding": "embedding", "lstm": "lstm", "gru": "gru",
    "simple_rnn": "rnn", "bidirectional": "bidirectional",
}  # fmt: skip

_DIRECTION = re.compile("/(forward|backward)_layer/cell$")


@dataclass(frozen=True)
class Raw:
    """What a file of weights holds.

    Attributes:
        weights: By canonical name, in canonical layouts.
        called: What the file calls each layer, by canonical name.
        alphabetical: Whether the file lists its layers so: their order then says nothing.
    """

    weights: Table
    called: dict[str, str]
    alphabetical: bool


def canonical(tensors: Table, framework: str) -> Table:
    """The weights of `read`."""
    return read(tensors, framework).weights


def stem(layer: str) -> str:
    """A name without its numbers: ``dense`` and ``dense_12`` are of one row."""
    return re.sub(r"_?\d+", "", layer)


def read(tensors: Table, framework: str) -> Raw:
    """The layers in the order of the file, those of one row by their numbers.

    What torch flattens has its channels first; the kernel of a dense layer behind a convolution is
    brought into Keras' order, which has them last.

    Args:
        tensors: As the file of weights calls them.
        framework: ``torch`` or ``keras``: whose layouts they have.
    """
    grouped: dict[str, Table] = {}
    for name, values in tensors.items():
        layer, _, part = name.rpartition(".")
        if way := _DIRECTION.search(layer):  # both are one layer, the forward one first
            layer, part = layer[: way.start()], f"{int(way[1] == 'backward')}.{part}"
        # A count is an integer, which safetensors puts before all others; a loss has class weights.
        if part != "num_batches_tracked" and not re.search("loss|criterion", layer.lower()):
            grouped.setdefault(layer, {})[part] = values
    of_layer = _of_torch if framework == "torch" else _of_keras
    count: Counter[str] = Counter()
    found: Table = {}
    called: dict[str, str] = {}
    channels = 0
    for layer in _by_number(list(grouped)):
        kind, named = of_layer(layer, grouped[layer])
        if kind == "dense" and channels and framework == "torch":
            named["kernel"], channels = _channels_last(named["kernel"], channels), 0
        channels = named["kernel"].shape[-1] if kind == "conv" else channels
        if named:
            count[kind] += 1
            called[f"{kind}_{count[kind]}"] = layer
            found |= {f"{kind}_{count[kind]}.{part}": values for part, values in named.items()}
    return Raw(found, called, list(grouped) == sorted(grouped))


def _by_number(names: list[str]) -> list[str]:
    """The names, those that differ by numbers only in the order of these: 2 before 10."""
    rows: dict[str, list[str]] = {}
    for name in names:
        rows.setdefault(stem(name), []).append(name)
    turn = {
        row: iter(sorted(those, key=lambda name: [int(n) for n in re.findall(r"\d+", name)]))
        for row, those in rows.items()
    }
    return [next(turn[stem(name)]) for name in names]


def _channels_last(kernel: Array, channels: int) -> Array:
    """A dense kernel [channels * places, out] as [places * channels, out]."""
    if len(kernel) % channels:
        return kernel
    return kernel.reshape(channels, -1, kernel.shape[1]).swapaxes(0, 1).reshape(kernel.shape)


def put_back(tensors: Table, weights: Table) -> Table:
    """A file's tensors of torch, those that canonical `weights` tell of replaced.

    Raises:
        ValueError: two tensors of the file are one weight, as the biases of an LSTM are.
    """
    sizes = np.cumsum([0, *(values.size for values in tensors.values())])
    numbered = {
        name: np.arange(begin, begin + values.size).reshape(values.shape)
        for (name, values), begin in zip(tensors.items(), sizes, strict=False)
    }
    places = canonical(numbered, "torch")
    taken = np.concatenate([place.ravel() for place in places.values()])
    if len(np.unique(taken)) < len(taken) or taken.max() >= sizes[-1]:
        raise ValueError("holds weights that are sums of two tensors")
    flat = [values.ravel() for values in tensors.values()]
    whole = np.concatenate([part.astype(np.float64) for part in flat])
    for name, values in weights.items():
        whole[places[name].ravel()] = values.ravel()
    return {
        name: part.reshape(values.shape).astype(values.dtype)
        for part, (name, values) in zip(np.split(whole, sizes[1:-1]), tensors.items(), strict=True)
    }


def _of_torch(layer: str, parts: Table) -> tuple[str, Table]:
    weight = parts.get("weight")
    if "weight_ih_l0" in parts:
        return _recurrent(parts)
    if "running_mean" in parts:
        return "batch_norm", {_NORM[part]: v for part, v in parts.items() if part in _NORM}
    if weight is not None and weight.ndim == 1:
        return "layer_norm", {_NORM[part]: values for part, values in parts.items()}
    if weight is not None and weight.ndim > 2:
        kernel = weight.transpose((*range(2, weight.ndim), 1, 0))
        return "conv", {"kernel": kernel, **_without(parts, "weight")}
    if weight is not None and re.search(r"emb|token|lookup", layer.lower()) and len(parts) == 1:
        return "embedding", {"kernel": weight}
    if weight is not None:
        return "dense", {"kernel": weight.T, **_without(parts, "weight")}
    return layer.replace(".", "_"), parts


def _recurrent(parts: Table) -> tuple[str, Table]:
    """As `parity.torch.layouts`: gates in Keras' order, biases summed or stacked."""
    hidden = parts["weight_hh_l0"]
    kind = {4: "lstm", 3: "gru", 1: "rnn"}[hidden.shape[0] // hidden.shape[1]]
    turn: Callable[[Array], Array] = _update_first if kind == "gru" else np.asarray
    found: Table = {}
    for name, values in parts.items():
        part, _, place = name.partition("_l")
        after = "" if place in ("", "0") else f"_l{place}"
        if part == "bias_ih":
            other = parts[f"bias_hh_l{place}"]
            both = np.stack([turn(values), turn(other)])
            found[f"bias{after}"] = both if kind == "gru" else values + other
        elif part in ("weight_ih", "weight_hh"):
            word = "kernel" if part == "weight_ih" else "recurrent_kernel"
            found[word + after] = turn(values).T
    return kind, found


def _update_first(values: Array) -> Array:
    reset, update, new = np.split(values, 3)
    return np.concatenate([update, reset, new])


def _of_keras(layer: str, parts: Table) -> tuple[str, Table]:
    words = re.sub(
        r"_?\d+d?(?=_|$|/)", "", layer.rpartition("/")[2] if "cell" not in layer else layer
    )
    known = (kind for word, kind in _KINDS_OF_KERAS.items() if word in words)
    kind = max(known, key=len, default="dense")
    names = _OF_KERAS.get(kind, ("kernel", "bias"))
    if kind.endswith("norm") and len(parts) < len(names):
        return kind, parts  # which one is left out, scale or offset, numbers do not tell
    numbered = [parts[key] for key in sorted(parts)]
    return kind, dict(zip(names, numbered, strict=False))


def _without(parts: Table, name: str) -> Table:
    return {part: values for part, values in parts.items() if part != name}
