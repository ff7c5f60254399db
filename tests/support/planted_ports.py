"""A convolutional network in Keras and its port to torch, with mistakes of many kinds planted.

``python -m tests.support.planted_ports 50`` plants three at a time and counts in how many draws all
of them are named in one climb.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import torch
from keras import layers as kl
from torch import Tensor, nn
from torch.nn import functional as F

import parity
from parity.ladder.together import Climbed
from parity.readings.cause import UNEXPLAINED

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(24, 8, 8, 2)), RNG.integers(0, 3, 24)


def in_keras() -> keras.Model:
    """Two convolutions, one with a stride, both norms, pooling, two dense layers."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    model = keras.Sequential(
        [
            keras.Input((8, 8, 2)), kl.Conv2D(4, 3, strides=2, padding="same"),
            kl.BatchNormalization(), kl.ReLU(), kl.MaxPooling2D(2), kl.Conv2D(4, 2),
            kl.Activation("tanh"), kl.Flatten(), kl.Dense(6), kl.LayerNormalization(), kl.ELU(),
            kl.Dense(3),
        ]
    )  # fmt: skip
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss=loss)
    return model


class KerasNorm(nn.BatchNorm2d):
    """Keras' moving variance."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            with torch.no_grad():
                variance, mean = torch.var_mean(x, (0, 2, 3), correction=0)
                self.running_mean += self.momentum * (mean - self.running_mean)  # type: ignore
                self.running_var += self.momentum * (variance - self.running_var)  # type: ignore
            return F.batch_norm(x, None, None, self.weight, self.bias, True, 0, self.eps)
        return super().forward(x)


@dataclass
class Habits:
    """What the port does; as it stands it is right."""

    padding: tuple[int, int] = (0, 1)
    epsilon: float = 1e-3
    momentum: float = 0.01
    first: Callable[[Tensor], Tensor] = torch.relu
    pool: Callable[..., Tensor] = F.max_pool2d
    second: Callable[[Tensor], Tensor] = torch.tanh
    layer_epsilon: float = 1e-3
    third: Callable[[Tensor], Tensor] = F.elu
    scale: float = 1.0
    rate: float = 0.1
    decay: float = 0.0
    smoothing: float = 0.0


PLANTED: dict[str, tuple[dict[str, Any], str]] = {
    "padding": ({"padding": (1, 0)}, "pads 1 before"),
    "batch norm epsilon": ({"epsilon": 1e-5}, "epsilon 1e-05"),
    "leaky relu": ({"first": F.leaky_relu}, "leaky_relu"),
    "average pooling": ({"pool": F.avg_pool2d}, "takes the mean"),
    "sigmoid": ({"second": torch.sigmoid}, "sigmoid"),
    "layer norm epsilon": ({"layer_epsilon": 1e-5}, "epsilon 1e-05"),
    "selu": ({"third": F.selu}, "selu"),
    "temperature": ({"scale": 2.0}, "divides by 0.5"),
    "learning rate": ({"rate": 0.2}, "learning rate"),
    "smoothing": ({"smoothing": 0.1}, "smooth"),
}
"""A mistake, the habit that it is, and what must be said of it."""
NORMS = ("batch norm epsilon", "layer norm epsilon")


class Port(nn.Module):
    """The port."""

    def __init__(self, habits: Habits) -> None:
        super().__init__()
        self.habits = habits
        self.out, self.dense = nn.Linear(6, 3), nn.Linear(4, 6)
        self.norm = nn.LayerNorm(6, eps=habits.layer_epsilon)
        self.first, self.second = nn.Conv2d(2, 4, 3, stride=2), nn.Conv2d(4, 4, 2)
        self.batch_norm = KerasNorm(4, eps=habits.epsilon, momentum=habits.momentum)

    def forward(self, x: Tensor) -> Tensor:
        own, (before, behind) = self.habits, self.habits.padding
        x = F.pad(x.movedim(-1, 1), (before, behind, before, behind))
        x = own.pool(own.first(self.batch_norm(self.first_padded(x))), 2)
        x = own.second(self.second(x)).flatten(1)
        given: Tensor = self.out(own.third(self.norm(self.dense(x)))) * own.scale
        return given

    def first_padded(self, x: Tensor) -> Tensor:
        given: Tensor = self.first(x)
        return given

    def trained(self) -> tuple[Any, ...]:
        own = self.habits
        loss = nn.CrossEntropyLoss(label_smoothing=own.smoothing)
        return self, torch.optim.SGD(self.parameters(), own.rate), loss


def climbed(*planted: str) -> Climbed:
    """The climb of the port with these mistakes, past what is broken."""
    keras.utils.clear_session()
    habits: dict[str, Any] = {}
    for name in planted:
        habits |= PLANTED[name][0]
    found: Climbed = parity.ladder(  # type: ignore[operator]
        Port(Habits(**habits)).trained(), in_keras(), X, Y, batch_size=8, keep_going=True
    )
    return found


def missed(*planted: str) -> list[str]:
    """Those of which nothing is said."""
    texts = [
        cause.text for rung in climbed(*planted).rungs for cause in rung.causes
        if cause.name != UNEXPLAINED
    ]  # fmt: skip
    layer = {"batch norm epsilon": "batch_norm", "layer norm epsilon": "layer_norm"}
    return [
        name
        for name in planted
        if not any(PLANTED[name][1] in text and layer.get(name, "") in text for text in texts)
    ]


if __name__ == "__main__":
    rng = np.random.default_rng(1)
    draws = [rng.choice(list(PLANTED), 3, replace=False) for _ in range(int(sys.argv[1]))]
    right = 0
    for draw in draws:
        lost = missed(*map(str, draw))
        right += not lost
        if lost:
            print(f"{', '.join(draw)}: nothing is said of {', '.join(lost)}", flush=True)
    print(f"all named in {right} of {len(draws)} draws", flush=True)
