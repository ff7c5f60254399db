"""Weights of one model in another: matched without names, proven on data, or refused by layer."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("keras", reason="the extra keras is not installed")

import h5py
import keras
from keras import layers as kl
from torch import Tensor, nn

from parity.sides.models import Models
from parity.transfer.alike import gap
from parity.transfer.transfer import DifferentError, NoTransferError, Transfer, transfer
from tests.conftest import Here, mostly_slow
from tests.support.random_pairs import matched, side


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(seed, marks=[] if seed in (0, 57) else pytest.mark.slow)
        for seed in (*range(39), 57)
    ],
)
def test_a_random_network_is_matched_with_its_port(seed: int, tmp_path: Path) -> None:
    assert matched(seed, tmp_path) == "right"


class Branches(nn.Module):
    """Two layers of one shape that are fed the same: only what follows tells them apart."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(6, 4), nn.Linear(6, 4)
        self.end = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        second = torch.tanh(self.right(x))
        given: Tensor = self.end(torch.relu(self.left(x)) * second)
        return given


def branches() -> keras.Model:
    x = keras.Input((6,))
    left = kl.Dense(4, activation="relu")(x)
    return keras.Model(x, kl.Dense(2)(kl.Multiply()([left, kl.Dense(4, activation="tanh")(x)])))


class Own(nn.Module):
    """Linear layers of somebody's own, square, so that shapes do not tell which way they lie."""

    class Line(nn.Module):
        """As a textbook has it."""

        def __init__(self) -> None:
            super().__init__()
            self.b = nn.Parameter(torch.zeros(5))
            self.w = nn.Parameter(torch.randn(5, 5))

        def forward(self, x: Tensor) -> Tensor:
            return x @ self.w.T + self.b

    def __init__(self) -> None:
        super().__init__()
        self.a, self.z = Own.Line(), Own.Line()

    def forward(self, x: Tensor) -> Tensor:
        given: Tensor = self.z(torch.sigmoid(self.a(x)))
        return given


class Stacked(nn.Module):
    """Two recurrent layers in one."""

    def __init__(self, kind: type) -> None:
        super().__init__()
        self.words = nn.Embedding(30, 4)
        self.memory = kind(4, 6, num_layers=2, batch_first=True)
        self.end = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        given: Tensor = self.end(self.memory(self.words(x))[0][:, -1])
        return given


class BothWays(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.memory = nn.LSTM(3, 4, batch_first=True, bidirectional=True)
        self.end = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        given: Tensor = self.end(self.memory(x)[0])
        return given


def chain(*parts: Any) -> keras.Model:
    return keras.Sequential(list(parts))


PAIRS: dict[str, tuple[Callable[[], keras.Model], Callable[[], nn.Module]]] = {
    "branches in another order": (branches, Branches),
    "square kernels of somebody's own": (
        lambda: chain(keras.Input((5,)), kl.Dense(5, activation="sigmoid"), kl.Dense(5)), Own,
    ),
    "stacked LSTMs": (
        lambda: chain(
            keras.Input((7,)), kl.Embedding(30, 4), kl.LSTM(6, return_sequences=True), kl.LSTM(6),
            kl.Dense(3),
        ),
        lambda: Stacked(nn.LSTM),
    ),
    "stacked GRUs": (
        lambda: chain(
            keras.Input((7,)), kl.Embedding(30, 4), kl.GRU(6, return_sequences=True), kl.GRU(6),
            kl.Dense(3),
        ),
        lambda: Stacked(nn.GRU),
    ),
    "both ways": (
        lambda: chain(
            keras.Input((6, 3)), kl.Bidirectional(kl.LSTM(4, return_sequences=True)), kl.Dense(2)
        ),
        BothWays,
    ),
    "a dense layer and a convolution of 1 x 1": (
        lambda: chain(keras.Input((3, 3, 2)), kl.Dense(4, activation="relu"), kl.Conv2D(2, 3)),
        lambda: nn.Sequential(nn.Conv2d(2, 4, 1), nn.ReLU(), nn.Conv2d(4, 2, 3)),
    ),
    "convolutions of one axis": (
        lambda: chain(keras.Input((9, 2)), kl.Conv1D(4, 3), kl.Flatten(), kl.Dense(3)),
        lambda: nn.Sequential(nn.Conv1d(2, 4, 3), nn.Flatten(), nn.Linear(28, 3)),
    ),
    "a softmax in the model and none": (
        lambda: chain(keras.Input((8,)), kl.Dense(5, activation="softmax")),
        lambda: nn.Sequential(nn.Linear(8, 5)),
    ),
    "a dense layer at each time": (
        lambda: chain(keras.Input((5, 6)), kl.TimeDistributed(kl.Dense(3, activation="softmax"))),
        lambda: nn.Sequential(nn.Linear(6, 3)),
    ),
    "a bias that does nothing": (
        lambda: chain(keras.Input((8,)), kl.Dense(5, use_bias=False), kl.Dense(4)),
        lambda: nn.Sequential(nn.Linear(8, 5), nn.Linear(5, 4)),
    ),
}  # fmt: skip


def carried(a: Any, b: Any, target: Path) -> Transfer:
    return transfer(side("A", a), side("B", b), target)


@pytest.mark.parametrize(
    "name",
    mostly_slow(
        PAIRS,
        "a dense layer at each time",
        "branches in another order",
        "both ways",
        "a bias that does nothing",
    ),
)
def test_a_pair_is_matched_and_the_file_answers_alike(name: str, tmp_path: Path) -> None:
    keras.utils.clear_session()
    torch.manual_seed(0)
    model, port = (make() for make in PAIRS[name])
    done = carried(model, port, tmp_path / "out.safetensors")
    assert done.gap <= 1e-5
    assert {name for pair in done.pairs for name in pair.b.parts.values()} == {
        tie.target for pair in done.pairs for tie in pair.ties if tie.target
    }
    back = carried(port, PAIRS[name][0](), tmp_path / "back.keras")
    assert back.gap <= 1e-5


class Narrow(nn.Module):
    def __init__(self, **norm: Any) -> None:
        super().__init__()
        self.first, self.norm, self.last = (
            nn.Linear(6, 5),
            nn.BatchNorm1d(5, **norm),
            nn.Linear(5, 2),
        )

    def forward(self, x: Tensor) -> Tensor:
        given: Tensor = self.last(torch.relu(self.norm(self.first(x))))
        return given


def normed() -> keras.Model:
    return chain(keras.Input((6,)), kl.Dense(5), kl.BatchNormalization(), kl.ReLU(), kl.Dense(2))


def test_a_sound_port_is_carried_over(tmp_path: Path) -> None:
    carried(normed(), Narrow(eps=1e-3), tmp_path / "out.pt")


@pytest.mark.parametrize(
    ("port", "error", "said"),
    [
        (Narrow, DifferentError, "batch_norm_1: A adds epsilon 0.001 to the variance, B adds"),
        (
            lambda: nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2)),
            NoTransferError,
            r"\(dense: kernel \[6, 5\], bias \[5\]\) of A fits no layer of B, which has 0 \(",
        ),
        (
            lambda: nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5, eps=1e-3), nn.Linear(5, 2)),
            DifferentError,
            "dense_2 .* before it A has activation_1 and B nothing",
        ),
        (
            lambda: nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2)),
            NoTransferError,
            r"batch_normalization\w* .* of A fits no layer of B",
        ),
    ],
)
def test_what_does_not_fit_is_refused_and_the_layer_named(
    port: Callable[[], nn.Module], error: type[Exception], said: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=said):
        carried(normed(), port(), tmp_path / "out.pt")
    assert not (tmp_path / "out.pt").exists()


