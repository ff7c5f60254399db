"""The repair: torchvision imports beside any torch, and a sound pair is left alone."""

import subprocess
import sys
from pathlib import Path

import pytest

FAKE_INIT = """
import torch
from torchvision import _sound
@torch.library.register_fake("torchvision::nms")
def nms(dets, scores, iou_threshold): ...
"""
SOUND = """
import torch
library = torch.library.Library("torchvision", "DEF")
library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""


def run_python(script: str, *first_on_path: Path) -> subprocess.CompletedProcess[str]:
    setup = f"import sys; sys.path[:0] = {[str(path) for path in first_on_path]!r}\n"
    return subprocess.run(
        [sys.executable, "-c", setup + script], capture_output=True, text=True, check=False
    )


@pytest.fixture
def fake_torchvision(tmp_path: Path) -> Path:
    """Registers a fake kernel at import, as the real one does, and has no compiled library."""
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text(FAKE_INIT)
    (package / "_sound.py").write_text("")
    return package


LEAN = "from lightning_mnist import lean_imports; assert lean_imports.import_torchmetrics()"


@pytest.mark.slow
@pytest.mark.parametrize(
    "script",
    ["import parity, lightning, torchvision.datasets", f"{LEAN}; import torchvision, lightning"],
    ids=["parity", "lean imports"],
)
def test_lightning_and_torchvision_import_afterwards(script: str) -> None:
    done = run_python(f"{script}; import matplotlib.pyplot, scipy.signal")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("package", ["parity", "lightning_mnist", "keras_reference"])
def test_any_package_of_ours_mends(package: str) -> None:
    done = run_python(f"import {package}; print([type(f).__name__ for f in sys.meta_path])")
    assert done.stdout.count("_BeforeTorchvision") == 1


@pytest.mark.slow
def test_a_torchvision_without_operators_dies_and_is_mended(fake_torchvision: Path) -> None:
    bare = run_python("import torchvision", fake_torchvision.parent)
    assert "torchvision::nms does not exist" in bare.stderr
    mended = run_python("import parity, torchvision", fake_torchvision.parent)
    assert mended.returncode == 0, mended.stderr


@pytest.mark.slow
def test_a_library_that_does_not_load_is_mended(fake_torchvision: Path) -> None:
    (fake_torchvision / "_C.so").write_bytes(b"built for another torch")
    mended = run_python("import parity, torchvision", fake_torchvision.parent)
    assert mended.returncode == 0, mended.stderr


def test_a_sound_torchvision_is_left_alone(fake_torchvision: Path) -> None:
    """Its library "loads" and defines the operators: to define them again would be an error."""
    (fake_torchvision / "_C.so").write_bytes(b"")
    (fake_torchvision / "_sound.py").write_text(SOUND)
    script = (
        "import torch; torch.ops.load_library = lambda path: None\n"
        "from parity import torchvision_ops; import torchvision\n"
        "assert torchvision_ops.define_missing_operators(torchvision.__spec__) is False\n"
        "assert torchvision_ops._kept == []"
    )
    done = run_python(script, fake_torchvision.parent)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_mended_torchvision_can_be_imported_once_more(fake_torchvision: Path) -> None:
    script = "import parity, importlib, torchvision; importlib.reload(torchvision)"
    done = run_python(script, fake_torchvision.parent)
    assert done.returncode == 0, done.stderr


def test_to_ask_for_torchvision_imports_no_torch() -> None:
    """Keras asks too, in a process where torch would only be in the way."""
    script = (
        "import lightning_mnist, keras_reference, importlib.util\n"
        "assert importlib.util.find_spec('torchvision') is not None\n"
        "assert 'torch' not in sys.modules"
    )
    done = run_python(script)
    assert done.returncode == 0, done.stderr
