"""A layer of Keras that is two of torch's."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

pytest.importorskip("keras", reason="the extra keras is not installed")

import keras
from keras import layers as kl

from parity.ladder import outputs
from parity.ladder.together import ladder


class Separable(nn.Module):
    """A depthwise and a pointwise convolution, and a dense head."""

    def __init__(self, between: nn.Module) -> None:
        super().__init__()
        self.between = between
        self.depthwise = nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False)
        self.pointwise = nn.Conv2d(4, 6, 1)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pointwise(self.between(self.depthwise(x.movedim(-1, 1))))
        given: Tensor = self.head(x.relu().mean((-1, -2)))
        return given


def test_a_separable_convolution_is_two_layers_of_torch() -> None:
    keras.config.set_floatx("float64")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(16, 6, 6, 4)), rng.integers(0, 3, 16)
    inputs = keras.Input((6, 6, 4))
    hidden = kl.SeparableConv2D(6, 3, padding="same", activation="relu")(inputs)
    pooled = kl.GlobalAveragePooling2D(dtype="float64")(hidden)
    model = keras.Model(inputs, kl.Dense(3)(pooled))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss=loss)
    trained, between = (
        (m, torch.optim.SGD(m.parameters(), 0.1), nn.CrossEntropyLoss())
        for m in (Separable(nn.Identity()), Separable(nn.ReLU()))
    )
    for sides in ((trained, model), (model, trained)):
        done = ladder(sides[0], sides[1], x, y, batch_size=8)
        assert done.passed, str(done)
    done = ladder(model, between, x, y, batch_size=8)
    assert "A feeds it depthwise_conv_1, B feeds it relu(depthwise_conv_1)" in str(done)


def test_the_padding_of_a_separable_convolution_is_read_through_both_kernels() -> None:
    rng = np.random.default_rng(1)
    x, deep = rng.normal(size=(4, 6, 6, 2)), rng.normal(size=(3, 3, 2, 1))
    pointwise = rng.normal(size=(1, 1, 2, 3))
    kernel = np.einsum("hwim,imo->hwio", deep, pointwise.reshape(2, 1, 3))
    sides = []
    for before, behind in ((0, 1), (1, 1)):
        around = np.pad(x, [(0, 0), (before, behind), (before, behind), (0, 0)])
        windows = np.lib.stride_tricks.sliding_window_view(around, (3, 3), axis=(1, 2))
        sides.append(np.einsum("byxihw,hwio->byxo", windows[:, ::2, ::2], kernel))
    weights = {"depthwise_conv_1.kernel": deep, "conv_1.kernel": pointwise}
    a = {"pixels": x, "conv_1": sides[0]}
    b = {"pixels": x, "depthwise_conv_1": sides[1][..., :2], "conv_1": sides[1]}
    causes = outputs.causes(weights, "conv_1", (a, b), False, ("A", "B"))
    assert [cause.name for cause in causes] == ["padding"]
    assert "A pads 0 before and 1 behind, B pads 1 before and 1 behind" in causes[0].text
