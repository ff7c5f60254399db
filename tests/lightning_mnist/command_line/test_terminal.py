"""What a command prints arrives whole, whatever the terminal and the paths are like."""

import io
import re
import sys
from pathlib import Path

import pytest

from parity.run_record import RunRecord
from tests.conftest import SLOW, Here

SMALL = ("--model.hidden", "[8]", "--data.batch_size", 64, "--trainer.max_epochs", 1)


@pytest.mark.pictures
@pytest.mark.parametrize(
    "name", ["m[/b] {y}", pytest.param("[x] [red] a :smile: b $x^$", marks=SLOW)]
)
def test_a_path_is_printed_as_it_is(
    name: str, here: Here, tiny_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither Rich's markup nor matplotlib's formulas are read in it."""
    monkeypatch.chdir(tiny_npz.parent)
    source = Path(f"{name.replace('/', '')}.npz")
    source.write_bytes(tiny_npz.read_bytes())
    done = here("fit", "--data.source", source, "--run_dir", name, *SMALL, "--views", "dim")
    assert done.code == 0, done.err
    assert f"run directory: {name}\n" in done.out
    assert f"test part of {source}: accuracy" in done.out
    assert RunRecord.load(Path(name) / "record.json").finished


def test_forty_columns_cut_no_number(
    here: Here, tiny_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    done = here("fit", "--data.source", tiny_npz, "--run_dir", "run", *SMALL, "--views", "dim")
    assert done.code == 0, done.err
    shown = done.out[done.out.index("test part of") :]
    assert "\u2026" not in shown
    metrics = RunRecord.load(Path("run/record.json")).metrics
    for recall in metrics["recall"]:
        assert f"{recall:.2%}" in shown
    assert len(re.findall(r"\d+\.\d\d%", shown)) >= 10 + 10 + 2


def test_a_terminal_without_unicode_kills_nothing(
    here: Here, tiny_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_npz.parent)
    source = Path("zahlen-\u00e9.npz")
    source.write_bytes(tiny_npz.read_bytes())
    assert isinstance(sys.stdout, io.TextIOWrapper)
    sys.stdout.reconfigure(encoding="ascii", errors="strict")
    done = here("fit", "--data.source", source, "--run_dir", "\u00e9", *SMALL)
    assert done.code == 0, done.err
    assert "run directory: \\xe9" in done.out
    assert "test part of zahlen-\\xe9.npz: accuracy" in done.out


def test_a_folder_may_have_a_name_that_is_no_text(here: Here, tiny_npz: Path) -> None:
    done = here("fit", "--data.source", tiny_npz, "--run_dir", "\udcff", *SMALL)
    assert done.code == 0, done.err
    assert "run directory: \\udcff" in done.out
    assert RunRecord.load(Path("\udcff/record.json")).finished
    assert "\\udcff" in Path("\udcff/index.html").read_text(encoding="utf-8")
