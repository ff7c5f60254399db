"""A verdict is a verdict: closed pipes, poor terminals, odd names and mistakes of ours."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import parity.__main__
from tests.conftest import ROOT, Done, Here
from tests.support.parity_sides import healthy

LABELS, LIGHTNING, KERAS = healthy()


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Path, Path]:
    """Two equivalent sides under names that Rich, terminals and ASCII make something of."""
    folders = tmp_path / "m[/b]", tmp_path / "[x] é$^$"
    for folder, runs in zip(folders, (LIGHTNING, KERAS), strict=True):
        for seed in range(5):
            (folder / f"seed{seed}").mkdir(parents=True)
            np.savez(
                folder / f"seed{seed}" / "predictions.npz", labels=LABELS, predictions=runs[seed]
            )
    return folders


def run(*flags: object, cwd: Path, stdout: int = subprocess.PIPE, **environment: str) -> Done:
    done = subprocess.run(
        [sys.executable, "-m", "parity", *map(str, flags)],
        cwd=cwd, stdout=stdout, stderr=subprocess.PIPE, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip
    return Done(done.returncode, (done.stdout or b"").decode("latin-1"), done.stderr.decode())


@pytest.mark.slow
def test_a_pipe_that_nobody_reads_changes_neither_verdict_nor_report(
    sides: tuple[Path, Path], tmp_path: Path
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = run("compare", *sides, "--out", tmp_path / "out", cwd=tmp_path, stdout=writing)
    os.close(writing)
    assert (done.code, done.err) == (0, "")
    assert {"report.html", "report.json"} <= {path.name for path in (tmp_path / "out").iterdir()}


@pytest.mark.slow
def test_a_terminal_of_ascii_and_40_columns_shows_every_number(
    sides: tuple[Path, Path], tmp_path: Path
) -> None:
    poor: dict[str, Any] = {
        "PYTHONIOENCODING": "ascii",
        "PYTHONUTF8": "0",
        "LC_ALL": "C",
        "COLUMNS": "40",
    }
    done = run("compare", *sides, "--out", tmp_path / "o[/b]", cwd=tmp_path, **poor)
    assert (done.code, done.err) == (0, "")
    assert "EQUIVALENT: b] (A) and [x] \\xe9$^$ (B)" in done.out.replace("\n", " ")
    assert f"report: {tmp_path / 'o[/b]' / 'report.html'}" in done.out
    for answers in (*LIGHTNING[:5], *KERAS[:5]):
        assert f"{(answers == LABELS).mean():.2%}" in done.out
    assert "\\u2026" not in done.out  # the sign of something cut


def test_a_mistake_of_ours_is_no_verdict(
    monkeypatch: pytest.MonkeyPatch, parity_here: Here
) -> None:
    def broken(*_: object) -> int:
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr(parity.__main__.COMMANDS["compare"], "run", broken)
    done = parity_here("compare", "a", "b")
    assert done.code == 5
    assert "ZeroDivisionError: of ours" in done.err


@pytest.mark.parametrize("name", parity.__main__.COMMANDS)
def test_the_help_of_a_command_calls_types_by_names(name: str) -> None:
    assert " at 0x" not in " ".join(parity.__main__.COMMANDS[name].parser().format_help().split())
