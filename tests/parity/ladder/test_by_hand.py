"""What one program computes by hand and the other has a layer for: matched, read, never blamed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from parity.ladder.recut import Recut
from parity.ladder.together import Climbed, ladder
from parity.transfer.transfer import transfer

RNG = np.random.default_rng(3)
TABLE, SERIES, WORDS = (
    RNG.normal(size=(16, 6)),
    RNG.normal(size=(16, 5, 8)),
    RNG.integers(1, 9, (16, 5)),
)
WORDS[::2, 3:] = 0
CLASSES = RNG.integers(0, 3, 16)


def climbed(a: nn.Module, b: nn.Module, x: np.ndarray) -> Climbed:
    """Up to the first broken rung, in float64."""
    sides = [(m, torch.optim.SGD(m.parameters(), 0.1), nn.CrossEntropyLoss()) for m in (a, b)]
    return ladder(sides[0], sides[1], x, CLASSES, batch_size=8)


def said(done: Climbed, rung: str = "logits") -> list[str]:
    """What breaks a rung."""
    return [cause.text for r in done.rungs if r.name == rung for cause in r.causes]


class Between(nn.Module):
    """Three dense layers, with any function behind the first and ReLU behind the second."""

    def __init__(self, between: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.one, self.two, self.three = nn.Linear(6, 8), nn.Linear(8, 7), nn.Linear(7, 3)
        self.between = between

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.three(F.relu(self.two(self.between(self.one(x)))))
        return answer


def gelu_by_hand(x: Tensor) -> Tensor:
    """The exact one."""
    return x / 2 * (1 + torch.erf(x / 2**0.5))


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        (lambda x: x * torch.sigmoid(1.702 * x), F.gelu, "gelu (sigmoid approximation), B applies"),
        (lambda x: (0.2 * x + 0.5).clamp(0, 1), F.hardsigmoid, "clip(0.2 x + 0.5), B applies hard"),
        (gelu_by_hand, F.relu, "A applies gelu (exact), B applies relu"),
        (
            lambda x: F.normalize(torch.tanh(x), dim=0),
            lambda x: F.normalize(torch.tanh(x), dim=1),
            "A gives x / norm of each column of the batch, B gives x / norm of each row",
        ),
    ],
)
def test_a_function_by_hand_is_named(
    one: Callable[[Tensor], Tensor], other: Callable[[Tensor], Tensor], words: str
) -> None:
    (text,) = said(climbed(Between(one), Between(other), TABLE))
    assert text.startswith("before dense_2: ")
    assert words in text


def test_a_function_by_hand_is_the_same() -> None:
    assert climbed(Between(gelu_by_hand), Between(F.gelu), TABLE).passed
    silu = Between(lambda x: x * torch.sigmoid(x))
    assert climbed(silu, Between(F.silu), TABLE).passed


class Attentive(nn.Module):
    """Self-attention of two heads and a sum, by torch's layer or by hand."""

    def __init__(self, how: str, scale: float = 0.5, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.how, self.scale = how, scale
        if how == "layer":
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        else:
            self.parts = nn.ModuleList(nn.Linear(8, 8) for _ in range(4 if how == "apart" else 1))
            self.wide = nn.Linear(8, 24) if how == "joined" else None
        self.norm, self.head = nn.LayerNorm(8, epsilon), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        if self.how == "layer":
            given = self.attention(x, x, x, need_weights=False)[0]
        else:
            wide = self.wide
            thirds = [p(x) for p in self.parts[:3]] if wide is None else wide(x).chunk(3, -1)
            q, k, v = (part.unflatten(2, (2, 4)).transpose(1, 2) for part in thirds)
            shares = (self.scale * q @ k.transpose(2, 3)).softmax(-1)
            given = self.parts[-1]((shares @ v).transpose(1, 2).flatten(2))
        answer: Tensor = self.head(self.norm(x + given).mean(1))
        return answer


@pytest.mark.parametrize("how", ["apart", "joined"])
def test_attention_by_hand_is_the_layer(how: str) -> None:
    assert climbed(Attentive(how), Attentive("layer"), SERIES).passed
    assert climbed(Attentive("layer"), Attentive(how), SERIES).passed


@pytest.mark.parametrize("how", ["apart", "joined"])
def test_a_mistake_in_and_behind_attention_by_hand_is_named(how: str) -> None:
    texts = said(climbed(Attentive(how, 1.0, 1e-3), Attentive("layer"), SERIES))
    assert len(texts) == 2
    assert "2 heads, scores not scaled, B 2 heads, scores over the root" in texts[0]
    assert "layer_norm_1: A adds epsilon 0.001 to the variance" in texts[1]


def test_no_dense_layer_is_blamed_for_what_attention_is_of_it() -> None:
    texts = said(climbed(Attentive("layer"), Attentive("apart", 1.0), SERIES))
    assert not any("for the same input" in text for text in texts), texts


@pytest.mark.parametrize("how", ["apart", pytest.param("joined", marks=pytest.mark.slow)])
def test_its_weights_are_carried_over_from_keras(how: str, tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    from tests.support.random_pairs import side  # with Keras

    x = keras.Input((5, 8))
    given = keras.layers.MultiHeadAttention(2, 4)(x, x)
    given = keras.layers.LayerNormalization(epsilon=1e-5)(x + given)
    given = keras.layers.GlobalAveragePooling1D()(given)
    model = keras.Model(x, keras.layers.Dense(3)(given))
    done = transfer(side("A", model), side("B", Attentive(how)), tmp_path / "out.pt")
    assert done.gap <= 1e-5
    back = transfer(side("A", Attentive(how)), side("B", model), tmp_path / "back.keras")
    assert back.gap <= 1e-5


class Masked(nn.Module):
    """Attention over words, of which some are padding."""

    def __init__(self, *, hidden: bool) -> None:
        super().__init__()
        self.table, self.attention = (
            nn.Embedding(9, 8),
            nn.MultiheadAttention(8, 2, batch_first=True),
        )
        self.head, self.hidden = nn.Linear(8, 3), hidden

    def forward(self, words: Tensor) -> Tensor:
        x, mask = self.table(words), (words == 0) == self.hidden
        given = self.attention(x, x, x, key_padding_mask=mask, need_weights=False)[0]
        answer: Tensor = self.head(given.mean(1))
        return answer


def test_a_mask_that_is_true_where_the_other_is_false_is_named() -> None:
    words = np.where((WORDS == 0).any(axis=1, keepdims=True), WORDS, np.roll(WORDS, 1, 0))
    (text,) = said(climbed(Masked(hidden=False), Masked(hidden=True), words))
    assert "A 2 heads, scores over the root of a head's units, all places hidden but those" in text


class Recurrent(nn.Module):
    """A recurrent layer, what is taken of it, and a dense one."""

    def __init__(self, take: Callable[[Tensor], Tensor], **settings: Any) -> None:
        super().__init__()
        settings = {"batch_first": True, **settings}
        self.layer, self.take = nn.LSTM(8, 4, **settings), take
        self.head = nn.LazyLinear(3)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.head(self.take(self.layer(x)[0]))
        return answer


def ends(merge: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """What both directions end with, in one."""
    return lambda y: merge(y[:, -1, :4], y[:, 0, 4:])


def test_places_that_come_first_are_named() -> None:
    def last(y: Tensor) -> Tensor:
        return y[:, -1]

    (text,) = said(climbed(Recurrent(last, batch_first=False), Recurrent(last), SERIES))
    assert "lstm_1: A takes places first, B takes the batch first" in text


def test_how_directions_are_merged_is_named() -> None:
    mean = Recurrent(ends(lambda one, two: (one + two) / 2), bidirectional=True)
    total = Recurrent(ends(torch.add), bidirectional=True)
    (text,) = said(climbed(mean, total, SERIES))
    assert "A feeds it the mean of what both directions end with" in text
    assert "B feeds it the sum of what both directions end with" in text


def convolved(stride: tuple[int, int]) -> nn.Module:
    """A convolution over images of one channel."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 5)), nn.Conv2d(1, 4, (3, 2), stride), nn.AdaptiveMaxPool2d(1),
        nn.Flatten(), nn.Linear(4, 3),
    )  # fmt: skip


def normed(norm: nn.Module) -> nn.Module:
    """A norm between two dense layers."""
    return nn.Sequential(nn.Flatten(), nn.Linear(40, 8), norm, nn.Linear(8, 3))


class Cut(nn.Module):
    """A convolution of series, whose channels come last."""

    def __init__(self, *, view: bool) -> None:
        super().__init__()
        self.one, self.head, self.view = nn.Conv1d(8, 4, 2), nn.Linear(4, 3), view

    def forward(self, x: Tensor) -> Tensor:
        x = x.reshape(-1, 8, 5) if self.view else x.transpose(1, 2)
        answer: Tensor = self.head(F.relu(self.one(x)).mean(2))
        return answer


@pytest.mark.parametrize(
    ("one", "other", "rung", "words"),
    [
        (convolved((2, 1)), convolved((1, 2)), "logits", "A moves by 2 x 1, B moves by 1 x 2"),
        (
            normed(nn.RMSNorm(8, 1e-3)), normed(nn.RMSNorm(8, 1e-6)), "logits",
            "A adds epsilon 0.001 to the mean square",
        ),
        (
            normed(nn.RMSNorm(8, 1e-5)), normed(nn.LayerNorm(8, bias=False)), "logits",
            "leaves the mean, B",
        ),
        (Cut(view=True), Cut(view=False), "pixels", "A feeds x cut anew into channels"),
    ],
)  # fmt: skip
def test_axes_means_and_places_are_named(
    one: nn.Module, other: nn.Module, rung: str, words: str
) -> None:
    (text,) = said(climbed(one, other, SERIES), rung)
    assert words in text


@pytest.mark.parametrize("before", [nn.Identity, lambda: Skipping(8)])
def test_a_class_that_is_ignored_at_each_place_is_named(before: Callable[[], nn.Module]) -> None:
    def tagger(**settings: Any) -> tuple[nn.Module, torch.optim.Optimizer, nn.Module]:
        module = nn.Sequential(before(), nn.Linear(8, 3), Turned())
        optimizer = torch.optim.SGD(module.parameters(), 0.1)
        return module, optimizer, nn.CrossEntropyLoss(**settings)

    tags = RNG.integers(0, 3, (16, 5))
    done = ladder(tagger(ignore_index=0), tagger(), SERIES, tags, batch_size=8)
    (text,) = said(done, "loss")
    assert "without images of class 0, divided by the number of images that are left" in text


class Skipping(nn.Module):
    """A sum is what it gives, which no layer does."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.relu(self.inner(x))


class Turned(nn.Module):
    """Scores [B, C, T], as torch's loss takes them."""

    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2)


class Repeats:
    """A side that keeps what it is told."""

    name = "B"

    def __init__(self) -> None:
        self.table: dict[str, Any] = {}

    def send(self, call: str, table: Any = None, **_: Any) -> None:
        self.table = table if call == "set_weights" else self.table

    def receive(self) -> Any:
        return self.table

    def ask(self, call: str, table: Any = None, **_: Any) -> Any:
        self.send(call, table)
        return self.receive()


def test_two_biases_are_two_tensors_and_one_again() -> None:
    rows = RNG.normal(size=(2, 12))
    parts = ("gru_1.bias", "gru_1.recurrent_bias")
    own = Repeats()
    side = Recut(own, {"gru_1.bias": parts}, dict(zip(parts, rows, strict=True)), join=False)
    shown = side.ask("set_weights", dict(zip(parts, rows, strict=True)))
    assert np.array_equal(own.table["gru_1.bias"], rows)
    assert [*shown] == [*parts]
    assert np.array_equal(shown["gru_1.recurrent_bias"], rows[1])
