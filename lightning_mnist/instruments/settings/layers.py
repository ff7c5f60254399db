"""What the layers of a network do, measured on copies of them."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

Settings = dict[str, Any]
GRID = [step / 4 for step in range(-16, 17)]
"""Where activations are looked at."""


def layer_settings(layers: dict[str, nn.Module]) -> Settings:
    """Shapes, counts, initial weights and arithmetic of layers by their canonical names."""
    parameters = [weight for layer in layers.values() for weight in layer.parameters()]
    moving = [
        buffer
        for layer in layers.values()
        for buffer in layer.buffers()
        if buffer.is_floating_point()
    ]
    values: Settings = {
        "network.layers": [_described(name, layer) for name, layer in layers.items()],
        "network.trainable": sum(weight.numel() for weight in parameters if weight.requires_grad),
        "network.tracked": sum(buffer.numel() for buffer in moving),
        "network.dtype": str(parameters[0].dtype).removeprefix("torch."),
        "init.he_normal": _he_normal(),
    }
    for name, layer in layers.items():
        if isinstance(layer, nn.Linear):
            values[f"init.{name}.kernel"] = _statistics(layer.weight.T)
            values[f"init.{name}.bias"] = _statistics(layer.bias)
        elif isinstance(layer, nn.BatchNorm1d):
            parts = {
                "scale": layer.weight, "offset": layer.bias,
                "mean": layer.running_mean, "variance": layer.running_var,
            }  # fmt: skip
            for part, tensor in parts.items():
                if tensor is not None:
                    values[f"init.{name}.{part}"] = _statistics(tensor)
            values |= {f"{name}.{key}": value for key, value in _batch_norm(layer).items()}
        elif isinstance(layer, nn.Dropout):
            with torch.random.fork_rng():
                torch.manual_seed(0)
                dropped = copy.deepcopy(layer).train()(torch.ones(100_000))
            zeros = (dropped == 0).float().mean().item()
            values[name] = {"zeros": zeros, "survivors": dropped.max().item()}
        else:
            grid = torch.tensor(GRID, dtype=torch.float64)
            values[name] = {"at": GRID, "values": copy.deepcopy(layer)(grid).tolist()}
    return values


def _described(name: str, layer: nn.Module) -> str:
    if isinstance(layer, nn.Linear):
        return f"{name} {layer.in_features} -> {layer.out_features}"
    return name


@torch.no_grad()
def _statistics(tensor: Tensor) -> Settings:
    """Of a tensor in Keras' layout."""
    values = tensor.double()
    return {
        "shape": list(tensor.shape),
        "mean": values.mean().item(),
        "std": values.std(correction=0).item(),
        "min": values.min().item(),
        "max": values.max().item(),
    }


def _he_normal() -> float:
    """The largest of 40,000 He normal weights, in their standard deviations."""
    drawn = torch.empty(200, 200)
    nn.init.kaiming_normal_(drawn, generator=torch.Generator().manual_seed(0))
    return (drawn.abs().max() / drawn.std()).item()


@torch.no_grad()
def _batch_norm(layer: nn.BatchNorm1d) -> Settings:
    """Epsilon from a variance of 0; momentum and kind of variance from a batch of four."""
    layer = copy.deepcopy(layer).double()
    assert layer.running_mean is not None
    assert layer.running_var is not None
    layer.running_mean.zero_()
    layer.running_var.zero_()
    ones = torch.ones(1, layer.num_features, dtype=torch.float64)
    normalised = (layer.eval()(ones) - layer.bias) / layer.weight
    batch = torch.tensor([0.0, 0.0, 2.0, 2.0], dtype=torch.float64)[:, None] * ones
    layer.train()(batch)  # mean 1, population variance 1
    taken = layer.running_mean[0].item()
    return {
        "epsilon": 1 / normalised[0, 0].item() ** 2,
        "momentum": 1 - taken,
        "moving_variance": layer.running_var[0].item() / taken,
    }
