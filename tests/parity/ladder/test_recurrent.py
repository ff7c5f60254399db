"""Recurrent layers: which of their states a program takes, and files that hold only weights."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

pytest.importorskip("keras", reason="the extra keras is not installed")

import keras

from parity.keras.model_files import read_weights
from parity.ladder.together import Climbed, ladder
from parity.readings import recurrent
from parity.transfer.fill import fill
from tests.support.random_pairs import side

RNG = np.random.default_rng(4)
X, Y = RNG.normal(size=(16, 5, 4)), RNG.integers(0, 3, 16)


class Net(nn.Module):
    """A recurrent layer, one of whose states is classified."""

    def __init__(self, cell: nn.RNNBase, state: int = 0, layer: int = -1) -> None:
        super().__init__()
        self.cell, self.head = cell, nn.Linear(6, 3)
        self.state, self.layer = state, layer

    def forward(self, x: Tensor) -> Tensor:
        ends = self.cell(x)[1]
        ends = ends if isinstance(ends, tuple) else (ends,)
        answer: Tensor = self.head(ends[self.state][self.layer])
        return answer


def lstm(layers: int = 1) -> nn.RNNBase:
    return nn.LSTM(4, 6, layers, batch_first=True)


def gru(layers: int = 1) -> nn.RNNBase:
    return nn.GRU(4, 6, layers, batch_first=True)


def climbed(a: nn.Module, b: nn.Module) -> Climbed:
    sides = [(m, torch.optim.SGD(m.parameters(), 0.1), nn.CrossEntropyLoss()) for m in (a, b)]
    return ladder(sides[0], sides[1], X, Y, batch_size=8)


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (Net(lstm()), Net(lstm(), 1), "the last place of the cells of lstm_1"),
        (Net(lstm(2)), Net(lstm(2), layer=0), "the last place of layer 1 of lstm_1"),
        (Net(lstm(2)), Net(lstm(2), 1), "the last place of the cells of layer 2 of lstm_1"),
        (Net(gru(2)), Net(gru(2), layer=0), "the last place of layer 1 of gru_1"),
    ],
)
def test_another_state_is_named(a: nn.Module, b: nn.Module, words: str) -> None:
    ((name, text),) = [(c.name, c.text) for r in climbed(a, b).rungs for c in r.causes]
    assert name == "connections"
    assert f"B feeds it {words};" in text


def test_the_same_state_is_no_difference() -> None:
    assert climbed(Net(lstm(2), 1, 0), Net(lstm(2), 1, 0)).passed


def test_states_within_are_those_of_the_layer() -> None:
    cell: Any = lstm(2).double()
    held = recurrent.within(_canonical(cell), "lstm_1", X)
    with torch.no_grad():
        first = nn.LSTM(4, 6, batch_first=True).double()
        first.load_state_dict({n: w for n, w in cell.state_dict().items() if n.endswith("l0")})
        (below, _), (_, cells) = first(torch.from_numpy(X)), cell(torch.from_numpy(X))[1]
    np.testing.assert_allclose(held["layer 1 of lstm_1"], below.numpy(), atol=1e-12)
    at_the_end = held["the cells of layer 2 of lstm_1"][:, -1]
    np.testing.assert_allclose(at_the_end, cells[1].numpy(), atol=1e-12)
    assert recurrent.within(_canonical(cell), "gru_1", X) == {}


def _canonical(cell: nn.LSTM) -> dict[str, np.ndarray]:
    found = {}
    for depth, after in enumerate(("", "_l1")):
        own = {n: w.detach().numpy() for n, w in cell.named_parameters() if n.endswith(str(depth))}
        found[f"lstm_1.kernel{after}"] = own[f"weight_ih_l{depth}"].T
        found[f"lstm_1.recurrent_kernel{after}"] = own[f"weight_hh_l{depth}"].T
        found[f"lstm_1.bias{after}"] = own[f"bias_ih_l{depth}"] + own[f"bias_hh_l{depth}"]
    return found


class Ends(nn.Module):
    """What a recurrent layer ends with, in both directions, in a dense layer."""

    def __init__(self, cell: nn.RNNBase) -> None:
        super().__init__()
        ways = 2 if cell.bidirectional else 1
        self.cell, self.head = cell, nn.Linear(4 * ways, 2)

    def forward(self, x: Tensor) -> Tensor:
        ends = self.cell(x)[1]
        ends = ends[0] if isinstance(ends, tuple) else ends
        answer: Tensor = self.head(torch.cat([*ends], 1))
        return answer


@pytest.mark.parametrize(
    ("layer", "cell"),
    [
        (keras.layers.SimpleRNN(4), nn.RNN(3, 4, batch_first=True)),
        (
            keras.layers.Bidirectional(keras.layers.LSTM(4)),
            nn.LSTM(3, 4, batch_first=True, bidirectional=True),
        ),
        (
            keras.layers.Bidirectional(keras.layers.GRU(4)),
            nn.GRU(3, 4, batch_first=True, bidirectional=True),
        ),
    ],
    ids=["SimpleRNN", "LSTM both ways", "GRU both ways"],
)
def test_raw_weights_of_recurrent_layers(layer: Any, cell: nn.RNNBase, tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((5, 3)), layer, keras.layers.Dense(2)])
    model.set_weights([0.3 * np.random.default_rng(1).normal(size=w.shape) for w in model.weights])
    x = np.random.default_rng(0).normal(size=(4, 5, 3)).astype(np.float32)
    model.save_weights(file := tmp_path / "raw.weights.h5")
    port = Ends(cell)
    b = replace(side("B", port), takes=((5, 3), "float32"))
    fill(read_weights(file), "keras", str(file), b, out := tmp_path / "out.pt")
    port.load_state_dict(torch.load(out))
    given = port(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(given, model.predict(x, verbose=0), atol=1e-6)
