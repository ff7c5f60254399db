"""Files of weights without their model: by name, by number, by order, or refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("keras", reason="the extra keras is not installed")

import keras
from safetensors.torch import save_file
from torch import Tensor, nn

import parity.torch
from parity.arrays import Table
from parity.match.raw import canonical, put_back, read
from parity.sides.entries import built
from parity.sides.local import Local
from parity.sides.models import Models
from parity.torch.lockstep import LockStep
from parity.torch.model_files import load_weights, read_weights, takes, ways
from parity.transfer.fill import fill, refill
from parity.transfer.transfer import NoTransferError, Side
from tests.support.random_pairs import side


def arrays(module: nn.Module) -> Table:
    return {name: values.detach().numpy() for name, values in module.state_dict().items()}


def square(*names: str) -> nn.ModuleDict:
    """Layers of one shape, called and declared so."""
    return nn.ModuleDict({name: nn.Linear(3, 3) for name in names})


class Deep(nn.Module):
    """Twelve layers of one shape; the alphabet has the eleventh behind the first."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(3, 3) for _ in range(12)])

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.tanh(layer(x))
        return x


def in_keras() -> keras.Model:
    layers = [keras.layers.Dense(3, activation="tanh") for _ in range(12)]
    return keras.Sequential([keras.Input((3,)), *layers])


