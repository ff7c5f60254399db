"""What a command imports, in a fresh process: nothing before it is used."""

import gc
import shutil
import subprocess
import sys
from pathlib import Path

import lightning_utilities
import pytest

from parity.garbage import without_garbage
from tests.conftest import ROOT

LATER = {"tensorflow", "tensorboard", "matplotlib", "pandas", "scipy", "sympy", "torchvision"}
LATER |= {"torch._dynamo.eval_frame", "torch._inductor", "torch.onnx"}  # its compiler
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


@pytest.mark.slow
def test_flags_are_read_without_what_draws() -> None:
    modules = imported("fit", "--help")
    assert "torchmetrics" in modules
    assert not modules & LATER


@pytest.mark.slow
def test_all_of_it_can_be_imported_afterwards(tiny_npz: Path, tmp_path: Path) -> None:
    modules = imported(
        "fit", "--data.source", tiny_npz, "--run_dir", tmp_path / "run",
        "--model.hidden", "[8]", "--trainer.max_epochs", 1,
    )  # fmt: skip
    assert "matplotlib" in modules
    assert not modules & (LATER - {"matplotlib"})


LEAN = """
from lightning_mnist import lean_imports
from lightning_utilities.core import imports
print(lean_imports.import_torchmetrics(), "torchmetrics" in sys.modules)
print(imports.package_available("scipy"), bool(imports.RequirementCache("scipy")))
"""
ORDINARY = """
import torchmetrics.classification
print("scipy.signal" in sys.modules)
"""


def lean(code: str, *first_on_path: Path) -> list[str]:
    """What a fresh process prints that runs `code`."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {[*map(str, first_on_path)]}\n{code}"],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    return done.stdout.splitlines()


@pytest.mark.slow
def test_torchmetrics_is_imported_without_what_is_unused() -> None:
    """Fails with a lightning_utilities on which the trick no longer works."""
    assert lean(LEAN + ORDINARY) == ["True True", "True True", "False"]


RENAMED = {" as _version": " as _installed", "(_version(": "(_installed("}


@pytest.mark.parametrize(
    "changes",
    [
        RENAMED,
        RENAMED | {"\nT = TypeVar": "\n_version = '0.15'\nT = TypeVar"},
        {"import find_spec": "import find_spec as _find", "return find_spec(": "return _find("},
        {"@lru_cache\n": ""},
    ],
    ids=["version renamed", "version is no function", "find_spec renamed", "no cache"],
)
def test_another_lightning_utilities_costs_time_and_nothing_else(
    changes: dict[str, str], tmp_path: Path
) -> None:
    """A copy of the library that works, and is built otherwise inside."""
    origin = Path(lightning_utilities.__file__).parent
    imports = shutil.copytree(origin, tmp_path / origin.name) / "core" / "imports.py"
    source = imports.read_text()
    for old, new in changes.items():
        assert old in source
        source = source.replace(old, new)
    imports.write_text(source)
    assert lean(LEAN, tmp_path) == ["False False", "True True"]


@pytest.mark.slow
def test_a_trick_that_fails_half_way_costs_time_and_nothing_else() -> None:
    broken = LEAN.replace("\nprint", "\nlean_imports._not_found = lambda name: 1 / 0\nprint", 1)
    assert lean(broken + ORDINARY) == ["False False", "True True", "True"]


@pytest.mark.slow
def test_garbage_is_looked_for_but_not_in_what_was_imported() -> None:
    said, _, kept = last_lines("fit", "--help")[0].rpartition(" ")
    assert said == "garbage is looked for: True but not among"
    assert int(kept) > 100_000


IN_A_FRESH_PROCESS = """
import gc
from parity.garbage import without_garbage
usual = gc.get_threshold()
with without_garbage():
    print(gc.isenabled(), gc.get_threshold()[0] > usual[0], gc.get_freeze_count())
print(gc.get_threshold() == usual, gc.get_freeze_count() > 1000)
"""


def test_garbage_is_looked_for_seldom_while_a_framework_is_imported() -> None:
    assert lean(IN_A_FRESH_PROCESS) == ["True True 0", "True True"]


def test_a_process_that_has_torch_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", sys)  # where no other test has imported it
    before, usual = gc.get_freeze_count(), gc.get_threshold()
    with without_garbage():
        assert gc.get_threshold() == usual
    assert gc.get_freeze_count() <= before  # what was frozen may have gone since
