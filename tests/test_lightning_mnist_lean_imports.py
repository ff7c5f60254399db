"""What a command imports, in a fresh process: nothing before it is used."""

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from lightning_mnist import lean_imports
from tests.conftest import ROOT

LATER = {"tensorflow", "tensorboard", "matplotlib", "sklearn", "scipy", "torchvision"}
RUN = """
import runpy, sys
sys.argv = ["lightning_mnist", *sys.argv[1:]]
try:
    runpy.run_module("lightning_mnist", run_name="__main__")
except SystemExit:
    pass
import gc
print("garbage is looked for:", gc.isenabled(), "but not among", gc.get_freeze_count())
print("imported", *sys.modules)
"""


def last_lines(*flags: object) -> list[str]:
    """What `RUN` says of a command, as a user runs it."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, *map(str, flags)],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    return done.stdout.splitlines()[-2:]


def imported(*flags: object) -> set[str]:
    """Modules that a command has imported."""
    return set(last_lines(*flags)[-1].split()[1:])


@pytest.mark.parametrize("flags", [(), ("--help",), ("trian",), ("--version",)], ids=str)
def test_help_and_unknown_commands_need_nothing(flags: tuple[str, ...]) -> None:
    assert not imported(*flags) & (LATER | {"torch", "lightning", "numpy"})


def test_flags_are_read_without_what_draws() -> None:
    modules = imported("fit", "--help")
    assert "torchmetrics" in modules
    assert not modules & LATER


def test_all_of_it_can_be_imported_afterwards(tiny_npz: Path, tmp_path: Path) -> None:
    modules = imported(
        "fit", "--data.source", tiny_npz, "--run_dir", tmp_path / "run",
        "--model.hidden", "[8]", "--trainer.max_epochs", 1,
    )  # fmt: skip
    assert "matplotlib" in modules
    assert not modules & (LATER - {"matplotlib"})


def test_garbage_is_looked_for_but_not_in_what_was_imported() -> None:
    said, _, kept = last_lines("fit", "--help")[0].rpartition(" ")
    assert said == "garbage is looked for: True but not among"
    assert int(kept) > 100_000


def test_a_process_that_has_torch_is_left_alone() -> None:
    before = gc.get_freeze_count()
    with lean_imports.without_garbage():
        assert gc.isenabled()
    assert gc.get_freeze_count() == before
