"""`compare` and `diagnose` on models: whole ones and programs, asked on a test set."""

import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

keras = pytest.importorskip("keras", reason="the extra keras is not installed")

from torch import Tensor, nn  # noqa: E402

from parity.sides import models, predicted  # noqa: E402
from parity.sides.jobs import SideFailedError  # noqa: E402
from parity.sides.local import Local  # noqa: E402
from parity.sides.predicted import SCALES, as_files, is_model  # noqa: E402
from parity.sides.remote import Remote  # noqa: E402
from parity.torch.model_files import load_weights  # noqa: E402
from tests.conftest import ROOT, Here, make_digits  # noqa: E402

DIGITS = make_digits(train_per_class=20, test_per_class=8)
NUMBER = 10
"""Of classes."""


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models are asked in this process."""
    local = lambda name, *_: nullcontext(Local(name, models.Models()))  # noqa: E731
    monkeypatch.setattr(predicted, "Remote", local)


@pytest.fixture
def data(tmp_path: Path) -> str:
    path = tmp_path / "digits.npz"
    np.savez(
        path,
        x_train=DIGITS.train_images, y_train=DIGITS.train_labels,
        x_test=DIGITS.test_images, y_test=DIGITS.test_labels[:, None],
    )  # fmt: skip
    return str(path)


def nearest() -> list[np.ndarray[Any, Any]]:
    """Kernel [784, 10] and bias [10]: scores fall with the distance to the mean of each class."""
    means = class_means().T
    return [means / 2, -(means**2).sum(axis=0) / 4]


def class_means() -> np.ndarray[Any, Any]:
    """[10, 784], 0 to 1."""
    x = DIGITS.train_images.reshape(-1, 784) / 255
    return np.stack([x[DIGITS.train_labels == n].mean(axis=0) for n in range(NUMBER)])


def in_keras(shape: tuple[int, ...] = (28, 28)) -> Any:
    layers = [keras.layers.Flatten(), keras.layers.Dense(NUMBER)]
    model = keras.Sequential([keras.Input(shape), *layers])
    model.set_weights(nearest())
    return model


class Near(nn.Module):
    """Knows a class by its mean, at one scale alone."""

    def __init__(self, scale: str) -> None:
        super().__init__()
        divisor, less = SCALES[scale]
        self.width = 28 * 255 / divisor
        self.means = torch.tensor(class_means() * 255 / divisor - less, dtype=torch.float32)

    def forward(self, x: Tensor) -> Any:
        return 9 * torch.exp(-((10 * torch.cdist(x.flatten(1), self.means) / self.width) ** 2))


def in_torch() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, NUMBER))


class Backwards(nn.Module):
    """Recurrent, times first: it would take samples for times without complaint."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head = nn.RNN(28, 5), nn.Linear(5, NUMBER)

    def forward(self, x: Tensor) -> Any:
        return self.head(self.rnn(x)[0][-1])


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(256, NUMBER)
        nn.init.eye_(self.table.weight)

    def forward(self, x: Tensor) -> Any:
        return self.table(x)[:, 0]


def lossy() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 784))


def answered(model: object, source: str, folder: Path) -> dict[str, Any]:
    (path,) = as_files([Path(str(model))], source, None, folder / "out")
    assert path.name == Path(str(model)).name
    with np.load(path / "predictions.npz") as arrays:
        return dict(arrays)


def right(said: dict[str, Any]) -> float:
    return float((said["scores"].argmax(axis=1) == said["labels"].reshape(-1)).mean())


@pytest.mark.parametrize("scale", SCALES)
def test_bytes_are_fed_at_the_likeliest_scale_and_that_is_said(
    scale: str,
    data: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "near", lambda: Near(scale), raising=False)
    assert right(answered(f"{__name__}:near", data, tmp_path)) > 0.9
    said = capsys.readouterr().err
    assert f"is fed values {scale}, the likeliest: of 200 samples of x_train" in said
    assert "may be what is wrong" not in said


def test_sigmoids_that_are_surer_and_err_more_are_less_likely() -> None:
    labels = np.arange(100) % NUMBER
    sure = np.eye(NUMBER)[np.where(np.arange(100) < 90, labels, (labels + 1) % NUMBER)]
    unsure = np.where(np.eye(NUMBER)[labels] > 0, 0.7, 0.05)
    assert unsure.sum(axis=1).max() > 1.1  # no distribution
    (_, loss), (_, other) = (predicted._right_and_loss(x, labels, "") for x in (sure, unsure))
    assert other < loss


@pytest.mark.parametrize("shape", [(784,), (28, 28, 1), (1, 28, 28)])
@pytest.mark.parametrize("ending", [".keras", ".h5", ".hdf5"])
def test_a_whole_keras_model_of_any_shape(
    shape: tuple[int, ...], ending: str, data: str, tmp_path: Path
) -> None:
    in_keras(shape=shape).save(tmp_path / f"theirs{ending}")
    assert right(answered(tmp_path / f"theirs{ending}", data, tmp_path)) > 0.9