def test_answers_are_compared_behind_the_softmax_that_only_one_side_has() -> None:
    logits = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 4.0]], np.float32)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    apart, note = gap(shares, logits)
    assert apart < 1e-6
    assert note == "A ends in a softmax that B leaves to its loss"
    assert gap(shares, logits[::-1])[0] > 0.1
    assert gap(logits, np.log(shares))[1] == "B ends in a log-softmax that A leaves to its loss"
    few = np.array([[0.2], [0.7]], np.float32)  # logits that might be probabilities
    assert "sigmoid" in gap(1 / (1 + np.exp(-few)), few[:, 0])[1]


PROGRAM = """
import keras
import torch
from torch import nn

def in_keras():
    layers = [keras.Input((6,)), keras.layers.Dense(5, activation="relu"), keras.layers.Dense(2)]
    return keras.Sequential(layers)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.out, self.hidden = nn.Linear(5, 2), nn.Linear(6, 5)
    def forward(self, x):
        return self.out(torch.relu(self.hidden(x)))
"""


@pytest.mark.slow  # starts two processes
def test_the_command_says_which_tensor_went_where(parity_here: Here, tmp_path: Path) -> None:
    program = tmp_path / "nets.py"
    program.write_text(PROGRAM)
    done = parity_here("transfer", f"{program}:in_keras", f"{program}:Net", "--out", "net.pt")
    assert done.code == 0, done.err
    assert "dense (dense_1.kernel) -> hidden (dense_1.kernel)" in done.out
    assert set(torch.load(tmp_path / "net.pt")) == {
        "out.weight", "out.bias", "hidden.weight", "hidden.bias"
    }  # fmt: skip
    done = parity_here("transfer", f"{program}:Net@net.pt", f"{program}:in_keras", "--out", "a.pt")
    assert done.code == 2
    assert "expected a name that ends in .keras" in done.err


def test_weights_of_a_few_bytes_stay_that_small(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(1).expand(10**6, 10**6)}, tmp_path / "wide.pt")
    os.mkfifo(tmp_path / "pipe.pt")
    with h5py.File(tmp_path / "wide.weights.h5", "w") as file:
        file.create_dataset("layers/dense/vars/0", (10**6, 10**4), "f4", compression="gzip")
    outside = [(str(tmp_path / "wide.pt"), 0, 40)]
    with h5py.File(tmp_path / "other.weights.h5", "w") as file:
        file.create_dataset("layers/dense/vars/0", (10,), "f4", external=outside)
    for name, said in (
        ("wide.pt", "w has shape \\(1000000, 1000000\\), the file"),
        ("pipe.pt", "expected a file"),
        ("wide.weights.h5", "not within the file"),
        ("other.weights.h5", "not within the file"),
    ):
        with pytest.raises(ValueError, match=said):
            Models().open(str(tmp_path / name))


def test_a_layer_that_plays_no_part_stays_and_is_said(tmp_path: Path) -> None:
    class Spare(nn.Sequential):
        def __init__(self) -> None:
            super().__init__(nn.Linear(6, 2))
            self.unused = nn.Linear(2, 2)

        def forward(self, x: Tensor) -> Tensor:
            given: Tensor = self[0](x)
            return given

    done = carried(chain(keras.Input((6,)), kl.Dense(2)), Spare(), tmp_path / "out.pt")
    assert any(note.startswith("unused ") and "plays no part" in note for note in done.notes)
