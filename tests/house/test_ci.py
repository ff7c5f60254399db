"""The ways in which CI, git and people run the checks are one: the targets of the Makefile."""

import re

import yaml

from tests.conftest import LONG, ROOT

TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))


def test_the_workflow_makes_targets_that_there_are() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    job = workflow["jobs"]["make"]
    targets = job["strategy"]["matrix"]["target"]
    assert set(targets) <= TARGETS
    assert job["steps"][-1]["run"] == "make ${{ matrix.target }}"
    local = re.findall(r"^make ([a-z-]+)$", (ROOT / ".ci" / "run").read_text(), flags=re.MULTILINE)
    assert local
    assert set(local) <= set(targets)


def test_the_hook_makes_a_target_that_there_is() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    commands = [hook["entry"].split() for hook in hooks]
    assert commands
    assert all(make == "make" and target in TARGETS for make, target in commands)


def test_the_files_that_begin_first_are_there() -> None:
    assert all((ROOT / "tests" / name).exists() for name in LONG)


def test_all_code_is_found_by_the_packaging() -> None:
    """Folders without ``__init__.py`` are not."""
    for package in ("lightning_mnist", "keras_reference", "parity"):
        for path in (ROOT / package).rglob("*.py"):
            assert (path.parent / "__init__.py").exists(), path
