"""Mistakes of ports that are written by hand, or with another layer of the same weights."""

import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from parity.ladder.together import Climbed, ladder
from parity.sides.entries import Precision

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


def by_hand(scale: float = 0.5, skip: bool = True, heads: int = 2) -> Net:
    def of(x: Tensor, q: nn.Module, k: nn.Module, v: nn.Module, out: nn.Module) -> Tensor:
        cut = [layer(x).view(len(x), 6, heads, -1).transpose(1, 2) for layer in (q, k, v)]
        scores = (cut[0] @ cut[1].transpose(2, 3) * scale).softmax(-1)
        mixed: Tensor = out((scores @ cut[2]).transpose(1, 2).reshape(x.shape))
        return (x + mixed if skip else mixed).mean(1)

    return Net(of, **{name: nn.Linear(8, 8) for name in ("q", "k", "v", "out")})


def fused() -> Net:
    """Queries, keys and values by one layer."""

    def of(x: Tensor, qkv: nn.Module, out: nn.Module) -> Tensor:
        heads = [part.view(len(x), 6, 2, 4).transpose(1, 2) for part in qkv(x).chunk(3, -1)]
        mixed = functional.scaled_dot_product_attention(*heads)
        given: Tensor = out(mixed.transpose(1, 2).reshape(x.shape))
        return (x + given).mean(1)

    return Net(of, qkv=nn.Linear(8, 24), out=nn.Linear(8, 8))


def pooled(scale: float) -> Net:
    """Attention of one head, of which the mean is taken at once."""

    def of(x: Tensor, qkv: nn.Module) -> Tensor:
        q, k, v = qkv(x).chunk(3, -1)
        mixed: Tensor = ((q @ k.transpose(1, 2) * scale).softmax(-1) @ v).mean(1)
        return mixed

    return Net(of, qkv=nn.Linear(8, 24))


class Patches(nn.Module):
    """A convolution with a stride, or a dense layer of what unfold cuts; and positions."""

    def __init__(self, cut: bool) -> None:
        super().__init__()
        self.positions, self.cut = nn.Parameter(torch.zeros(1, 4, 8)), cut
        self.embed: nn.Module = nn.Linear(12, 8) if cut else nn.Conv2d(3, 8, 2, 2)
        self.norm, self.last = nn.LayerNorm(8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = x.movedim(-1, 1)
        if self.cut:
            rows = self.embed(functional.unfold(x, 2, stride=2).transpose(1, 2))
        else:
            rows = self.embed(x).flatten(2).transpose(1, 2)
        scores: Tensor = self.last(self.norm(rows + self.positions).mean(1))
        return scores


class HandNorm(nn.Module):
    """A layer norm, or a batch norm, as tutorials write it."""

    mean: Tensor
    variance: Tensor

    def __init__(self, sample: bool = False, keeps: float | None = None) -> None:
        super().__init__()
        self.g, self.b = nn.Parameter(torch.ones(8)), nn.Parameter(torch.zeros(8))
        self.sample, self.keeps = sample, keeps
        if keeps is not None:
            self.register_buffer("mean", torch.zeros(8))
            self.register_buffer("variance", torch.ones(8))

    def forward(self, x: Tensor) -> Tensor:
        axis = -1 if self.keeps is None else 0
        mean, variance = x.mean(axis, keepdim=True), x.var(axis, correction=0, keepdim=True)
        if self.keeps is not None and self.training:
            for kept, now in ((self.mean, mean[0]), (self.variance, x.var(0))):
                kept.lerp_(now.detach(), 1 - self.keeps)
        elif self.keeps is not None:
            mean, variance = self.mean, self.variance
        if self.sample:
            return self.g * (x - mean) / (x.std(-1, keepdim=True) + 1e-5) + self.b
        return self.g * (x - mean) / torch.sqrt(variance + 1e-5) + self.b


def normed_rows(norm: nn.Module) -> Net:
    return Net(lambda x, dense, norm: norm(dense(x[:, 0])), dense=nn.Linear(8, 8), norm=norm)


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
        (
            lambda: pooled(8**-0.5),
            lambda: pooled(1.0),
            SERIES,
            "mean over the places of attention .*not",
        ),
        (fused, lambda: by_hand(1.0), SERIES, "A .*over the root .*B .*scores not scaled"),
        (
            lambda: normed_rows(nn.LayerNorm(8)),
            lambda: normed_rows(HandNorm(sample=True)),
            SERIES,
            "B takes the sample's variance, over n - 1 and adds epsilon 1e-05 to the deviation",
        ),
        (
            lambda: normed_rows(nn.BatchNorm1d(8)),
            lambda: normed_rows(HandNorm(keeps=0.99)),
            SERIES,
            "B keeps 0.99 of its old mean and variance each step, A keeps 0.9",
        ),
        (
            lambda: normed_rows(nn.Identity()),
            lambda: Net(lambda x, dense: dense(x[:, 0]).float().to(x), dense=nn.Linear(8, 8)),
            SERIES,
            "B feeds it what A does, rounded to float32",
        ),
    ],
    ids=[
        "blank row",
        "instance norm",
        "dilated",
        "rows",
        "unscaled",
        "no skip",
        "pooled",
        "fused",
        "sample's deviation",
        "momentum",
        "float32",
    ],
)
def test_a_mistake_of_a_port_is_named(
    a: Callable[[], nn.Module], b: Callable[[], nn.Module], x: np.ndarray, said: str
) -> None:
    assert_said(climb(a(), b(), x), said)


