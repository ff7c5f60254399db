"""What the layers of a module do, measured on copies of them."""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from parity.torch.kinds import learns
from parity.torch.layouts import Array
from parity.torch.network import Layer, named_weights
from parity.torch.state import undrawn

Settings = dict[str, Any]
GRID = [step / 4 for step in range(-16, 17)]
"""Where activations are looked at."""
TRACKED = (".mean", ".variance")


def layer_settings(layers: Mapping[str, Layer]) -> Settings:
    """Shapes, counts, initial weights and arithmetic of layers by their canonical names."""
    arrays = {name: weight.array() for name, weight in named_weights(layers).items()}
    learned = [
        parameter
        for layer in layers.values()
        if layer.module is not None
        for parameter in layer.module.parameters()
    ]
    values: Settings = {
        "network.layers": [_described(name, arrays) for name in layers],
        "network.trainable": sum(weight.numel() for weight in learned if weight.requires_grad),
        "network.tracked": sum(w.size for name, w in arrays.items() if name.endswith(TRACKED)),
        "network.dtype": str(next(iter(arrays.values())).dtype) if arrays else "",
        "init.he_normal": _he_normal(),
    }
    for name, layer in layers.items():
        for part in layer.weights:
            values[f"init.{name}.{part}"] = _statistics(arrays[f"{name}.{part}"])
        if layer.module is not None:
            values |= _measured(name, layer.kind, copy.deepcopy(layer.module))
    return values


def _measured(name: str, kind: str, layer: nn.Module) -> Settings:
    """What a copy of a layer does with numbers of ours; nothing of a kind that is not known."""
    if kind == "batch_norm":
        return {f"{name}.{key}": value for key, value in _batch_norm(layer).items()}
    if isinstance(layer, nn.Dropout):
        with undrawn():
            torch.manual_seed(0)
            dropped = layer.train()(torch.ones(100_000))
        zeros = (dropped == 0).float().mean().item()
        return {name: {"zeros": zeros, "survivors": dropped.max().item()}}
    by_element = kind == "activation" and not learns(layer) and not hasattr(layer, "dim")
    grid = torch.tensor(GRID, dtype=torch.float64)
    return {name: {"at": GRID, "values": layer(grid).tolist()}} if by_element else {}


def _described(name: str, arrays: Mapping[str, Array]) -> str:
    kernel = arrays.get(f"{name}.kernel")
    dense = name.startswith("dense_") and kernel is not None
    return (
        f"{name} {kernel.shape[0]} -> {kernel.shape[1]}" if dense and kernel is not None else name
    )


def _statistics(values: Array) -> Settings:
    """Of an array in Keras' layout."""
    return {
        "shape": list(values.shape),
        "mean": float(values.mean(dtype="float64")),
        "std": float(values.std(dtype="float64")),
        "min": float(values.min()),
        "max": float(values.max()),
    }


def _he_normal() -> float:
    """The largest of 40,000 He normal weights, in their standard deviations."""
    drawn = torch.empty(200, 200)
    nn.init.kaiming_normal_(drawn, generator=torch.Generator().manual_seed(0))
    return (drawn.abs().max() / drawn.std()).item()


@torch.no_grad()
def _batch_norm(layer: Any) -> Settings:
    """Epsilon from a variance of 0; momentum and kind of variance from a batch of four."""
    if layer.running_mean is None or layer.weight is None or layer.momentum is None:
        return {}
    layer.double()
    layer.running_mean.zero_()
    layer.running_var.zero_()
    places = {nn.BatchNorm2d: 2, nn.BatchNorm3d: 3}
    around = next((size for kind, size in places.items() if isinstance(layer, kind)), 0)
    ones = torch.ones(1, layer.num_features, *[1] * around, dtype=torch.float64)
    normalised = (layer.eval()(ones).flatten(1) - layer.bias) / layer.weight
    batch = torch.tensor([0.0, 0.0, 2.0, 2.0], dtype=torch.float64)
    layer.train()(batch.view(4, *[1] * (ones.ndim - 1)) * ones)  # mean 1, population variance 1
    taken = layer.running_mean[0].item()
    return {
        "epsilon": 1 / normalised[0, 0].item() ** 2,
        "momentum": 1 - taken,
        "moving_variance": layer.running_var[0].item() / taken,
    }
