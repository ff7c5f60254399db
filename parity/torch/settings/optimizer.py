"""What an optimiser holds, by Keras' names, and what it does with a single weight."""

import contextlib
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.optim import Optimizer

from parity.torch.network import Layer, named_weights

Settings = dict[str, Any]
NAMES = {"lr": "learning_rate", "alpha": "rho", "eps": "epsilon"}
"""Keras' names for torch's."""
NEUTRAL = {"lr_decay": 0, "dampening": 0, "maximize": False}
"""What Keras does not have, and what means that torch does not either."""
NOT_ARITHMETIC = {
    "params", "foreach", "fused", "capturable", "differentiable", "initial_lr",
    "iterations", "u_product", "decoupled_weight_decay", "momentum_decay",
}  # fmt: skip
"""Ways to compute the same, counters, and what is measured instead."""
OFF = {
    "weight_decay": 0.0, "momentum": 0.0, "nesterov": False, "centered": False, "amsgrad": False,
}  # fmt: skip
"""What would hide what a measurement is after."""


def optimizer_settings(optimizer: Optimizer, layers: Mapping[str, Layer]) -> Settings:
    """Numbers that the optimiser holds, and measurements on a weight of its own."""
    group = optimizer.param_groups[0]
    kind = type(optimizer)
    values: Settings = {
        "family": kind.__name__.removeprefix("Keras").lower(),
        "implementation": f"{kind.__module__}.{kind.__qualname__}",
        **_numbers(group),
        "weight_decay_on": _decayed(optimizer, layers),
    }
    # What asks for more than a gradient, like LBFGS for a closure, is not measured.
    with contextlib.suppress(TypeError, ValueError, RuntimeError):
        values |= _measured(optimizer, group)
    return {f"optimizer.{name}": value for name, value in values.items()}


def _measured(optimizer: Optimizer, group: Settings) -> Settings:
    values: Settings = {"weight_decay_kind": _decay(optimizer)}
    epsilon = next((name for name in ("eps", "epsilon") if name in group), None)
    if epsilon is not None:
        values["epsilon_place"] = {
            "gradient": 0.1,
            "epsilon": 0.01,
            "with": _step(optimizer, 0.1, **{epsilon: 0.01}),
            "without": _step(optimizer, 0.1, **{epsilon: 1e-30}),
        }
        rate = 0.125
        values["first_step"] = _step(optimizer, 1.0, **{epsilon: 1e-30, "lr": rate}) / rate
    if group.get("momentum"):
        values["momentum_rate"] = _coasts(optimizer)
    return values


def _numbers(group: Settings) -> Settings:
    values: Settings = {}
    for name, value in group.items():
        if name == "betas":
            values |= {"beta_1": value[0], "beta_2": value[1]}
        elif name == "weight_decay":
            values[name] = value or 0.0
        elif name not in NOT_ARITHMETIC and NEUTRAL.get(name, object()) != value:
            values[NAMES.get(name, name)] = value
    return values


def _probe(optimizer: Optimizer, **changes: Any) -> tuple[torch.Tensor, Optimizer]:
    """A weight of 1 in float64, and an optimiser of the same kind for it."""
    known = inspect.signature(type(optimizer)).parameters
    settings = {**optimizer.param_groups[0], **changes}
    weight = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
    kind: Any = type(optimizer)
    own = {name: value for name, value in settings.items() if name in known and name != "params"}
    return weight, kind([weight], **own)


def _move(weight: torch.Tensor, optimizer: Optimizer, gradients: Sequence[float]) -> list[float]:
    """The weight after each step."""
    values = []
    for gradient in gradients:
        weight.grad = torch.full_like(weight, gradient)
        optimizer.step()
        values.append(weight.item())
    return values


def _step(optimizer: Optimizer, gradient: float, **changes: float) -> float:
    """How far the first step goes."""
    return 1 - _move(*_probe(optimizer, **(OFF | changes)), [gradient])[0]


def _decay(optimizer: Optimizer) -> Settings:
    """Two steps of a weight of 1 without a gradient."""
    rate, decay = 0.1, 0.2
    weights = _move(*_probe(optimizer, lr=rate, weight_decay=decay), [0.0, 0.0])
    return {"rate": rate, "decay": decay, "weights": weights}


def _decayed(optimizer: Optimizer, layers: Mapping[str, Layer]) -> str:
    """What weight decay shrinks, where there is any."""
    decays = {
        id(parameter): bool(group.get("weight_decay"))
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    spared = [
        name
        for name, weight in named_weights(layers).items()
        if any(decays.get(id(tensor)) is False for tensor in weight.tensors)
    ]
    return f"all but {', '.join(spared)}" if spared and any(decays.values()) else "all"


def _coasts(optimizer: Optimizer) -> str:
    """Whether a rate of 0 stops the momentum that earlier steps have left."""
    weight, probe = _probe(optimizer, weight_decay=0.0)
    (before,) = _move(weight, probe, [1.0])
    probe.param_groups[0]["lr"] = 0.0
    (after,) = _move(weight, probe, [0.0])
    return "multiplies what leaves it" if after == before else "multiplies what enters it"
