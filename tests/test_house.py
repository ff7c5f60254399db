"""The rules of the house: who may import whom, and what the packages must not need."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGES = ("lightning_mnist", "keras_reference", "parity")
FRAMEWORKS = {"torch", "torchvision", "torchmetrics", "lightning", "tensorflow", "keras"}


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(path: Path, *, top_level_only: bool = False) -> set[str]:
    """Full names of everything that a file imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def roots(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("lightning_mnist", {"keras_reference", "keras", "tensorflow"}),
        ("keras_reference", {"lightning_mnist", "lightning", "torch", "torchvision"}),
        ("parity", {"lightning_mnist", "keras_reference"}),
    ],
)
def test_the_sides_never_import_each_other(package: str, forbidden: set[str]) -> None:
    for path in modules(package):
        assert not roots(imports(path)) & forbidden, path


SHARED = ("run_record", "collapse", "fingerprint", "symptoms", "guard")


@pytest.mark.parametrize("package", ["lightning_mnist", "keras_reference"])
def test_the_sides_share_only_the_file_contract_and_the_definition_of_collapse(
    package: str,
) -> None:
    shared = tuple(f"parity.{name}." for name in SHARED)
    for path in modules(package):
        from_parity = {name for name in imports(path) if name.split(".")[0] == "parity"}
        from_parity.discard("parity")  # the package itself imports nothing
        assert all(name.startswith(shared) for name in from_parity), path


def test_what_the_sides_share_needs_numpy_only() -> None:
    """A fresh process knows what importing the guard, which imports all of it, has brought in."""
    code = "import sys, parity.guard; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    loaded = set(done.stdout.split())
    assert "numpy" in loaded
    assert not loaded & (FRAMEWORKS | {"scipy", "rich", "matplotlib", "sklearn", "jinja2"})


def test_the_judge_needs_no_framework() -> None:
    for path in modules("parity"):
        assert not roots(imports(path, top_level_only=True)) & FRAMEWORKS, path


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_one_way(package: str) -> None:
    graph: dict[str, set[str]] = {}
    for path in modules(package):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        graph[name] = {
            target
            for imported in imports(path)
            for target in (imported, imported.rpartition(".")[0])
            if target.startswith(f"{package}.") and target != name
        }
    list(TopologicalSorter(graph).static_order())  # raises CycleError
