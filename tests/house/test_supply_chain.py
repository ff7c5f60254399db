"""What comes from elsewhere: pinned versions, and nothing on import."""

import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT

OFFLINE = """
import socket, sys
def refused(*args, **kwargs):
    raise AssertionError(f"network: {args}")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refused
import importlib
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


@pytest.mark.parametrize(
    "modules",
    [
        pytest.param(
            (
                "lightning_mnist",
                "lightning_mnist.command_line.command",
                "lightning_mnist.predict_files",
            ),
            marks=pytest.mark.slow,
        ),
        pytest.param(("keras_reference.__main__", "keras_reference.train"), marks=pytest.mark.slow),
        ("parity", "parity.__main__", "parity.report.document"),
    ],
    ids=lambda modules: str(modules[0]),
)
def test_an_import_asks_the_network_nothing(modules: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, *modules], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_version_is_pinned_and_every_dependency_has_one() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.\-]+==[\w.]+", pin) for pin in pins)
    pinned = {pin.partition("==")[0].lower().replace("_", "-") for pin in pins}
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    table = text[text.index("dependencies = [") : text.index("[project.scripts]")]
    asked = {name.lower() for name in re.findall(r'"([A-Za-z][\w.\-]*)(?:\[\w+\])?(?:>=|")', table)}
    assert asked - {"types-pyyaml"} <= pinned | {"pillow-heif"}