def test_a_program_with_the_weights_of_a_file(data: str, tmp_path: Path) -> None:
    kernel, bias = (torch.tensor(values, dtype=torch.float32) for values in nearest())
    state = {"module.1.weight": kernel.T.contiguous(), "module.1.bias": bias}
    torch.save({"model": state, "epoch": 3}, tmp_path / "theirs.pt")
    model = f"{__name__}:in_torch@{tmp_path / 'theirs.pt'}"
    assert right(answered(model, data, tmp_path)) > 0.9


def test_each_sample_gets_one_answer(data: str, tmp_path: Path) -> None:
    said = answered(f"{__name__}:Backwards", data, tmp_path)
    assert said["scores"].shape == (80, NUMBER)


def test_floats_and_words_are_fed_as_they_are(tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "theirs.npz"
    np.savez(file, x_test=DIGITS.test_images / 255, y_test=DIGITS.test_labels)
    in_keras().save(tmp_path / "theirs.keras")
    assert right(answered(tmp_path / "theirs.keras", str(file), tmp_path)) > 0.9
    words = np.arange(40).reshape(20, 2) % NUMBER
    np.savez(file, x_test=words.astype(np.uint8), y_test=words[:, 0])
    assert right(answered(f"{__name__}:Words", str(file), tmp_path)) == 1.0
    assert not capsys.readouterr().err


def test_a_model_that_reads_no_scale_may_have_been_fed_another(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answered(f"{__name__}:in_torch", data, tmp_path)
    assert "may be what is wrong" in capsys.readouterr().err


def test_both_commands_ask_models_and_read_files_as_ever(
    data: str, tmp_path: Path, parity_here: Here
) -> None:
    in_keras().save(tmp_path / "ours.keras")
    said = answered(tmp_path / "ours.keras", data, tmp_path)
    np.savez(tmp_path / "theirs.npz", labels=said["labels"], logits=said["scores"])
    flags = ("--data.source", data)
    done = parity_here("diagnose", tmp_path / "ours.keras", *flags)
    assert done.code == 0
    assert "ours.keras: 80 images" in done.out
    done = parity_here("compare", tmp_path / "ours.keras", tmp_path / "theirs.npz", *flags)
    assert "ours.keras (A) and theirs.npz (B)" in done.out
    done = parity_here("diagnose", tmp_path / "ours.keras", "--images", data)
    assert done.code == 2
    assert "--images needs a run" in done.err


@pytest.mark.parametrize(
    ("model", "arrays", "error"),
    [
        ("lossy", {}, "gives as many values as it is fed"),
        ("in_torch", {"x_test": np.zeros((4, 3))}, "takes no batch of shape"),
        ("in_torch", {"y_test": None}, "expected x_test, y_test"),
        ("in_torch", {"y_test": np.arange(80)}, "labels up to 79"),
    ],
)
def test_what_cannot_be_asked_is_a_sentence(
    model: str, arrays: dict[str, Any], error: str, tmp_path: Path
) -> None:
    file = tmp_path / "theirs.npz"
    held: dict[str, Any] = {"x_test": DIGITS.test_images, "y_test": DIGITS.test_labels} | arrays
    np.savez(file, **{name: values for name, values in held.items() if values is not None})
    with pytest.raises((SideFailedError, ValueError), match=error):
        answered(f"{__name__}:{model}", str(file), tmp_path)


def test_what_is_asked_is_told_from_what_is_read(tmp_path: Path) -> None:
    in_keras().save_weights(tmp_path / "theirs.weights.h5")
    torch.save(in_torch().state_dict(), tmp_path / "a:theirs.pt")
    for file in tmp_path.iterdir():  # weights are refused as answers, with what to give
        assert not is_model(file)
    assert not is_model(tmp_path)
    assert is_model(Path("net.py:Net"))
    assert is_model(Path("missing.keras"))


def test_a_framework_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_keras().save(tmp_path / "theirs.keras")
    blocks = "import sys\nsys.modules['keras'] = None\n"
    (tmp_path / "sitecustomize.py").write_text(blocks, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")
    with (
        Remote("theirs.keras", tmp_path / "process", "parity.sides.models") as remote,
        pytest.raises(SideFailedError, match="not installed here: .*keras"),
    ):
        remote.ask("open", model=str(tmp_path / "theirs.keras"))


def test_a_network_is_found_beside_its_loss_and_beside_other_networks(tmp_path: Path) -> None:
    own, other = in_torch().state_dict(), in_torch().state_dict()
    named: Callable[..., Any] = lambda begin, state: {begin + n: v for n, v in state.items()}  # noqa: E731
    file = tmp_path / "theirs.ckpt"
    loss = {"loss.weight": torch.ones(NUMBER)}
    torch.save({"state_dict": named("net.", own) | loss}, file)
    module = in_torch()
    load_weights(module, file)
    assert all(torch.equal(value, own[name]) for name, value in module.state_dict().items())
    torch.save({"state_dict": named("net.", own) | named("average.", other) | loss}, file)
    with pytest.raises(ValueError, match="is of another module"):
        load_weights(module, file)
    torch.save({"other": Backwards().state_dict(), "mine": own}, file)
    load_weights(module, file)
    assert all(torch.equal(value, own[name]) for name, value in module.state_dict().items())
