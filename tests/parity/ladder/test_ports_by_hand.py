"""Mistakes of ports that are written by hand, or with another layer of the same weights."""

import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from parity.ladder.together import Climbed, ladder

RNG = np.random.default_rng(0)
SERIES = RNG.normal(size=(12, 6, 8))
TOKENS = RNG.integers(0, 9, (12, 6))
LABELS = RNG.integers(0, 3, 12)


class Net(nn.Module):
    """What `forward` makes of some layers, and a dense layer behind it."""

    def __init__(self, forward: Callable[..., Tensor], **layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleDict(layers)
        self.last = nn.Linear(8, 3)
        self.of = forward

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.last(self.of(x, **self.layers))
        return scores


def normed(norm: nn.Module) -> Net:
    return Net(lambda x, norm: norm(x.movedim(-1, 1)).amax(-1), norm=norm)


def looked_up(blank: int | None = None) -> Net:
    return Net(lambda x, rows: rows(x.long()).mean(1), rows=nn.Embedding(9, 8, padding_idx=blank))


def padded(before: int) -> Net:
    convolution = nn.Conv1d(8, 8, 3, dilation=2)
    pads = (before, 4 - before)
    return Net(
        lambda x, conv: conv(functional.pad(x.movedim(-1, 1), pads)).amax(-1), conv=convolution
    )


def rowwise(size: Callable[[Tensor], Tensor | float]) -> Net:
    return Net(lambda x, dense: dense(x / size(x)).mean(1), dense=nn.Linear(8, 8))


def attention() -> Net:
    return Net(
        lambda x, attend: (x + attend(x, x, x)[0]).mean(1),
        attend=nn.MultiheadAttention(8, 2, batch_first=True),
    )


def by_hand(scale: float = 0.5, skip: bool = True) -> Net:
    def of(x: Tensor, q: nn.Module, k: nn.Module, v: nn.Module, out: nn.Module) -> Tensor:
        heads = [layer(x).view(len(x), 6, 2, 4).transpose(1, 2) for layer in (q, k, v)]
        scores = (heads[0] @ heads[1].transpose(2, 3) * scale).softmax(-1)
        mixed: Tensor = out((scores @ heads[2]).transpose(1, 2).reshape(x.shape))
        return (x + mixed if skip else mixed).mean(1)

    return Net(of, **{name: nn.Linear(8, 8) for name in ("q", "k", "v", "out")})


def cells() -> Net:
    def of(x: Tensor, enter: nn.Module, again: nn.Module) -> Tensor:
        h = c = x.new_zeros(len(x), 8)
        for step in x.unbind(1):
            i, f, g, o = (enter(step) + again(h)).chunk(4, 1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
        return h

    return Net(of, enter=nn.Linear(8, 32), again=nn.Linear(8, 32))


def recurrent() -> Net:
    return Net(lambda x, lstm: lstm(x)[0][:, -1], lstm=nn.LSTM(8, 8, batch_first=True))


@pytest.mark.parametrize(
    ("a", "b", "x", "said"),
    [
        (lambda: looked_up(0), looked_up, TOKENS, "A gives no gradient to row 0"),
        (
            lambda: normed(nn.BatchNorm1d(8, track_running_stats=False)),
            lambda: normed(nn.InstanceNorm1d(8, affine=True)),
            SERIES,
            "each channel of the whole batch, B normalises over 8 groups",
        ),
        (lambda: padded(4), lambda: padded(2), SERIES, "pads 4 before and 0 behind"),
        (
            lambda: rowwise(lambda x: 1.0),
            lambda: rowwise(lambda x: x.flatten(1).norm(dim=1)[:, None, None]),
            SERIES,
            "x / norm of each row",
        ),
        (attention, lambda: by_hand(1.0), SERIES, "B 2 heads, scores not scaled, A 2 heads"),
        (
            attention,
            lambda: by_hand(skip=False),
            SERIES,
            "A feeds it .* B feeds it|B feeds it .* A feeds it",
        ),
    ],
    ids=["blank row", "instance norm", "dilated", "rows", "unscaled", "no skip"],
)
def test_a_mistake_of_a_port_is_named(
    a: Callable[[], nn.Module], b: Callable[[], nn.Module], x: np.ndarray, said: str
) -> None:
    assert_said(climb(a(), b(), x), said)


def test_a_layer_that_is_written_by_hand_is_no_missing_weight() -> None:
    done = climb(recurrent(), cells(), SERIES)
    assert [cause.name for rung in done.rungs for cause in rung.causes] == ["unexplained"]
    assert_said(done, "layers of kinds that the other lacks")


def climb(a: nn.Module, b: nn.Module, x: np.ndarray) -> Climbed:
    first, second = (
        (m, torch.optim.SGD(m.parameters(), 0.1), nn.CrossEntropyLoss()) for m in (a, b)
    )
    return ladder(first, second, x, LABELS, batch_size=12)


def assert_said(done: Climbed, said: str) -> None:
    texts = [cause.text for rung in done.rungs for cause in rung.causes]
    assert any(re.search(said, text) for text in texts), texts