@pytest.mark.parametrize(
    ("a", "b", "x"),
    [
        (fused, by_hand, SERIES),
        (by_hand, fused, SERIES),
        (
            lambda: by_hand(2**-0.5, heads=4),
            lambda: by_hand(float(np.float32(2**-0.5)), heads=4),
            SERIES,
        ),
        (lambda: Patches(False), lambda: Patches(True), RNG.normal(size=(12, 4, 4, 3))),
        (lambda: normed_rows(nn.LayerNorm(8)), lambda: normed_rows(HandNorm()), SERIES),
        (lambda: normed_rows(nn.BatchNorm1d(8)), lambda: normed_rows(HandNorm(keeps=0.9)), SERIES),
    ],
    ids=["fused", "apart", "root", "patches", "layer norm", "batch norm"],
)
def test_the_same_by_hand_is_the_same(
    a: Callable[[], nn.Module], b: Callable[[], nn.Module], x: np.ndarray
) -> None:
    assert climb(a(), b(), x).passed


def test_a_layer_that_is_written_by_hand_is_no_missing_weight() -> None:
    done = climb(recurrent(), cells(), SERIES)
    assert [cause.name for rung in done.rungs for cause in rung.causes] == ["unexplained"]
    assert_said(done, "layers of kinds that the other lacks")


class Autocast(nn.Module):
    """A dense layer that works in bfloat16."""

    def __init__(self, enabled: bool) -> None:
        super().__init__()
        self.last, self.enabled = nn.Linear(8, 3), enabled

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.enabled):
            scores: Tensor = self.last(x[:, 0])
        return scores


def test_autocast_is_named() -> None:
    done = climb(Autocast(False), Autocast(True), SERIES, precision="float32")
    assert_said(done, "A keeps its precision, B computes in bfloat16")
    done = climb(Autocast(False), Autocast(True), SERIES)
    assert_said(done, "B alone has layers cast to bfloat16; in float64 nothing is cast")
    assert climb(Autocast(True), Autocast(True), SERIES).passed


@pytest.mark.parametrize("dim", [0, 2])
def test_the_axis_of_a_softmax_is_named(dim: int) -> None:
    a, b = (
        Net(lambda x, dense, n=n: dense(x).softmax(n).mean(1), dense=nn.Linear(8, 8))
        for n in (1, dim)
    )
    assert_said(climb(a, b, SERIES), "over the batch" if dim == 0 else "over axis 1.*softmax;")


def test_a_first_value_is_named_whatever_the_parameter_is_called() -> None:
    a, b = (
        Net(lambda x, dense, p: p(dense(x[:, 0])), dense=nn.Linear(8, 8), p=nn.PReLU(8, init))
        for init in (0.25, 0.0)
    )
    assert_said(climb(a, b, SERIES), "activation_1.weight: A begins with 0.25, B with 0;")
    nn.init.constant_(b.layers["p"].weight, 0.25)  # type: ignore[arg-type]
    assert climb(a, b, SERIES).passed


def climb(a: nn.Module, b: nn.Module, x: np.ndarray, precision: Precision | None = None) -> Climbed:
    first, second = (
        (m, torch.optim.SGD(m.parameters(), 0.1), nn.CrossEntropyLoss()) for m in (a, b)
    )
    return ladder(first, second, x, LABELS, batch_size=12, precision=precision)


def assert_said(done: Climbed, said: str) -> None:
    texts = [cause.text for rung in done.rungs for cause in rung.causes]
    assert any(re.search(said, text) for text in texts), texts
