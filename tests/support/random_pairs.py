"""Random MLPs and CNNs, each in Keras and ported to torch under other names and other habits.

``python -m tests.support.random_pairs 200`` matches that many pairs and counts: rightly, wrongly,
refused.
"""

import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import torch
from keras import layers as kl
from torch import Tensor, nn

from parity.sides.local import Local
from parity.sides.models import Models
from parity.transfer.transfer import DifferentError, NoTransferError, Side, transfer

ACTIVATIONS = {"relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}


@dataclass
class Step:
    """One thing that a network does.

    Attributes:
        kind: ``dense``, ``conv``, ``batch_norm``, ``activation``, ``pool``, ``flatten``.
        size: Units, channels.
        detail: Of an activation, pooling or padding.
        bias: Whether it adds one.
    """

    kind: str
    size: int = 0
    detail: str = ""
    bias: bool = True


@dataclass
class Plan:
    """A network: what it is fed, and its steps."""

    shape: tuple[int, ...]
    steps: list[Step] = field(default_factory=list)


def drawn(seed: int) -> Plan:
    """A plan; even seeds are MLPs, odd ones CNNs. Widths are few, so that layers are alike."""
    rng = np.random.default_rng(seed)
    steps: list[Step] = []
    convolutional = seed % 2 == 1
    shape: tuple[int, ...] = (int(rng.integers(4, 7)),) * 2 if convolutional else (12,)
    shape += (int(rng.integers(1, 4)),) if convolutional else ()

    def after(units: int) -> None:
        if rng.random() < 0.3:
            steps.append(Step("batch_norm", units))
        if rng.random() < 0.8:
            steps.append(Step("activation", detail=str(rng.choice(list(ACTIVATIONS)))))

    for _ in range(int(rng.integers(1, 4)) if convolutional else 0):
        units = int(rng.choice([3, 4]))
        padding = str(rng.choice(["same", "valid"]))
        steps.append(Step("conv", units, padding if len(steps) else "same", rng.random() < 0.8))
        after(units)
    if convolutional:
        steps += [Step("pool", detail=str(rng.choice(["max", "avg"])))] * int(rng.random() < 0.5)
        steps.append(Step("flatten"))
    for _ in range(int(rng.integers(0 if convolutional else 1, 4))):
        units = int(rng.choice([5, 12]))
        steps.append(Step("dense", units, bias=rng.random() < 0.8))
        after(units)
    return Plan(shape, [*steps, Step("dense", 3)])


def in_keras(plan: Plan, rng: np.random.Generator) -> keras.Model:
    """Activations are part of the layers or not, as chance has it."""
    x = given = keras.Input(plan.shape)
    steps = list(plan.steps)
    while steps:
        step = steps.pop(0)
        if step.kind in ("dense", "conv"):
            fused = steps and steps[0].kind == "activation" and rng.random() < 0.5
            function = steps.pop(0).detail if fused else None
            options: dict[str, Any] = {"activation": function, "use_bias": step.bias}
            if step.kind == "conv":
                x = kl.Conv2D(
                    step.size, 2 + (step.detail == "same"), padding=step.detail, **options
                )(x)
            else:
                x = kl.Dense(step.size, **options)(x)
        elif step.kind == "batch_norm":
            x = kl.BatchNormalization()(x)
        elif step.kind == "activation":
            x = kl.Activation(step.detail)(x)
        elif step.kind == "pool":
            x = (kl.MaxPooling2D if step.detail == "max" else kl.AveragePooling2D)(
                2, padding="same"
            )(x)
        else:
            x = kl.Flatten()(x)
    model = keras.Model(given, x)
    for weight in model.weights:
        weight.assign(
            rng.normal(0, 0.3, weight.shape) + (weight.name in ("gamma", "moving_variance"))
        )
        if weight.name == "moving_variance":
            weight.assign(np.abs(weight) + 0.1)
    return model


class Shift(nn.Module):
    """A bias by itself."""

    def __init__(self, units: int, axes: int) -> None:
        super().__init__()
        self.amount = nn.Parameter(torch.zeros(units))
        self.axes = axes

    def forward(self, x: Tensor) -> Tensor:
        return x + self.amount.view(-1, *[1] * self.axes)


class Port(nn.Module):
    """The plan in torch: names by chance, declared in any order, habits of its own."""

    def __init__(self, plan: Plan, rng: np.random.Generator) -> None:
        super().__init__()
        self.steps: list[Any] = []
        made: list[nn.Module] = []
        shape = (plan.shape[-1], *plan.shape[:-1])
        for step in plan.steps:
            parts = self._parts(step, shape, rng)
            for part in parts:
                shape = tuple(part(torch.zeros(2, *shape)).shape[1:])
            made += [part for part in parts if isinstance(part, nn.Module)]
            self.steps += parts
        order = rng.permutation(len(made))
        for place in order:
            self.add_module(
                f"{rng.choice(['block', 'fc', 'm', 'layer'])}{rng.integers(10**6)}", made[place]
            )

    def _parts(self, step: Step, shape: tuple[int, ...], rng: np.random.Generator) -> list[Any]:
        apart = step.bias and rng.random() < 0.2
        if step.kind == "conv":
            side, edge = (3, 1) if step.detail == "same" else (2, 0)
            layer: nn.Module = nn.Conv2d(
                shape[0], step.size, side, padding=edge, bias=step.bias and not apart
            )
            return [layer, Shift(step.size, 2)] if apart else [layer]
        if step.kind == "dense":
            layer = nn.Linear(shape[0], step.size, bias=step.bias and not apart)
            return [layer, Shift(step.size, 0)] if apart else [layer]
        if step.kind == "batch_norm":
            flat = len(shape) == 1
            return [(nn.BatchNorm1d if flat else nn.BatchNorm2d)(shape[0], eps=1e-3).eval()]
        if step.kind == "activation":
            own = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}[step.detail]
            return [own() if rng.random() < 0.5 else ACTIVATIONS[step.detail]]
        if step.kind == "pool":
            kind = nn.MaxPool2d if step.detail == "max" else nn.AvgPool2d
            options = {} if step.detail == "max" else {"count_include_pad": False}
            return [kind(2, ceil_mode=True, **options)]
        return [nn.Flatten() if rng.random() < 0.5 else lambda x: x.reshape(len(x), -1)]

    def forward(self, x: Tensor) -> Tensor:
        for step in self.steps:
            x = step(x)
        return x


