"""Small modules of every kind, each with a batch for it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Functional(nn.Module):
    """Functions between layers that are declared in another order than they work."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.body = nn.Linear(5, 3), nn.Linear(8, 5)
        self.never = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Any:
        return self.head(F.dropout(F.relu(self.body(x)), 0.5, self.training))


class Conv(nn.Module):
    """Batch norm, a ReLU that works in place, pooling as a function and as a module."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True)
        )
        self.deep = nn.Conv2d(4, 8, 3, groups=4, bias=False)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Any:
        x = self.deep(F.max_pool2d(self.features(x), 2))
        return self.head(self.pool(x).flatten(1))


class Recurrent(nn.Module):
    """Looks integers up, and gives several tensors."""

    def __init__(self, cell: Any = nn.LSTM) -> None:
        super().__init__()
        self.table = nn.Embedding(11, 5)
        self.cell = cell(5, 4, batch_first=True)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Any:
        values, _ = self.cell(self.table(x))
        return self.head(values[:, -1]), values


class Shared(nn.Module):
    """One layer works twice, and one weight belongs to two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(8, 4)
        self.twice, self.head = nn.Linear(4, 4), nn.Linear(4, 8)
        self.act = nn.Tanh()
        self.head.weight = self.table.weight

    def forward(self, x: Tensor) -> Any:
        x = self.table(x).mean(1)
        return self.head(self.act(self.twice(self.act(self.twice(x)))))


class Transformer(nn.Module):
    """A weight of its own beside its layers, and a layer that consists of others."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.randn(1, 1, 4))
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.norm = nn.LayerNorm(4)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Any:
        x = torch.cat([self.token.expand(len(x), -1, -1), x], dim=1)
        x = self.norm(x + self.attention(x, x, x)[0])
        return self.head(x[:, 0])


class Model(NamedTuple):
    """A way to build a module, a batch for it, and the names of what works in it."""

    build: Callable[[], nn.Module]
    x: Any
    layers: list[str]


def _sequential() -> nn.Module:
    return nn.Sequential(
        nn.Linear(8, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout(0.5), nn.Linear(5, 3)
    )


_RNG = np.random.default_rng(0)
_ROWS, _WORDS = _RNG.random((6, 8)), _RNG.integers(0, 8, (6, 7))
MODELS = {
    "sequential": Model(
        _sequential, _ROWS, ["dense_1", "batch_norm_1", "activation_1", "dropout_1", "dense_2"]
    ),
    "functional": Model(Functional, _ROWS, ["dense_1", "activation_1", "dropout_1", "dense_2"]),
    "convolutional": Model(
        Conv,
        _RNG.random((6, 2, 8, 8)),
        [
            "conv_1", "batch_norm_1", "activation_1", "max_pool_1", "depthwise_conv_1",
            "global_avg_pool_1", "flatten_1", "dense_1",
        ],
    ),
    "recurrent": Model(Recurrent, _WORDS, ["embedding_1", "lstm_1", "dense_1"]),
    "shared": Model(
        Shared,
        _WORDS,
        ["embedding_1", "dense_1", "activation_1", "dense_1@2", "activation_2", "dense_2"],
    ),
    "transformer": Model(
        Transformer,
        _RNG.random((6, 3, 4)),
        ["multi_head_attention_1", "layer_norm_1", "dense_1", "transformer_1"],
    ),
}  # fmt: skip