def test_a_file_with_the_names_of_b_goes_in_by_these(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Deep()
    mixed = {f"module.{name}": module.state_dict()[name] for name in sorted(module.state_dict())}
    file = tmp_path / "deep.pt"
    torch.save({"epoch": 3, "state_dict": mixed}, file)
    done = fill(
        {name: v.numpy() for name, v in mixed.items()},
        "torch",
        str(file),
        side("B", Deep()),
        tmp_path / "out.pt",
    )
    assert "not proven" not in done.notes[0]
    written = torch.load(tmp_path / "out.pt")
    assert all(torch.equal(values, written[name]) for name, values in module.state_dict().items())


@pytest.mark.parametrize("ending", [".safetensors", ".weights.h5"])
def test_layers_of_one_row_come_by_their_numbers(ending: str, tmp_path: Path) -> None:
    file = tmp_path / f"deep{ending}"
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    if ending == ".safetensors":
        module = Deep()
        save_file(module.state_dict(), file)
        with torch.no_grad():
            expected = module(torch.from_numpy(x)).numpy()
        b, out = side("B", in_keras()), tmp_path / "out.keras"
    else:
        model = in_keras()
        model.save_weights(file)
        expected = model.predict(x, verbose=0)
        b, out = side("B", Deep()), tmp_path / "out.pt"
    bare = Models()
    tensors = bare.open(str(file))
    tensors.pop("about")
    named = {name.removeprefix("tensor "): values for name, values in tensors.items()}
    fill(named, bare.framework, str(file), b, out)
    if out.suffix == ".keras":
        given = keras.models.load_model(out).predict(x, verbose=0)
    else:
        module = Deep()
        module.load_state_dict(torch.load(out))
        given = module(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(given, expected, atol=1e-6)


def test_numbers_count_more_than_the_order_of_declaration() -> None:
    assert list(read(arrays(square("fc2", "fc1", "out")), "torch").called.values()) == [
        "fc1", "fc2", "out"
    ]  # fmt: skip


def test_layers_that_only_the_alphabet_orders_are_refused_by_name(tmp_path: Path) -> None:
    tensors = arrays(square("back", "front"))
    layers = [keras.Input((3,)), keras.layers.Dense(3), keras.layers.Dense(3)]
    b = side("B", keras.Sequential(layers))
    with pytest.raises(NoTransferError, match="back and front are of equal shapes"):
        fill(tensors, "torch", "net.safetensors", b, tmp_path / "out.keras")
    fill(arrays(square("front", "back")), "torch", "net.pt", b, tmp_path / "out.keras")


def test_equal_layers_in_branches_are_not_guessed(tmp_path: Path) -> None:
    x = keras.Input((3,))
    both = [keras.layers.Dense(3, name=name)(x) for name in ("one", "two")]
    b = side("B", keras.Model(x, keras.layers.Subtract()(both)))
    with pytest.raises(
        NoTransferError, match="one and two of B are of equal shapes and in branches"
    ):
        fill(arrays(square("fc1", "fc2")), "torch", "net.pt", b, tmp_path / "out.keras")


def test_a_norm_that_lacks_a_part_is_not_told_from_numbers() -> None:
    parts = {f"layers/batch_normalization/vars.{n}": np.ones(3, np.float32) for n in range(3)}
    assert "batch_norm_1.scale" not in canonical(parts, "keras")


@pytest.mark.parametrize("shape", [(2, 5, 6, 3), (2, 4, 5, 6, 3)])
def test_images_and_volumes_are_given_channels_first(shape: tuple[int, ...]) -> None:
    way, given = next(iter(ways(np.zeros(shape, np.float32))))
    assert (way, given.shape) == ("channels first", (2, 3, *shape[1:-1]))


def test_raw_digits_get_the_channel_that_a_convolution_wants(tmp_path: Path) -> None:
    x, y = np.ones((3, 28, 28), np.uint8), np.arange(3)
    np.savez(tmp_path / "d.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 26 * 26, 10))
    step = LockStep(module, torch.optim.SGD(module.parameters(), 0.1), nn.CrossEntropyLoss())
    step.read(tmp_path / "d.npz")
    assert step.forward(x, training=False)["logits"].shape == (3, 10)


@pytest.mark.parametrize(("value", "word"), [(torch.nan, "NaN"), (torch.inf, "infinity")])
def test_weights_that_are_no_numbers_are_refused_by_the_layers_name(
    value: float, word: str, tmp_path: Path
) -> None:
    module = square("front", "back")
    nn.init.constant_(module.get_parameter("back.weight"), value)
    with pytest.raises(NoTransferError, match=rf"back of net.pt \(dense_2.kernel\) holds {word}"):
        fill(arrays(module), "torch", "net.pt", side("B", Deep()), tmp_path / "out.pt")


WEIGHTS = {"fc.weight": torch.ones(2, 2), "fc.bias": torch.ones(2)}
STEPS = {"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": []}


@pytest.mark.parametrize(
    "kept",
    [
        WEIGHTS,
        {"epoch": 3, "state_dict": WEIGHTS, "best": torch.tensor(0.9)},
        {"weights_of_ema": WEIGHTS, "optimizer": STEPS},
        {"model": {"state_dict": WEIGHTS}, "optimizer_state_dict": STEPS},
        {"state_dict": WEIGHTS, "ema": {name: v + 1 for name, v in WEIGHTS.items()}},
    ],
)
def test_weights_are_found_where_trainings_keep_them(kept: Any, tmp_path: Path) -> None:
    torch.save(kept, tmp_path / "kept.pth.tar")
    found = read_weights(tmp_path / "kept.pth.tar")
    assert found.keys() == WEIGHTS.keys()
    assert all(torch.equal(found[name], values) for name, values in WEIGHTS.items())


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ({"generator": WEIGHTS, "critic": WEIGHTS}, "under generator, critic; save one of them"),
        (STEPS, "holds no tensors by name"),
        (list(WEIGHTS.values()), "holds no tensors by name"),
        (nn.Linear(2, 2), "holds whole objects"),
        (b"", "is empty"),
        (b"hello", "not a file of torch"),
    ],
)
def test_a_file_that_holds_no_weights_is_refused_in_a_sentence(
    kept: Any, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "kept.pt"
    if isinstance(kept, bytes):
        file.write_bytes(kept)
    else:
        torch.save(kept, file)
    with pytest.raises(ValueError, match=said):
        read_weights(file)


def test_what_is_in_front_of_every_name_may_differ_on_either_side(tmp_path: Path) -> None:
    inner = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    wrapped = nn.Module()
    wrapped.model = nn.ModuleDict({"net": inner})
    for ahead in ("", "module.", "_orig_mod.module."):
        state = {f"{ahead}{name}": values + 1 for name, values in inner.state_dict().items()}
        torch.save(state, tmp_path / "net.pt")
        load_weights(wrapped, tmp_path / "net.pt")
        assert torch.equal(inner.state_dict()["1.bias"], state[f"{ahead}1.bias"])


def test_what_a_module_takes_is_found_though_it_declares_first_what_works_last() -> None:
    class Coder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.decoder, self.encoder = nn.Linear(2, 7), nn.Linear(7, 2)

        def forward(self, x: Tensor) -> Tensor:
            given: Tensor = self.decoder(self.encoder(x))
            return given

    assert takes(Coder()) == ((7,), "float32")


def test_an_entry_point_that_asks_for_more_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text("def build(width): ...\n")
    with pytest.raises(ValueError, match="asks for width, which nobody knows here"):
        built(f"{tmp_path / 'nets.py'}:build", [], "float32")
    with pytest.raises(ValueError, match=r"expected MODULE:FUNCTION.* or a file that ends in"):
        Models().open("net.onnx")


def test_weights_without_a_model_are_matched_and_said_to_be_unproven(tmp_path: Path) -> None:
    port = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Linear(5, 2))
    parts = [keras.layers.Dense(5), keras.layers.BatchNormalization(), keras.layers.Dense(2)]
    b = side("B", keras.Sequential([keras.Input((6,)), *parts]))
    done = fill(arrays(port), "torch", "net.pt", b, tmp_path / "out.keras")
    assert "not proven" in done.notes[0]
    kernel = keras.models.load_model(tmp_path / "out.keras").layers[0].kernel
    np.testing.assert_array_equal(
        np.asarray(kernel), port.get_parameter("0.weight").detach().numpy().T
    )


class Flattening(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.out = nn.Conv2d(1, 3, 3), nn.Linear(12, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        given: torch.Tensor = self.out(self.conv(x).relu().flatten(1))
        return given


def test_weights_of_torch_without_a_model_are_told_as_those_of_the_module() -> None:
    module = Flattening()
    tensors = arrays(module)
    own = parity.torch.weights(module, np.zeros((2, 1, 4, 4), np.float32))
    found = canonical(tensors, "torch")
    assert found.keys() == own.keys()
    for name, values in own.items():
        np.testing.assert_array_equal(found[name], values)
    same = put_back({name: np.zeros_like(values) for name, values in tensors.items()}, own)
    for name, values in tensors.items():
        np.testing.assert_array_equal(same[name], values)


def test_the_class_weights_of_a_loss_are_no_layer_of_a_file() -> None:
    file = {"net.weight": np.ones((2, 3)), "net.bias": np.ones(2), "criterion.weight": np.ones(2)}
    assert [*read(file, "torch").weights] == ["dense_1.kernel", "dense_1.bias"]


def test_a_file_of_weights_alone_is_filled(tmp_path: Path) -> None:
    layers = [keras.Input((4, 4, 1)), keras.layers.Conv2D(3, 3, activation="relu")]
    model = keras.Sequential([*layers, keras.layers.Flatten(), keras.layers.Dense(2)])
    module = Flattening()
    torch.save(module.state_dict(), tmp_path / "net.pt")
    tensors = arrays(module)
    bare = Models()
    bare.open(str(tmp_path / "net.pt"))
    b = Side("net.pt", "torch", Local("net.pt", bare), None)
    done = refill(side("A", model), "A", tensors, b, tmp_path / "out.pt")
    assert "not proven" in done.notes[0]
    module.load_state_dict(torch.load(tmp_path / "out.pt"))
    x = np.random.default_rng(0).normal(size=(3, 4, 4, 1)).astype(np.float32)
    answers = module(torch.from_numpy(x.transpose(0, 3, 1, 2))).detach().numpy()
    np.testing.assert_allclose(answers, model.predict(x, verbose=0), atol=1e-5)


def test_a_weight_that_a_file_keeps_in_two_tensors_is_not_filled() -> None:
    tensors = {n: v.detach().numpy() for n, v in nn.LSTM(2, 3).state_dict(prefix="l.").items()}
    with pytest.raises(ValueError, match="sums of two"):
        put_back(tensors, canonical(tensors, "torch"))
