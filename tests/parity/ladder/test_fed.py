"""What a layer is fed by code that is no layer: attention, positions, another order, a size."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from parity.ladder.together import Climbed, ladder
from parity.readings.cause import UNEXPLAINED

RNG = np.random.default_rng(9)
Y = RNG.integers(0, 3, 24)
TOKENS = RNG.integers(1, 12, (24, 5)) * (np.arange(5) < RNG.integers(2, 6, (24, 1)))
PICTURES = RNG.random((24, 3, 6, 6))


def climbed(a: nn.Module, b: nn.Module, x: np.ndarray) -> Climbed:
    """All rungs in float64."""
    sides = [(m, torch.optim.SGD(m.parameters(), 0.1), nn.CrossEntropyLoss()) for m in (a, b)]
    return ladder(sides[0], sides[1], x, Y, batch_size=8, keep_going=True)


def said(done: Climbed) -> dict[str, list[tuple[str, str]]]:
    """Names and texts of what breaks each rung."""
    return {r.name: [(c.name, c.text) for c in r.causes] for r in done.rungs if r.causes}


class Encoder(nn.Module):
    """Attention of the thirds of one layer, over tokens with positions."""

    def __init__(self, **changed: Any) -> None:
        super().__init__()
        self.table, self.thirds = nn.Embedding(12, 8), nn.Linear(8, 24)
        self.back, self.head = nn.Linear(8, 8), nn.Linear(8, 3)
        usual: dict[str, Any] = {
            "apart": False, "units": 4, "causal": False, "hidden": False, "scale": 2.0, "turn": 0
        }  # fmt: skip
        self.how = {**usual, **changed}

    def forward(self, tokens: Tensor) -> Tensor:
        how, x = self.how, self.table(tokens)
        places = torch.arange(40, dtype=x.dtype).reshape(5, 8).roll(how["turn"], 1)
        x = how["scale"] * x + torch.sin(places)

        def split(part: Tensor) -> Tensor:
            if how["apart"]:
                return part.reshape(-1, 5, 4, 2).permute(0, 3, 1, 2)
            return part.reshape(-1, 5, 2, 4).transpose(1, 2)

        q, k, v = map(split, self.thirds(x).chunk(3, -1))
        scores = q @ k.transpose(2, 3) / how["units"] ** 0.5
        if how["causal"]:
            scores = scores.masked_fill(~torch.ones(5, 5).tril().bool(), -1e9)
        if how["hidden"]:
            scores = scores.masked_fill((tokens == 0)[:, None, None], -1e9)
        y = scores.softmax(-1) @ v
        y = y.permute(0, 2, 3, 1) if how["apart"] else y.transpose(1, 2)
        answer: Tensor = self.head(self.back(y.reshape(-1, 5, 8)).mean(1))
        return answer


@pytest.mark.parametrize(
    ("changed", "layer", "words"),
    [
        ({"apart": True}, "dense_2", "of every n-th unit"),
        ({"units": 8}, "dense_2", "over the root of all units"),
        ({"causal": True}, "dense_2", "no place sees later ones"),
        ({"hidden": True}, "dense_2", "places padded with 0 hidden"),
        ({"scale": 1.0}, "dense_1", "feeds it 2 * embedding_1"),
        ({"turn": 4}, "dense_1", "the same for all samples"),
    ],
)
def test_attention_and_positions(changed: dict[str, Any], layer: str, words: str) -> None:
    ((name, text),) = said(climbed(Encoder(), Encoder(**changed), TOKENS))["logits"]
    assert name == "connections"
    assert text.startswith(f"{layer}:")
    assert words in text


@pytest.mark.parametrize("changed", [{}, {"apart": True}, {"hidden": True}])
def test_the_same_attention_is_the_same(changed: dict[str, Any]) -> None:
    assert climbed(Encoder(**changed), Encoder(**changed), TOKENS).passed


class Between(nn.Module):
    """Two convolutions, with a function between them that is no layer."""

    def __init__(self, between: Callable[[Tensor], Tensor], epsilon: float = 1e-5) -> None:
        super().__init__()
        self.one, self.norm = nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8, epsilon)
        self.two, self.head = nn.Conv2d(8, 4, 1), nn.Linear(4, 3)
        self.between = between

    def forward(self, x: Tensor) -> Tensor:
        x = self.two(self.between(self.norm(self.one(x))))
        answer: Tensor = self.head(x.amax((2, 3)))
        return answer


def shuffled(groups: int) -> Callable[[Tensor], Tensor]:
    """The channels of each group in turns."""
    return lambda x: x.unflatten(1, (groups, -1)).transpose(1, 2).flatten(1, 2)


@pytest.mark.parametrize(
    ("one", "other", "name", "words"),
    [
        (shuffled(2), shuffled(4), "order of values", "channels in the order"),
        (
            lambda x: torch.atan(x),
            lambda x: torch.atan(x).transpose(1, 2).reshape(x.shape),
            "order of values",
            "of each sample in another order",
        ),
        (torch.atan, lambda x: 3 * torch.atan(x), "scale", "feeds it 3 times"),
        (torch.atan, torch.erf, UNEXPLAINED, "though all layers before it give the same"),
    ],
)
def test_what_is_fed_otherwise(one: Any, other: Any, name: str, words: str) -> None:
    ((found, text),) = said(climbed(Between(one), Between(other), PICTURES))["logits"]
    assert found == name
    assert text.startswith("conv_2: ")
    assert words in text


def test_what_is_fed_the_same_is_left_alone() -> None:
    assert climbed(Between(torch.atan), Between(torch.atan), PICTURES).passed
    found = said(climbed(Between(torch.atan), Between(torch.atan, 1e-3), PICTURES))["logits"]
    assert [name for name, _ in found] == ["group-norm epsilon"]


class Resized(Between):
    """Pictures brought to another size before all layers."""

    def __init__(self, **how: Any) -> None:
        super().__init__(torch.relu)
        self.how = how

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.interpolate(x, **self.how))


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ({"size": 9}, {"size": 9, "mode": "nearest-exact"}, "in which a new one begins"),
        ({"size": 9}, {"size": 9, "mode": "bilinear"}, "between their centres"),
        (
            {"size": 9, "mode": "bilinear", "align_corners": True},
            {"size": 9, "mode": "bilinear"},
            "corners on corners",
        ),
        ({"size": 5, "mode": "bicubic"}, {"size": 5, "mode": "bilinear"}, "a cubic of -0.75"),
        ({"size": 4, "mode": "area"}, {"size": 4, "mode": "bilinear"}, "that a new place covers"),
    ],
)
def test_how_pictures_are_brought_to_a_size(one: Any, other: Any, words: str) -> None:
    ((name, text),) = said(climbed(Resized(**one), Resized(**other), PICTURES))["pixels"]
    assert name == "interpolation"
    assert words in text


class Behind(nn.ConvTranspose2d):
    """As Keras' padding="same" does it: what is cut is behind."""

    def forward(self, x: Tensor, output_size: Any = None) -> Tensor:
        return super().forward(x)[..., :-1, :-1]


