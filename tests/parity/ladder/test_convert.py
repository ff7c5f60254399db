"""``parity convert``: proven on a test set, or nothing is written."""

import importlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("keras", reason="the extra keras is not installed")

import keras

import keras_reference.instruments.interchange
import lightning_mnist.instruments.interchange
from lightning_mnist.checkpoint import read_checkpoint
from lightning_mnist.instruments.interchange import read_module
from lightning_mnist.module import DigitClassifier
from parity.convert import conversion as convert
from parity.convert.conversion import DifferentError
from tests.conftest import Here
from tests.support.mlp_files import (
    ARCHITECTURES,
    Contents,
    changed,
    random_module,
    same_numbers,
    save_checkpoint,
)

pytestmark = pytest.mark.slow  # each test builds models in both frameworks
ENDINGS = (".ckpt", ".keras", ".safetensors")


def torch_logits(path: Path, images: np.ndarray) -> np.ndarray:
    checkpoint = read_checkpoint(path)
    flags = {k: v for k, v in checkpoint["hyper_parameters"].items() if k != "augmentation"}
    module = DigitClassifier(**flags)
    module.load_state_dict(checkpoint["state_dict"])
    with torch.no_grad():
        return np.asarray(module.eval()(torch.from_numpy(images)))


def keras_logits(path: Path, images: np.ndarray) -> np.ndarray:
    return np.asarray(keras.models.load_model(path).predict(images, verbose=0))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Both sides in this process, which saves seconds; the files that were made on the way."""
    made: list[Path] = []

    def translate(package: str, source: Path, target: Path, data: Path) -> str:
        made.append(target)
        interchange = importlib.import_module(f"{package}.instruments.interchange")
        return str(interchange.convert(source, target))

    def answers(forms: dict[str, Path], data: Path, folder: Path) -> dict[str, np.ndarray]:
        with np.load(data) as arrays:
            images = arrays["x_test"]
        return {
            ".keras": keras_logits(forms[".keras"], images),
            ".ckpt": torch_logits(forms[".ckpt"], images),
        }

    monkeypatch.setattr(convert, "_translate", translate)
    monkeypatch.setattr(convert, "_answers", answers)
    return made


@pytest.fixture
def models(tmp_path: Path) -> dict[str, Path]:
    """The architecture "gelu" in all three forms."""
    files = {ending: tmp_path / f"model{ending}" for ending in ENDINGS}
    save_checkpoint(random_module("gelu"), files[".ckpt"])
    lightning_mnist.instruments.interchange.convert(files[".ckpt"], files[".safetensors"])
    keras_reference.instruments.interchange.convert(files[".safetensors"], files[".keras"])
    return files


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_ten_architectures_go_to_keras_and_back_bit_for_bit(name: str, tmp_path: Path) -> None:
    module = random_module(name, seed=1)
    names = ("a.ckpt", "b.safetensors", "c.keras", "d.safetensors", "e.ckpt")
    files = [tmp_path / name for name in names]
    save_checkpoint(module, files[0])
    sizes = [
        side.instruments.interchange.convert(source, target)
        for side, source, target in zip(
            (lightning_mnist, keras_reference, keras_reference, lightning_mnist),
            files, files[1:], strict=False,
        )
    ]  # fmt: skip
    assert len(set(sizes)) == 1
    first, last = Contents(files[1]), Contents(files[3])
    assert same_numbers(first.tensors, last.tensors)
    (plan, weights), (same_plan, same_weights) = read_module(files[0]), read_module(files[4])
    assert plan == same_plan
    assert same_numbers(weights, same_weights)
    assert torch.equal(
        module.preprocessing.std, torch.load(files[4])["state_dict"]["preprocessing.std"]
    )
    images = np.random.default_rng(0).integers(0, 256, (200, 28, 28)).astype(np.uint8)
    with torch.no_grad():
        ours = module(torch.from_numpy(images)).numpy()
    assert np.abs(ours - keras_logits(files[2], images)).max() <= 1e-5
    np.testing.assert_array_equal(ours, torch_logits(files[4], images))


def test_there_are_ten_architectures_of_every_kind() -> None:
    flags = list(ARCHITECTURES.values())
    assert len(flags) == 10
    assert {len(flag["hidden"]) for flag in flags} >= {0, 1, 2, 4}
    activations = {flag.get("activation", "relu") for flag in flags}
    assert activations == {"relu", "gelu", "silu", "elu", "tanh", "sigmoid"}
    assert {flag.get("batch_norm", True) for flag in flags} == {True, False, "keras"}
    kinds = {flag.get("standardize", "none") for flag in flags}
    assert kinds == {"none", "dataset", "image"}


@pytest.mark.parametrize("target", ENDINGS)
@pytest.mark.parametrize("source", ENDINGS)
def test_any_form_becomes_any_other(
    source: str,
    target: str,
    quick: list[Path],
    models: dict[str, Path],
    tiny_npz: Path,
    tmp_path: Path,
    parity_here: Here,
) -> None:
    out = tmp_path / f"out{target}"
    out.write_text("former")
    done = parity_here("convert", models[source], out, "--data.source", tiny_npz)
    if source == target:
        assert done.code == 2
        assert "expected names with two different endings" in done.err
        assert out.read_text() == "former"
        return
    assert done.code == 0, done.err
    assert done.out.startswith(f"{models[source]} -> {out}: 2 layers, 5,589 parameters; the logits")
    assert "80 test images of tiny differ by at most" in done.out
    assert len(done.out.splitlines()) == 1
    assert len(quick) == 2
    assert {path.name for path in tmp_path.iterdir()} == {
        "tiny.npz", out.name, *(path.name for path in models.values()),
    }  # fmt: skip
    between = tmp_path / "again.safetensors"
    if target == ".safetensors":
        between = out
    else:
        importlib.import_module(f"{convert.SIDES[target]}.instruments.interchange").convert(
            out, between
        )
    expected = Contents(models[".safetensors"]).tensors
    assert same_numbers(Contents(between).tensors, expected)


def one(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    """Change one tensor of a .safetensors, and let the file be sound."""
    return changed(lambda c: c.tensors.update({name: change(c.tensors[name])}))


def first_plus(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def add(array: np.ndarray) -> np.ndarray:
        array = array.copy()
        array.flat[0] += value
        return array

    return add


TAMPERED: dict[str, Callable[[Path], None]] = {
    "a bias": one("dense_2.bias", first_plus(1e-3)),
    "a weight": one("dense_2.kernel", first_plus(1e-2)),
    "rows exchanged": one("dense_1.kernel", lambda array: array[::-1].copy()),
    "mean and offset": changed(
        lambda c: c.tensors.update(
            {
                "batch_norm_1.mean": c.tensors["batch_norm_1.offset"],
                "batch_norm_1.offset": c.tensors["batch_norm_1.mean"],
            }
        )
    ),
    "activation": changed(lambda c: c.configure(activation="silu")),
    "epsilon": changed(lambda c: c.configure(batch_norm={"epsilon": 1e-3, "momentum": 0.99})),
    "polarity": changed(lambda c: c.configure(invert=True)),
}
"""What may go wrong between two sound files."""


@pytest.mark.parametrize("name", TAMPERED)
@pytest.mark.parametrize(("source", "target"), [(".ckpt", ".keras"), (".keras", ".ckpt")])
def test_what_would_answer_otherwise_is_not_left(
    name: str,
    source: str,
    target: str,
    quick: list[Path],
    models: dict[str, Path],
    tiny_npz: Path,
    tmp_path: Path,
    parity_here: Here,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sound = convert._translate

    def tampering(package: str, of: Path, to: Path, data: Path) -> str:
        size = sound(package, of, to, data)
        if to.suffix == ".safetensors":
            TAMPERED[name](to)
        return size

    monkeypatch.setattr(convert, "_translate", tampering)
    out = tmp_path / f"out{target}"
    out.write_text("former")
    done = parity_here("convert", models[source], out, "--data.source", tiny_npz)
    assert done.code == 1
    (line,) = (line for line in done.err.splitlines() if line.startswith("error: "))
    assert "of 80 test images differ, by up to" in line
    assert "nothing was written" in line
    assert done.out == ""
    assert out.read_text() == "former"


@pytest.mark.parametrize(
    ("a", "b", "sound"),
    [
        (0.5, 0.5 + 9e-6, True), (0.5, 0.5 + 1.2e-5, False), (50.0, 50.0 + 1e-4, True),
        (50.0, 50.0 + 1e-3, False), (0.5, np.nan, False), (np.nan, np.nan, False),
        (np.inf, np.inf, False), (0.5, np.inf, False), (0.5, 1e30, False),
    ],
)  # fmt: skip
def test_the_tolerance_grows_with_the_largest_logit_of_both(
    a: float, b: float, sound: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits = {
        ending: np.array([[0, value], [0, 0.25]], np.float32)
        for ending, value in ((".keras", a), (".ckpt", b))
    }
    source, target = tmp_path / "a.keras", tmp_path / "a.ckpt"
    forms = {".ckpt": tmp_path / "made.ckpt"}
    forms[".ckpt"].write_text("made")
    monkeypatch.setattr(convert, "_forms", lambda *_: (forms, "1 layer"))
    monkeypatch.setattr(convert, "_answers", lambda *_: logits)
    if sound:
        convert.convert(source, target, tmp_path, tmp_path)
    else:
        with pytest.raises(DifferentError, match="the logits of 1 of 2 test images differ"):
            convert.convert(source, target, tmp_path, tmp_path)
    assert target.exists() == sound


@pytest.mark.parametrize(
    ("source", "target", "code", "said"),
    [
        ("model.onnx", "out.ckpt", 2, "model.onnx to out.ckpt: expected names with two different"),
        ("model.ckpt", "out", 2, "expected names with two different endings of .keras, .ckpt"),
        ("model.ckpt", "model.ckpt", 2, "expected names with two different endings"),
        ("gone.ckpt", "out.keras", 5, "gone.ckpt: no such file; expected a .ckpt to convert"),
        ("model.ckpt", "no/out.keras", 5, "no/out.keras: cannot be written"),
        ("model.ckpt", "folder.keras", 5, "folder.keras: cannot be written"),
        ("model.ckpt", "model.ckpt/out.keras", 5, "model.ckpt/out.keras: cannot be written"),
    ],
)
def test_files_that_cannot_be_meant_get_one_sentence(
    source: str, target: str, code: int, said: str, models: dict[str, Path], parity_here: Here
) -> None:
    (models[".ckpt"].parent / "folder.keras").mkdir()
    done = parity_here("convert", source, target)
    assert done.code == code
    (line,) = done.err.splitlines()
    assert line.startswith(f"error: {said}") or (code == 2 and said in line)


def test_the_whole_command_proves_with_both_frameworks(
    models: dict[str, Path], tiny_npz: Path, tmp_path: Path, parity_here: Here
) -> None:
    flags = ("--data.source", tiny_npz)
    done = parity_here("convert", models[".keras"], "out.ckpt", *flags)
    assert done.code == 0, done.err
    assert done.out.startswith(f"{models['.keras']} -> out.ckpt: 2 layers, 5,589 parameters; the l")
    assert (done.out.count("\n"), done.err) == (1, "")
    plan, weights = read_module(tmp_path / "out.ckpt")
    before, expected = read_module(models[".ckpt"])
    assert plan == before
    assert same_numbers(weights, expected)

    before_bytes = (tmp_path / "out.ckpt").read_bytes()
    cut = models[".keras"]
    cut.write_bytes(cut.read_bytes()[:-300])
    done = parity_here("convert", cut, "out.ckpt", *flags)
    assert done.code == 5
    (line,) = done.err.splitlines()
    assert line.startswith(f"error: {cut}: cannot be read")
    assert (tmp_path / "out.ckpt").read_bytes() == before_bytes


def test_a_test_set_that_cannot_be_had_is_named(models: dict[str, Path], parity_here: Here) -> None:
    done = parity_here("convert", models[".ckpt"], "out.keras", "--data.source", "gone.npz")
    assert done.code == 5
    assert done.err.startswith("error: gone.npz: no such file")


def test_a_pipe_in_place_of_the_new_model_is_refused_before_the_proof(
    parity_here: Here, tmp_path: Path
) -> None:
    (tmp_path / "a.ckpt").touch()
    os.mkfifo(tmp_path / "a.keras")
    done = parity_here("convert", "a.ckpt", "a.keras")
    assert done.code == 5
    assert "a.keras: cannot be written" in done.err
    assert "is a device or a pipe" in done.err
