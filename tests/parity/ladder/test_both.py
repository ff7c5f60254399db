"""Keras and torch, as they come: attention, transposed convolutions, pictures of another size."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

pytest.importorskip("keras", reason="the extra keras is not installed")

import keras
from keras import layers as kl

from parity.ladder.together import Climbed, ladder

RNG = np.random.default_rng(4)
SERIES, PICTURES, Y = RNG.normal(size=(16, 5, 8)), RNG.random((16, 5, 5, 3)), RNG.integers(0, 3, 16)


def in_double() -> None:
    """Keras in float64."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")


def climbed(module: nn.Module, layers: Any, x: np.ndarray) -> Climbed:
    """All rungs in float64."""
    in_double()
    inputs = keras.Input(x.shape[1:])
    model = keras.Model(inputs, layers(inputs))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.SGD(0.1, momentum=0.9), loss=loss)
    optimizer = torch.optim.SGD(module.parameters(), 0.1, momentum=0.9)
    given = (module, optimizer, nn.CrossEntropyLoss())
    return ladder(given, model, x, Y, batch_size=8, keep_going=True)


def said(done: Climbed) -> list[tuple[str, str, str]]:
    """What breaks each rung before the steps."""
    return [(rung.name, c.name, c.text) for rung in done.rungs[:6] for c in rung.causes]


class Encoder(nn.Module):
    """torch's own layer of an encoder."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, 12, 0.0, "gelu", batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.head(self.layer(x).mean(1))
        return answer


def encoder(x: Any, epsilon: float = 1e-5, **mask: bool) -> Any:
    """The same in Keras."""
    x = kl.LayerNormalization(epsilon=epsilon)(x + kl.MultiHeadAttention(2, 4)(x, x, **mask))
    wide = kl.Dense(12, activation="gelu")(x)
    x = kl.LayerNormalization(epsilon=epsilon)(x + kl.Dense(8)(wide))
    return kl.Dense(3)(kl.GlobalAveragePooling1D()(x))


def test_torchs_encoder_is_keras_attention_and_norms() -> None:
    done = climbed(Encoder(), encoder, SERIES)
    assert done.passed, str(done)


@pytest.mark.parametrize(
    ("changed", "cause"),
    [({"epsilon": 1e-3}, "layer-norm epsilon"), ({"use_causal_mask": True}, "attention")],
)
def test_what_the_encoder_does_otherwise(changed: dict[str, Any], cause: str) -> None:
    found = said(climbed(Encoder(), lambda x: encoder(x, **changed), SERIES))
    assert {(rung, name) for rung, name, _ in found} == {("logits", cause)}


class Upwards(nn.Module):
    """A transposed convolution, pictures brought to a size before it."""

    def __init__(self, size: int = 3, cut: tuple[int, int] = (1, 1), **how: Any) -> None:
        super().__init__()
        self.up, self.head = nn.ConvTranspose2d(3, 4, size, 2, *cut), nn.Linear(4, 3)
        self.how = how

    def forward(self, x: Tensor) -> Tensor:
        x = F.interpolate(x.movedim(-1, 1), size=(7, 7), **self.how)
        answer: Tensor = self.head(F.leaky_relu(self.up(x), 0.3).amax((2, 3)))
        return answer


def upwards(x: Any, size: int = 3, how: str = "bilinear") -> Any:
    """The same in Keras."""
    x = kl.Resizing(7, 7, interpolation=how)(x)
    x = kl.LeakyReLU()(kl.Conv2DTranspose(4, size, strides=2, padding="same")(x))
    return kl.Dense(3)(kl.GlobalMaxPooling2D()(x))


def test_keras_cuts_behind_and_torch_before() -> None:
    found = said(climbed(Upwards(mode="bilinear"), upwards, PICTURES))
    assert [name for _, name, _ in found] == ["padding of a transposed convolution"]
    assert "A cuts 1 before, B cuts 0 before" in found[0][2]


def test_an_even_kernel_is_cut_alike() -> None:
    module = Upwards(2, (0, 0), mode="bilinear")
    done = climbed(module, lambda x: upwards(x, 2), PICTURES)
    assert done.passed, str(done)


@pytest.mark.parametrize("how", ["nearest", "bilinear", "bicubic"])
def test_how_keras_brings_pictures_to_a_size(how: str) -> None:
    module = Upwards(2, (0, 0), mode="area")
    found = said(climbed(module, lambda x: upwards(x, 2, how), PICTURES))
    assert [name for _, name, _ in found] == ["interpolation"]
    words = {"nearest": "nearest place", "bilinear": "their centres", "bicubic": "cubic of -0.5"}
    assert words[how] in found[0][2]


class Words(nn.Module):
    """A table of words, and their mean."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(30, 4), nn.Linear(4, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        answer: Tensor = self.head(self.table(tokens).mean(1))
        return answer


TOKENS = RNG.integers(0, 30, (16, 3))


def test_tensorflow_squares_token_by_token() -> None:
    in_double()
    inputs = keras.Input((3,))
    pooled = kl.GlobalAveragePooling1D()(kl.Embedding(30, 4)(inputs))
    model = keras.Model(inputs, kl.Dense(3)(pooled))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss=loss)
    module = Words()
    optimizer = torch.optim.Adam(module.parameters(), 0.01, (0.8, 0.999))
    given = (module, optimizer, nn.CrossEntropyLoss())
    done = ladder(given, model, TOKENS, Y, batch_size=8)
    assert done.rungs[-1].name == "1 step"
    names = {cause.name: cause.text for cause in done.rungs[-1].causes}
    assert set(names) == {
        "beta_1", "epsilon's value", "epsilon's place", "bias correction", "repeated tokens"
    }  # fmt: skip
    assert "B moves the rows of embedding_1.kernel" in names["repeated tokens"]


def test_repeated_tokens_that_are_added_up_first_are_no_cause() -> None:
    sides = [
        (m, torch.optim.Adam(m.parameters(), 0.01, (beta, 0.999)), nn.CrossEntropyLoss())
        for m, beta in ((Words(), 0.9), (Words(), 0.8))
    ]
    done = ladder(sides[0], sides[1], TOKENS, Y, batch_size=8)
    assert [cause.name for cause in done.rungs[-1].causes] == ["beta_1"]
