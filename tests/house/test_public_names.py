"""What people may rely on: the names that each package exports, and the commands it installs."""

import importlib
import subprocess
import sys
import tomllib
from importlib.metadata import version

import pytest

from tests.conftest import ROOT

NAMES = {
    "lightning_mnist": {
        "CollapsedError",
        "DigitClassifier",
        "DigitsDataModule",
        "InputError",
        "RankLostError",
        "__version__",
        "predict",
    },
    "keras_reference": {"CollapsedError", "InputError", "__version__"},
}
SCRIPTS = {
    "keras-reference": "keras_reference.__main__:main",
    "lightning-mnist": "lightning_mnist.__main__:main",
    "parity": "parity.__main__:main",
}


@pytest.mark.parametrize("package", NAMES)
def test_a_package_exports_these_names_and_no_others(package: str) -> None:
    module = importlib.import_module(package)
    assert set(module.__all__) == NAMES[package]
    for name in NAMES[package]:
        assert getattr(module, name).__doc__
    with pytest.raises(AttributeError, match="has no attribute 'nope'"):
        _ = module.nope


@pytest.mark.parametrize("package", NAMES)
def test_importing_a_package_is_cheap(package: str) -> None:
    code = f"import sys, {package}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert not set(done.stdout.split()) & {"numpy", "torch", "keras", "tensorflow", "lightning"}


def test_errors_are_told_apart_by_kind() -> None:
    """What was given is at fault, or the training is."""
    import keras_reference
    import lightning_mnist

    assert issubclass(lightning_mnist.InputError, ValueError)
    assert issubclass(keras_reference.InputError, ValueError)
    assert issubclass(lightning_mnist.RankLostError, RuntimeError)
    assert lightning_mnist.CollapsedError is keras_reference.CollapsedError


def test_the_version_is_that_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for package in NAMES:
        assert importlib.import_module(package).__version__ == version("lightning-mnist")
    assert "version" in project
    first = next(
        line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## ")
    )
    assert project["version"] in first


def test_the_commands_are_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == SCRIPTS
    for target in SCRIPTS.values():
        module, name = target.split(":")
        assert callable(getattr(importlib.import_module(module), name))
