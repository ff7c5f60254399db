"""Small networks in torch as people write them, with habits that a port may lack.

As they stand they are right; each argument is one thing that a port does otherwise.
"""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

RNG = np.random.default_rng(3)
TABLE = RNG.normal(size=(24, 10)), RNG.integers(0, 4, 24)
NUMBERS = TABLE[0], RNG.normal(size=(24, 3))
IMAGES = RNG.normal(size=(16, 8, 8, 3)), RNG.integers(0, 4, 16)
WORDS = RNG.integers(0, 12, (24, 6)), RNG.integers(0, 3, 24)
SERIES = RNG.normal(size=(24, 6, 5)), RNG.integers(0, 3, 24)
Batch = tuple[np.ndarray, np.ndarray]
Function = Callable[[Tensor], Tensor]


def as_it_is(x: Tensor) -> Tensor:
    return x


class Residual(nn.Module):
    """A stem, a block with a skip connection and a norm behind it, a head."""

    def __init__(
        self,
        skip: Callable[[Tensor, Tensor], Tensor] = torch.add,
        act: Function = torch.relu,
        first: bool = False,
        inputs: Function = as_it_is,
        last: Function = as_it_is,
    ) -> None:
        super().__init__()
        self.skip, self.act, self.first, self.inputs, self.last = skip, act, first, inputs, last
        self.stem, self.one, self.two = nn.Linear(10, 8), nn.Linear(8, 8), nn.Linear(8, 8)
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.stem(self.inputs(x)))
        if self.first:
            x = self.skip(x, self.two(self.act(self.one(self.norm(x)))))
        else:
            x = self.norm(self.skip(x, self.two(self.act(self.one(x)))))
        return self.last(self.head(x))


class Convolutional(nn.Module):
    """Convolutions, group norm, global pooling."""

    def __init__(
        self,
        edges: Literal["zeros", "reflect", "replicate", "circular"] = "zeros",
        groups: int = 2,
        epsilon: float = 1e-5,
        pool: Function = lambda x: x.mean((2, 3)),
        inputs: Function = as_it_is,
    ) -> None:
        super().__init__()
        self.inputs, self.pool = inputs, pool
        self.first = nn.Conv2d(3, 4, 3, padding=1, padding_mode=edges)
        self.deep, self.wide = nn.Conv2d(4, 8, 3, groups=4), nn.Conv2d(8, 6, 1)
        self.norm, self.out = nn.GroupNorm(groups, 6, eps=epsilon), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(self.inputs(x.movedim(-1, 1))))
        given: Tensor = self.out(self.pool(F.relu(self.norm(self.wide(self.deep(x))))))
        return given


class Words(nn.Module):
    """An embedding, a recurrent layer, and what is taken of its places."""

    def __init__(
        self,
        kind: Any = nn.GRU,
        take: Function = lambda sequence: sequence[:, -1],
        embedded: Function = as_it_is,
        tokens: Function = as_it_is,
        **settings: Any,
    ) -> None:
        super().__init__()
        self.take, self.embedded, self.tokens = take, embedded, tokens
        both = settings.pop("bidirectional", False)
        self.table = nn.Embedding(14, 5, max_norm=settings.pop("max_norm", None))
        self.layer = kind(5, 6, batch_first=True, bidirectional=both, **settings)
        self.out = nn.Linear(12 if both else 6, 3)

    def forward(self, x: Tensor) -> Tensor:
        sequence, _ = self.layer(self.embedded(self.table(self.tokens(x).long())))
        given: Tensor = self.out(self.take(sequence))
        return given


class Attentive(nn.Module):
    """Attention of two heads, by hand, and a norm behind it."""

    def __init__(
        self, heads: int = 2, scale: float = 0.5, axis: int = -1, causal: bool = False
    ) -> None:
        super().__init__()
        self.heads, self.scale, self.axis, self.causal = heads, scale, axis, causal
        self.enter = nn.Linear(5, 8)
        self.q, self.k, self.v, self.o = (nn.Linear(8, 8) for _ in range(4))
        self.norm, self.out = nn.LayerNorm(8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        count, places, units = x.shape
        q, k, v = (
            part(x).view(count, places, self.heads, -1).transpose(1, 2)
            for part in (self.q, self.k, self.v)
        )
        scores = self.scale * q @ k.transpose(2, 3)
        if self.causal:
            scores = scores.masked_fill(torch.ones(places, places).triu(1).bool(), -torch.inf)
        mixed = (scores.softmax(self.axis) @ v).transpose(1, 2).reshape(count, places, units)
        given: Tensor = self.out(self.norm(x + self.o(mixed)).mean(1))
        return given


class Pyramid(nn.Module):
    """Down, up, and what was before beside it."""

    def __init__(self, mode: str = "nearest", joined: tuple[int, int] = (0, 1)) -> None:
        super().__init__()
        self.mode, self.joined = mode, joined
        self.down, self.side = nn.Conv2d(3, 4, 2, 2), nn.Conv2d(3, 4, 1)
        self.mixed, self.out = nn.Conv2d(8, 5, 1), nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = x.movedim(-1, 1)
        parts = F.interpolate(self.down(x), scale_factor=2, mode=self.mode), self.side(x)
        x = torch.cat([parts[place] for place in self.joined], 1)
        given: Tensor = self.out(F.relu(self.mixed(x)).mean((2, 3)))
        return given


class Placed(nn.Module):
    """Embeddings of words and of their places."""

    def __init__(self, scale: float = 2.0) -> None:
        super().__init__()
        self.scale = scale
        self.words, self.places = nn.Embedding(14, 5), nn.Embedding(6, 5)
        self.norm, self.out = nn.LayerNorm(5), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        places = self.places(torch.arange(x.shape[1]))
        given: Tensor = self.out(self.norm(self.scale * self.words(x.long()) + places).mean(1))
        return given


class Numbers(nn.Module):
    """A regression of three numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.out = nn.Linear(10, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        given: Tensor = self.out(torch.tanh(self.hidden(x)))
        return given


class Bare(nn.Module):
    """Keeps its tensors itself, as a program without layers does; the same as `Layered`."""

    def __init__(self) -> None:
        super().__init__()
        self.w1, self.b1, self.w2, self.b2 = (
            nn.Parameter(torch.randn(shape)) for shape in ((10, 9), (9,), (9, 4), (4,))
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x @ self.w1 + self.b1) @ self.w2 + self.b2


class Layered(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.out = nn.Linear(10, 9), nn.Linear(9, 4)

    def forward(self, x: Tensor) -> Tensor:
        given: Tensor = self.out(F.relu(self.hidden(x)))
        return given


class Called(Layered):
    """Uses its layers' tensors and never the layers."""

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(F.linear(x, self.hidden.weight, self.hidden.bias))
        return F.linear(x, self.out.weight, self.out.bias)


class Cells(nn.Module):
    """The recurrent layer place by place."""

    def __init__(self) -> None:
        super().__init__()
        self.rows, self.cell, self.fc = nn.Embedding(14, 5), nn.GRUCell(5, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        state = None
        for place in range(x.shape[1]):
            state = self.cell(self.rows(x[:, place].long()), state)
        given: Tensor = self.fc(state)
        return given


class OneHot(Words):
    """A dense layer of one-hot rows for the embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = nn.Linear(14, 5, bias=False)
        del self.table

    def forward(self, x: Tensor) -> Tensor:
        rows = F.one_hot(x.long(), 14).to(self.rows.weight.dtype)
        given: Tensor = self.out(self.layer(self.rows(rows))[0][:, -1])
        return given
