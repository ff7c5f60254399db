"""The pages: each is reached from the first, and the tutorial's commands do what it says."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

DOCS = ROOT / "docs"
COLLAPSED, DIFFERENT = 3, 1
ENDS = {"runs/broken": (COLLAPSED, DIFFERENT), "runs/comparison": (DIFFERENT,)}
"""Exit codes of the commands that name a folder, in their order; all others end with 0."""


def test_every_page_is_in_the_table_of_contents() -> None:
    listed = re.findall(r"^[\w-]+$", (DOCS / "index.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted([*listed, "index"]) == sorted(page.stem for page in DOCS.glob("*.md"))


def commands(page: Path) -> list[str]:
    """Of a page's ``sh`` blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    return [line for block in blocks for line in block.replace("\\\n", "").splitlines()]


@pytest.mark.slow
def test_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    pytest.importorskip("keras", reason="the extra keras is not installed")
    codes = {folder: iter(expected) for folder, expected in ENDS.items()}
    for command in commands(DOCS / "tutorial.md"):
        python, *words = shlex.split(command)
        assert python == "python"
        done = subprocess.run(
            [sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        expected = next((next(codes[word]) for word in words if word in codes), 0)
        assert done.returncode == expected, f"{command}\n{done.stdout}\n{done.stderr}"
    folders = re.findall(r"runs/\w+", (DOCS / "tutorial.md").read_text(encoding="utf-8"))
    assert {tmp_path / folder for folder in folders} <= set((tmp_path / "runs").iterdir())