class Upwards(nn.Module):
    """A transposed convolution of stride 2."""

    def __init__(self, up: nn.Module, function: Callable[[Tensor], Tensor] = torch.tanh) -> None:
        super().__init__()
        self.up, self.head, self.function = up, nn.Linear(4, 3), function

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.head(self.function(self.up(x)).amax((2, 3)))
        return answer


def test_what_a_transposed_convolution_cuts_off() -> None:
    def up() -> nn.Module:
        return nn.ConvTranspose2d(3, 4, 3, 2, 1, 1)

    ((name, text),) = said(climbed(Upwards(Behind(3, 4, 3, 2)), Upwards(up()), PICTURES))["logits"]
    assert name == "padding of a transposed convolution"
    assert "A cuts 0 before, B cuts 1 before" in text
    assert climbed(Upwards(up()), Upwards(up()), PICTURES).passed
    ((name, _),) = said(climbed(Upwards(up()), Upwards(up(), F.elu), PICTURES))["logits"]
    assert name == "activation"


class Weighing(nn.Module):
    """Places weighed by a softmax over an axis."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.table, self.weigh, self.head = nn.Embedding(12, 6), nn.Linear(6, 1), nn.Linear(6, 3)
        self.axis = axis

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.table(tokens)
        answer: Tensor = self.head((torch.softmax(self.weigh(x), self.axis) * x).sum(1))
        return answer


def test_the_axis_of_a_softmax() -> None:
    ((name, text),) = said(climbed(Weighing(1), Weighing(2), TOKENS))["logits"]
    assert name == "activation"
    assert "softmax over axis 1" in text
    assert climbed(Weighing(1), Weighing(1), TOKENS).passed


def test_a_batch_norm_that_tracks_nothing() -> None:
    class Normed(nn.Module):
        def __init__(self, *, frozen: bool) -> None:
            super().__init__()
            self.one, self.norm, self.head = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 3)
            self.frozen = frozen

        def forward(self, x: Tensor) -> Tensor:
            self.norm.train(self.training and not self.frozen)
            answer: Tensor = self.head(self.norm(self.one(x)).amax((2, 3)))
            return answer

    found = said(climbed(Normed(frozen=True), Normed(frozen=False), PICTURES))
    ((name, text),) = found["1 step"]
    assert name == "batch-norm momentum"
    assert "A keeps its mean and variance as they are, B keeps 0.9" in text


class Heads(nn.Module):
    """torch's own attention."""

    def __init__(self, heads: int = 2, *, first: bool = True, causal: bool = False) -> None:
        super().__init__()
        self.table = nn.Embedding(12, 8)
        self.heads = nn.MultiheadAttention(8, heads, batch_first=first)
        self.head = nn.Linear(8, 3)
        self.causal = causal

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.table(tokens)
        mask = torch.ones(5, 5).triu(1).bool() if self.causal else None
        answer: Tensor = self.head(self.heads(x, x, x, attn_mask=mask)[0].mean(1))
        return answer


