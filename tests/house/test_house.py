"""The rules of the house: who may import whom, and what the packages must not need."""

import ast
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import ROOT

ROOMS = ("lightning_mnist", "keras_reference", "parity", "benchmarks", "examples")
FRAMEWORKS = {"torch", "torchvision", "torchmetrics", "lightning", "tensorflow", "keras"}
ADAPTERS = {
    "parity.torch": {"torch"},
    "parity.torchvision_ops": {"torch"},
    "parity.lightning": {"torch", "lightning"},
    "parity.keras": {"keras", "tensorflow"},
}
"""The only parts of parity that import a framework, and which."""
SHARED = (
    "augmentation", "claims", "data_sets",
    "files", "flags", "garbage", "idx_files", "json_text", "mlp_file", "pages", "picture_files",
    "provenance", "run_record", "seal", "signals", "streams", "watch", "writing",
)  # fmt: skip
"""What both sides may import of parity, besides the adapters of their own framework."""


def modules(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def module_name(path: Path, root: Path = ROOT) -> str:
    """``a.b`` for ``a/b.py`` and for ``a/b/__init__.py``."""
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


@cache
def read(path: Path) -> tuple[frozenset[str], dict[str, int]]:
    """Full names of all that a file imports, also within functions; lines of each function."""
    names, lengths = set(), {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.FunctionDef):
            assert node.end_lineno is not None
            lengths[f"{node.name}, line {node.lineno}"] = node.end_lineno - node.lineno + 1
    return frozenset(names), lengths


def imports(path: Path) -> frozenset[str]:
    return read(path)[0]


def roots(names: Iterable[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


def import_graph(root: Path, rooms: Iterable[str]) -> dict[str, set[str]]:
    """For each module of the rooms, the modules of the rooms that it imports."""
    paths = {
        module_name(path, root): path for room in rooms for path in (root / room).rglob("*.py")
    }
    graph = {}
    for name, path in paths.items():
        # ``from a.b import c`` needs the module a.b.c, or a.b where c is no module.
        found = (
            next((part for part in (target, target.rpartition(".")[0]) if part in paths), None)
            for target in imports(path)
        )
        graph[name] = {target for target in found if target is not None} - {name}
    return graph


def levels(graph: dict[str, set[str]]) -> dict[str, dict[str, set[str]]]:
    """The same seen from each folder: arrows between the files and folders that lie in it.

    A folder's ``__init__`` lies in the folder, under the folder's own name.
    """
    parts = [name.split(".") for name in graph]
    folders = {".".join(part[:end]) for part in parts for end in range(len(part))}
    seen: dict[str, dict[str, set[str]]] = {}

    def child(folder: str, name: str) -> str | None:
        if folder and name != folder and not name.startswith(f"{folder}."):
            return None
        return ".".join(name.split(".")[: folder.count(".") + 2 if folder else 1])

    for folder in folders:
        arrows: dict[str, set[str]] = {}
        for name, targets in graph.items():
            if (source := child(folder, name)) is not None:
                ends = {end for target in targets if (end := child(folder, target)) is not None}
                arrows.setdefault(source, set()).update(ends - {source})
        seen[folder] = arrows
    return seen


def cycle(root: Path, rooms: Iterable[str]) -> list[str] | None:
    """The first cycle between files or folders, or None."""
    graph = import_graph(root, rooms)
    for arrows in (graph, *levels(graph).values()):
        try:
            TopologicalSorter(arrows).prepare()
        except CycleError as error:
            found: list[str] = error.args[1]
            return found
    return None


def test_arrows_point_one_way_between_files_and_between_folders() -> None:
    assert cycle(ROOT, ROOMS) is None


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"a/b.py": "import a.c", "a/c.py": "import a.b"}, id="files"),
        pytest.param(
            {"a/b.py": "def f():\n    from a import c", "a/c.py": "from a.b import f"}, id="lazy"
        ),
        pytest.param(
            {"a/__init__.py": "from a.b import x", "a/b.py": "from a import y"}, id="__init__"
        ),
        pytest.param(
            {"a/b/__init__.py": "from a.c import x", "a/c.py": "from a.b import y"},
            id="__init__ of a folder",
        ),
        pytest.param(
            {
                "a/b/one.py": "import a.c.one",
                "a/b/two.py": "",
                "a/c/one.py": "",
                "a/c/two.py": "import a.b.two",
            },
            id="folders, though not files",
        ),
        pytest.param(
            {
                "a/deep/b/one.py": "import a.deep.c.one",
                "a/deep/b/two.py": "",
                "a/deep/c/one.py": "",
                "a/deep/c/two.py": "import a.deep.b.two",
            },
            id="deep folders",
        ),
        pytest.param(
            {"a/one.py": "import b.one", "b/one.py": "", "b/two.py": "import a.one"},
            id="rooms",
        ),
    ],
)
def test_a_planted_cycle_is_found(files: dict[str, str], tmp_path: Path) -> None:
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert cycle(tmp_path, ["a", "b"]) is not None


def test_what_points_one_way_is_no_cycle(tmp_path: Path) -> None:
    files = {
        "a/__init__.py": "",
        "a/b/__init__.py": "from a.b.one import x",
        "a/b/one.py": "import a.c.one",
        "a/c/one.py": "from a import d",
        "a/d.py": "import json",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert cycle(tmp_path, ["a"]) is None


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


@pytest.mark.parametrize(
    ("package", "adapters"),
    [("lightning_mnist", ("torch", "lightning")), ("keras_reference", ("keras",))],
)
def test_the_sides_share_the_file_contract_and_what_watches_a_training(
    package: str, adapters: tuple[str, ...]
) -> None:
    allowed = tuple(f"parity.{name}." for name in SHARED + adapters)
    for path in modules(package):
        from_parity = {name for name in imports(path) if name.split(".")[0] == "parity"}
        from_parity.discard("parity")  # it mends torchvision, and imports nothing that takes time
        assert all(name.startswith(allowed) for name in from_parity), path


def test_what_the_sides_share_needs_numpy_only() -> None:
    """A fresh process knows what importing all of it has brought in."""
    shared = [module_name(path) for path in modules("parity/watch")] + [
        "parity.run_record",
        "parity.signals",
        "parity.streams",
    ]
    code = (
        f"import sys, {', '.join(shared)}; print(*{{name.split('.')[0] for name in sys.modules}})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    loaded = set(done.stdout.split())
    assert "numpy" in loaded
    assert not loaded & (FRAMEWORKS | {"scipy", "rich", "matplotlib", "sklearn", "jinja2"})


def test_only_an_adapter_imports_a_framework_and_only_its_own() -> None:
    for path in modules("parity"):
        name = module_name(path)
        adapter = next((a for a in ADAPTERS if name == a or name.startswith(f"{a}.")), None)
        used = roots(imports(path)) & FRAMEWORKS
        assert used <= (ADAPTERS[adapter] if adapter else set()), path


@pytest.mark.parametrize("room", ROOMS)
def test_files_and_functions_are_short_enough_to_read(room: str) -> None:
    for path in modules(room):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 250, path
        assert {name for name, lines in read(path)[1].items() if lines > 50} == set(), path
