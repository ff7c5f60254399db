"""Checkpoints to the interchange format and back: bit for bit, or refused in a sentence."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_mnist.checkpoint import read_checkpoint
from lightning_mnist.errors import InputError
from lightning_mnist.instruments import interchange
from lightning_mnist.instruments.interchange import convert, read_module
from tests.conftest import Here
from tests.support.mlp_files import ARCHITECTURES, DAMAGE, Contents, random_module, save_checkpoint


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """The architecture "gelu" as a checkpoint."""
    return save_checkpoint(random_module("gelu"), tmp_path / "model.ckpt")


@pytest.fixture
def exchanged(saved: Path) -> Path:
    """The same as a .safetensors."""
    path = saved.with_suffix(".safetensors")
    convert(saved, path)
    return path


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_checkpoint_comes_back_bit_for_bit(name: str, tmp_path: Path) -> None:
    module = random_module(name)
    source = save_checkpoint(module, tmp_path / "model.ckpt")
    between, back = tmp_path / "model.safetensors", tmp_path / "back.ckpt"
    assert convert(source, between) == convert(between, back)
    before, after = module.state_dict(), read_checkpoint(back)["state_dict"]
    assert list(before) == list(after)
    for key in before:
        assert before[key].numpy().tobytes() == after[key].numpy().tobytes(), key
    flags = read_checkpoint(back)["hyper_parameters"]
    for key in ARCHITECTURES[name] if module.hparams["hidden"] else ("hidden",):
        assert flags[key] == module.hparams[key], key


def test_kernels_are_rows_of_inputs_and_names_say_where_a_tensor_belongs(exchanged: Path) -> None:
    contents = Contents(exchanged)
    module = random_module("gelu")
    layers: list[Any] = list(module.network)
    first, norm = layers[:2]
    np.testing.assert_array_equal(contents.tensors["dense_1.kernel"], first.weight.detach().T)
    np.testing.assert_array_equal(contents.tensors["batch_norm_1.variance"], norm.running_var)
    assert {name: array.shape for name, array in contents.tensors.items()} == {
        "dense_1.kernel": (784, 7), "dense_1.bias": (7,), "dense_2.kernel": (7, 10),
        "dense_2.bias": (10,), "batch_norm_1.scale": (7,), "batch_norm_1.offset": (7,),
        "batch_norm_1.mean": (7,), "batch_norm_1.variance": (7,),
    }  # fmt: skip
    assert contents.metadata["format"] == "mlp"
    assert exchanged.stat().st_mode == exchanged.with_suffix(".ckpt").stat().st_mode


def test_a_converted_checkpoint_is_tested_validated_and_read_with_but_not_trained(
    here: Here, exchanged: Path, tiny_npz: Path, tmp_path: Path
) -> None:
    convert(exchanged, tmp_path / "back.ckpt")
    data = ("--ckpt_path", "back.ckpt", "--data.source", tiny_npz)
    done = here("test", *data, "--run_dir", "tested")
    assert done.code in (0, 3), done.err  # random weights look collapsed
    assert (tmp_path / "tested" / "predictions.npz").exists()
    assert here("validate", *data).code == 0
    drawn = np.pad(np.full((40, 8), 255, np.uint8), 20)
    Image.fromarray(drawn).save(tmp_path / "picture.png")
    assert here("predict", "--ckpt_path", "back.ckpt", "--images", "picture.png").code == 0
    done = here("fit", *data)
    assert (done.code, "holds weights only" in done.err) == (1, True)


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_or_foreign_file_gets_one_sentence(name: str, exchanged: Path) -> None:
    DAMAGE[name](exchanged)
    target = exchanged.with_name("back.ckpt")
    with pytest.raises(InputError, match="^.*model.safetensors: ") as caught:
        convert(exchanged, target)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(exchanged))
    assert not target.exists()


def test_what_is_put_together_again_unchanged_is_believed(exchanged: Path) -> None:
    """The damage above is found by itself: the way it is done is not what is refused."""
    Contents(exchanged).save(exchanged)
    convert(exchanged, exchanged.with_name("back.ckpt"))


def test_only_float32_is_exchanged(tmp_path: Path) -> None:
    path = save_checkpoint(random_module("plain").double(), tmp_path / "model.ckpt")
    with pytest.raises(InputError, match=r"model.ckpt: .*mean is float64; expected float32"):
        read_module(path)


def test_a_broken_model_is_not_exchanged(tmp_path: Path) -> None:
    module = random_module("plain")
    with torch.no_grad():
        module.get_parameter("network.0.bias")[3] = torch.inf
    path = save_checkpoint(module, tmp_path / "model.ckpt")
    with pytest.raises(InputError, match=r"model.ckpt: dense_1.bias holds values that are not f"):
        convert(path, tmp_path / "model.safetensors")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("at", [0, 100, 2000, -200, -1])
def test_a_checkpoint_that_was_cut_off_gets_one_sentence(at: int, saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:at])
    with pytest.raises(InputError, match=r"^/.*model.ckpt: not a whole checkpoint"):
        convert(saved, saved.with_suffix(".safetensors"))


@pytest.mark.parametrize(
    ("source", "target", "code", "said"),
    [
        ("model.ckpt", "out.safetensors", 0, ""),
        ("gone.ckpt", "out.safetensors", 1, "gone.ckpt: no such file"),
        ("gone.safetensors", "out.ckpt", 1, "gone.safetensors: no such file"),
        ("model.ckpt", "no/out.safetensors", 1, "no/out.safetensors: cannot be written"),
        ("model.ckpt", "out.keras", 2, "expected names that end in .ckpt and .safetensors"),
        ("model.ckpt", "model.ckpt", 2, "expected names that end in .ckpt and .safetensors"),
    ],
)
def test_the_command_line(
    source: str,
    target: str,
    code: int,
    said: str,
    saved: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(saved.parent)
    try:
        found = interchange.main([source, target])
    except SystemExit as exit_:
        found = int(exit_.code or 0)
    out, err = capsys.readouterr()
    assert found == code, err
    assert said in err
    assert out == ("2 layers, 5,589 parameters\n" if code == 0 else "")