@pytest.mark.parametrize(
    ("other", "rung", "name", "words"),
    [
        (Heads(4), "initial weights", "heads of attention", "2 heads instead of 4;"),
        (Heads(first=False), "logits", "axis of the batch", "B takes places first"),
        (Heads(causal=True), "logits", "attention", "no place sees later ones"),
    ],
)
def test_torchs_own_attention(other: nn.Module, rung: str, name: str, words: str) -> None:
    ((found, text),) = said(climbed(Heads(), other, TOKENS))[rung]
    assert found == name
    assert words in text


def test_gradients_of_a_root_follow_from_it() -> None:
    def rooted(given: Tensor, wanted: Tensor) -> Tensor:
        return F.mse_loss(given, wanted).sqrt()

    modules = nn.Linear(4, 1), nn.Linear(4, 1)
    sides = [
        (module, torch.optim.SGD(module.parameters(), 0.1), loss)
        for module, loss in zip(modules, (rooted, nn.MSELoss()), strict=True)
    ]
    x = RNG.normal(size=(24, 4))
    found = said(ladder(sides[0], sides[1], x, x[:, :1], batch_size=8, keep_going=True))
    assert [rung for rung in found if "step" not in rung] == ["loss"]


def test_a_rounded_constant_hides_no_other_place() -> None:
    def leaky(x: Tensor) -> Tensor:
        return F.leaky_relu(x, float(np.float32(0.2)))

    class Two(Between):
        def __init__(self, first: Callable[[Tensor], Tensor], between: Any) -> None:
            super().__init__(between)
            self.first = first

        def forward(self, x: Tensor) -> Tensor:
            x = self.between(self.norm(self.one(self.first(x - 0.5))))
            answer: Tensor = self.head(self.two(x).amax((2, 3)))
            return answer

    usual = Two(lambda x: F.leaky_relu(x, 0.2), torch.atan)
    assert climbed(usual, Two(leaky, torch.atan), PICTURES).passed
    ((name, text),) = said(climbed(usual, Two(leaky, torch.erf), PICTURES))["logits"]
    assert name == UNEXPLAINED
    assert text.startswith("conv_2: ")