def side(name: str, model: Any) -> Side:
    """A model of this process, asked as one of another process is."""
    server = Models()
    server.hold(model)
    takes = server.files.takes(model)
    local: Any = Local(name, server)
    return Side(name, server.framework, local, takes)


def matched(seed: int, folder: Path) -> str:
    """``right``, ``wrong`` or why it was refused; right is what computes the same in torch."""
    keras.utils.clear_session()
    plan = drawn(seed)
    model = in_keras(plan, np.random.default_rng(seed))
    port = Port(plan, np.random.default_rng(seed + 1)).eval()
    try:
        transfer(side("A", model), side("B", port), folder / "port.pt")
    except (NoTransferError, DifferentError) as error:
        return str(error)
    x = np.random.default_rng(seed + 2).normal(size=(5, *plan.shape)).astype(np.float32)
    fed = torch.from_numpy(np.moveaxis(x, -1, 1).copy())
    with torch.no_grad():
        same = np.allclose(model(x), port(fed), rtol=1e-4, atol=1e-5)
    return "right" if same else "wrong"


if __name__ == "__main__":
    results = []
    with tempfile.TemporaryDirectory() as name:
        for number in range(int(sys.argv[1])):
            results.append(matched(number, Path(name)))
            if results[-1] != "right":
                print(number, results[-1])
    print(f"{results.count('right')} right, {results.count('wrong')} wrong, of {len(results)}")
