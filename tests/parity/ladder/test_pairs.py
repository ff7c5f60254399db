"""Pairs that nobody here wrote: the zoos of torchvision and Keras, and recurrent classifiers."""

import re
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("keras", reason="the extra keras is not installed")

import keras
from keras import layers as kl
from torch import Tensor, nn

import parity
from parity.ladder.rung import Rung
from parity.ladder.together import Climbed

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _in_float64() -> None:
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")


def compiled(model: keras.Model) -> keras.Model:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.SGD(0.01), loss=loss)
    return model


def trained(module: nn.Module) -> tuple[Any, ...]:
    return module, torch.optim.SGD(module.parameters(), 0.01), nn.CrossEntropyLoss()


def climbed(a: Any, b: Any, x: Any, y: Any) -> Climbed:
    found: Climbed = parity.ladder(a, b, x, y, batch_size=2, keep_going=True)  # type: ignore[operator]
    return found


class ChannelsLast(nn.Module):
    """A network of torchvision's, fed as Keras' are; without dropout."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        for part in network.modules():
            if isinstance(part, nn.Dropout):
                part.p = 0.0

    def forward(self, x: Tensor) -> Tensor:
        given: Tensor = self.network(x.movedim(-1, 1))
        return given


def of_keras(name: str, size: int) -> keras.Model:
    build = getattr(keras.applications, name)
    shape = (size, size, 3)
    return compiled(build(weights=None, input_shape=shape, classes=10, classifier_activation=None))


@pytest.mark.slow  # 34 million weights
def test_vgg16_of_both_zoos_climbs_to_the_top() -> None:
    models = pytest.importorskip("torchvision.models")
    network = models.vgg16(weights=None, num_classes=10)
    network.avgpool, network.classifier[0] = nn.Identity(), nn.Linear(512, 4096)  # of 32 x 32
    x, y = RNG.normal(size=(4, 32, 32, 3)), RNG.integers(0, 10, 4)
    done = climbed(trained(ChannelsLast(network)), of_keras("VGG16", 32), x, y)
    assert done.passed, done


class Recurrent(nn.Module):
    """An embedding, two recurrent layers, two dense ones; the last place of a sequence counts."""

    def __init__(self, kind: Any, second_bias: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 5)
        self.first, self.second = kind(5, 6, batch_first=True), kind(6, 4, batch_first=True)
        self.dense, self.out = nn.Linear(4, 8), nn.Linear(8, 3)
        for bias in (self.first.bias_hh_l0, self.second.bias_hh_l0):
            nn.init.zeros_(bias)
            bias.requires_grad_(second_bias)

    def forward(self, x: Tensor) -> Tensor:
        sequence, _ = self.first(self.embedding(x.long()))
        sequence, _ = self.second(sequence)
        given: Tensor = self.out(torch.relu(self.dense(sequence[:, -1])))
        return given


def recurrent(kind: Any) -> keras.Model:
    return compiled(
        keras.Sequential(
            [
                keras.Input((7,)), kl.Embedding(20, 5), kind(6, return_sequences=True), kind(4),
                kl.Dense(8, activation="relu"), kl.Dense(3),
            ]
        )
    )  # fmt: skip


WORDS, CLASSES = RNG.integers(0, 20, (4, 7)), RNG.integers(0, 3, 4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("of_torch", "of_keras", "second_bias"),
    [(nn.LSTM, kl.LSTM, False), (nn.GRU, kl.GRU, True), (nn.RNN, kl.SimpleRNN, False)],
)
def test_a_recurrent_classifier_climbs_to_the_top(
    of_torch: Any, of_keras: Any, second_bias: bool
) -> None:
    port = Recurrent(of_torch, second_bias)
    done = climbed(trained(port), recurrent(of_keras), WORDS, CLASSES)
    assert done.passed, done
    assert not [rung.note for rung in done.rungs if "differs" in rung.note]


@pytest.mark.slow
def test_torchs_second_bias_learns_beside_the_first() -> None:
    done = climbed(trained(Recurrent(nn.LSTM, True)), recurrent(kl.LSTM), WORDS, CLASSES)
    step = rung(done, "1 step")
    assert next(broken.name for broken in done.rungs if not broken.passed) == step.name
    (cause,) = step.causes
    assert cause.name == "second bias"
    assert "for lstm_1.bias, lstm_2.bias (A), one step for each bias (B)" in cause.text


@pytest.mark.slow  # 50 layers, about a minute of CPU
def test_every_place_where_mobilenets_differ_is_named_in_one_climb() -> None:
    models = pytest.importorskip("torchvision.models")
    network = models.mobilenet_v2(weights=None, num_classes=10)
    x, y = RNG.normal(size=(4, 64, 64, 3)), RNG.integers(0, 10, 4)
    done = climbed(trained(ChannelsLast(network)), of_keras("MobileNetV2", 64), x, y)
    said = {cause.name: cause.text for cause in rung(done, "logits").causes}
    assert set(said) == {"padding", "batch-norm epsilon"}
    assert "conv_1" in said["padding"]
    assert "A pads 1 before and 1 behind, B pads 0 before and 1 behind" in said["padding"]
    assert count(said["padding"]) == 5
    assert count(said["batch-norm epsilon"]) == 52
    (moving,) = rung(done, "1 step").causes
    assert moving.name == "batch-norm momentum and batch-norm variance"
    assert count(moving.text) == 52


def rung(done: Climbed, name: str) -> Rung:
    return next(rung for rung in done.rungs if rung.name == name)


def count(text: str) -> int:
    """How many layers a cause is of."""
    where, _, _ = text.partition(": ")
    more = re.search(r" and (\d+) more$", where)
    return where.count(", ") + 1 + (int(more[1]) if more else 0)
