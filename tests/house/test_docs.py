"""The pages: each is reached from the first, and the tutorial's commands do what it says."""

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.conftest import ROOT, Here

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
def test_the_tutorial_does_what_it_says(in_process: Here, tmp_path: Path) -> None:
    pytest.importorskip("keras", reason="the extra keras is not installed")
    codes = {folder: iter(expected) for folder, expected in ENDS.items()}
    for command in commands(DOCS / "tutorial.md"):
        python, dash_m, module, *words = shlex.split(command)
        assert (python, dash_m) == ("python", "-m")
        done = in_process(module, *words)
        expected = next((next(codes[word]) for word in words if word in codes), 0)
        assert done.code == expected, f"{command}\n{done.out}\n{done.err}"
    folders = re.findall(r"runs/\w+", (DOCS / "tutorial.md").read_text(encoding="utf-8"))
    assert {tmp_path / folder for folder in folders} <= set((tmp_path / "runs").iterdir())


PASS_ON = {"rates": "fit", "search": "fit"}
"""Commands that take another one's flags besides their own."""


def flags_shown() -> dict[tuple[str, str], set[str]]:
    """Flags that README and the pages give to each program and command."""
    shown: dict[tuple[str, str], set[str]] = {}
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.glob("*.md")):
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        for program, command, rest in re.findall(
            r"python -m (lightning_mnist|keras_reference|parity) ([a-z]+)\b([^`\n#]*)", text
        ):
            flags = shown.setdefault((program, command), set())
            flags |= set(re.findall(r"(?<![\w-])--[a-zA-Z_][\w.]*", rest))
    return shown


SHOWN = flags_shown()


@pytest.mark.slow
@pytest.mark.parametrize(("program", "command"), sorted(SHOWN))
def test_a_command_takes_the_flags_that_the_pages_give_it(
    program: str, command: str, in_process: Here
) -> None:
    if program == "keras_reference":
        pytest.importorskip("keras", reason="the extra keras is not installed")
    taken: set[str] = set()
    for asked in {command, PASS_ON.get(command, command)}:
        done = in_process(program, asked, "--help")
        assert done.code == 0, done.err
        taken |= set(re.findall(r"--[a-zA-Z_][\w.]*", done.out))
    assert {
        flag for flag in SHOWN[program, command] if not {flag, flag.rpartition(".")[0]} & taken
    } == set()


RESULTS = sorted((DOCS / "results").glob("*.json"))


def test_there_are_results() -> None:
    assert RESULTS


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_results_say_what_they_are_and_the_page_says_the_same(path: Path) -> None:
    result = json.loads(path.read_text(encoding="utf-8"))
    for key in ("about", "command", "data", "units", "versions", "processor", "runs"):
        assert result[key], key
    page = (DOCS / "beyond-98.md").read_text(encoding="utf-8")
    assert f"results/{path.name}" in page
    for run in result["runs"]:
        assert isinstance(run["seed"], int)
        for name in ("test_accuracy", "test_accuracy_of_the_last_epoch"):
            if name in run:
                assert f"{run[name]:.2f}" in page
