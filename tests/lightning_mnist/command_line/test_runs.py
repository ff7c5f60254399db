"""Runs that are there: listed, shown, compared, removed, whatever state their records are in."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lightning_mnist.runs.columns import in_columns
from lightning_mnist.runs.difference import parting
from lightning_mnist.runs.recipe import in_short
from lightning_mnist.runs.run import Run
from parity.provenance import Provenance, checkout_of
from parity.run_record import RECORD_FILE, RunRecord, RunRecordError
from tests.conftest import ROOT, Here

LIGHTNING = {
    "model": {"hidden": [512, 512], "batch_norm": True, "augmentation": {"smoothness": 4.0}},
    "data": {"batch_size": 128},
    "optimizer": {"class_path": "torch.optim.Adam", "init_args": {"lr": 0.002}},
}
KERAS = {
    "model": {"hidden": [128], "dropout": 0.3, "batch_norm": False},
    "data": {"batch_size": 32},
    "optimizer": {"name": "SGD", "learning_rate": 0.1},
}


def a_run(folder: Path, accuracy: float | None = 0.9, **changes: Any) -> RunRecord:
    """Leave a run in `folder`, finished unless told otherwise."""
    record = RunRecord(
        framework="lightning",
        command="fit",
        versions={"python": "3.11", "torch": "2.13"},
        recipe=LIGHTNING,
        seed=0,
        data={"name": "mnist", "sha256": "aa"},
        preprocessing={"invert": False},
        history=[{"epoch": 1, "val_loss": 0.5, "seconds": 1.0}, {"epoch": 2, "val_loss": 0.25}],
        durations={"fit": 10.0, "test": 0.5},
        metrics={} if accuracy is None else {"accuracy": accuracy},
        finished=True,
        provenance=Provenance.here(),
    )
    record = replace(record, **changes)
    folder.mkdir(parents=True)
    record.save(folder)
    return record


def test_a_table_has_a_line_for_each_run_of_both_sides(here: Here, tmp_path: Path) -> None:
    a_run(tmp_path / "runs" / "ours", 0.98)
    a_run(tmp_path / "runs" / "deep" / "theirs", 0.97, framework="keras", recipe=KERAS)
    done = here("runs", "list", "--sort", "accuracy")
    lines = done.out.splitlines()
    assert done.code == 0
    assert [line.split()[0] for line in lines[1:]] == ["runs/deep/theirs", "runs/ours"]
    assert "128, SGD 0.1, batch 32, dropout 0.3" in lines[1]
    assert "512-512, Adam 0.002, batch 128, batch norm" in lines[2]
    for part in ("mnist", " 2 ", "98.00%", "10.5", "finished"):
        assert part in lines[2]
    assert here("runs").out.splitlines()[0] == lines[0]
    assert here("runs", "--sort", "accuracy").out == done.out
    assert here("runs", "--help").code == 0
    assert len(here("runs", "list", "--only", "SGD", "97").out.splitlines()) == 2
    assert "no runs with every one" in here("runs", "list", "--only", "SGD", "98").out


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"schema_version": 9}', "\0\x1b[31m", '{"schema_version": 1}']
)
def test_a_damaged_record_is_a_row_that_says_so(text: str, here: Here, tmp_path: Path) -> None:
    a_run(tmp_path / "runs" / "sound")
    (tmp_path / "runs" / "broken").mkdir()
    (tmp_path / "runs" / "broken" / RECORD_FILE).write_text(text)
    done = here("runs")
    assert done.code == 0
    assert "\x1b" not in done.out
    broken = next(line for line in done.out.splitlines() if "runs/broken" in line)
    assert "damaged: " in broken
    assert "finished" in done.out
    assert here("runs", "show", "broken").code == 0
    refused = here("runs", "diff", "sound", "broken")
    assert refused.code == 1
    assert "broken/record.json" in refused.err


@pytest.mark.parametrize(
    "changes",
    [
        {"metrics": {"accuracy": "high"}}, {"metrics": {"accuracy": None}}, {"data": {}},
        {"recipe": {}}, {"recipe": {"model": 3, "optimizer": [], "data": None}},
        {"recipe": {"model": {"hidden": "many"}}}, {"history": [{}]}, {"durations": {}},
        {"provenance": None}, {"finished": False}, {"finished": False, "provenance": None},
        {"provenance": replace(Provenance.here(), started="yesterday")},
    ],
    ids=lambda changes: "-".join(changes),
)  # fmt: skip
def test_a_foreign_record_of_few_words_is_listed(
    changes: dict[str, Any], here: Here, tmp_path: Path
) -> None:
    a_run(tmp_path / "runs" / "foreign", **changes)
    for command in (["list"], ["show", "foreign"], ["diff", "foreign", "foreign"]):
        done = here("runs", *command)
        assert (done.code, done.err) == (0, "")


def test_a_state_says_what_became_of_a_run(tmp_path: Path) -> None:
    me = Provenance.here()
    states: dict[str, dict[str, Any]] = {
        "running": {"provenance": me},
        "stopped: its process has ended without a word": {
            "provenance": replace(me, process=2**22 + 1)
        },
        "stopped: loss is NaN": {"stopped": "loss is NaN", "provenance": me},
        "stopped: by SIGTERM": {"stopped": "stopped by SIGTERM", "provenance": me},
        "not finished on elsewhere": {"provenance": replace(me, host="elsewhere")},
        "not finished": {"provenance": None},
    }
    for name, changes in states.items():
        a_run(tmp_path / name, finished=False, **changes)
        assert Run.read(tmp_path / name).state == name
    if Path("/proc/self/cmdline").exists():  # another process with the same id
        a_run(tmp_path / "other", finished=False, provenance=replace(me, command_line=["other"]))
        assert Run.read(tmp_path / "other").state.startswith("stopped")


def test_a_training_that_stops_says_why(here: Here, tiny_npz: Path, tmp_path: Path) -> None:
    done = here(
        "fit", "--data.source", tiny_npz, "--model.hidden", "[8]", "--run_dir", "runs/diverged",
        "--optimizer", "SGD", "--optimizer.lr", "1e30", "--guard", "off",
    )  # fmt: skip
    assert done.code == 1
    record = RunRecord.load(tmp_path / "runs" / "diverged" / RECORD_FILE)
    assert not record.finished
    assert record.provenance is not None
    assert "training has diverged in epoch 1" in (record.stopped or "")
    assert "stopped: training has diverged" in here("runs").out


def test_diff_names_what_differs_and_where_histories_part(here: Here, tmp_path: Path) -> None:
    one = a_run(tmp_path / "runs" / "one")
    me = Provenance.here()
    a_run(tmp_path / "runs" / "same", provenance=replace(me, commit="a" * 40, clean=True))
    a_run(
        tmp_path / "runs" / "other",
        seed=1,
        versions={"python": "3.11", "torch": "2.12"},
        data={"name": "digits", "sha256": "bb"},
        recipe=LIGHTNING | {"data": {"batch_size": 64}},
        history=[one.history[0] | {"seconds": 9.0}, {"epoch": 2, "val_loss": 0.26}],
        provenance=replace(me, commit="b" * 40, clean=False),
    )
    said = here("runs", "diff", "same", "other").out
    rows = {line.split("  ")[0]: line for line in said.splitlines()}
    for name, values in {
        "commit": ["aaaaaaaaaaaa ", "bbbbbbbbbbbb and changes"], "seed": ["0", "1"],
        "version: torch": ["2.13", "2.12"], "data: name": ["mnist", "digits"],
        "recipe: data.batch_size": ["128", "64"],
    }.items():  # fmt: skip
        assert all(value in rows[name] for value in values), name
    assert "recipe: optimizer.init_args.lr" not in rows
    assert "histories part in epoch 2: val_loss 0.25 and 0.26" in said
    assert "the same in all 2 epochs" in here("runs", "diff", "same", "same").out
    assert "no setting, version or result differs" in here("runs", "diff", "one", "one").out


def test_what_only_one_framework_has_is_counted(here: Here, tmp_path: Path) -> None:
    a_run(tmp_path / "runs" / "ours")
    a_run(tmp_path / "runs" / "theirs", framework="keras", recipe=KERAS)
    said = here("runs", "diff", "ours", "theirs").out
    rows = {line.split("  ")[0]: line.split()[-2:] for line in said.splitlines()}
    assert rows["recipe: model.batch_norm"] == ["True", "False"]
    assert rows["settings that the other side does not have"] == ["3", "3"]
    assert not [name for name in rows if "optimizer" in name]


def test_histories_of_no_numbers_part_where_one_is_a_number(tmp_path: Path) -> None:
    nan = {"epoch": 1, "val_loss": float("nan")}
    a = a_run(tmp_path / "a", history=[nan])
    b = a_run(tmp_path / "b", history=[nan])
    assert parting(a, b) is None
    apart = parting(a, replace(b, history=[nan | {"val_loss": 0.1}]))
    assert apart is not None
    assert apart.epoch == 1


def test_best_is_the_best_of_each_data_set(here: Here, tmp_path: Path) -> None:
    assert here("runs", "best").code == 1
    a_run(tmp_path / "runs" / "good", 0.98)
    a_run(tmp_path / "runs" / "better", 0.99)
    a_run(tmp_path / "runs" / "tested", 0.999, command="test")
    a_run(tmp_path / "runs" / "cut", 0.9999, finished=False)
    a_run(tmp_path / "runs" / "easy", 1.0, data={"name": "tiny", "sha256": "bb"})
    assert here("runs", "best").out.splitlines() == [
        "mnist: 99.00% runs/better", "tiny: 100.00% runs/easy",
    ]  # fmt: skip
    assert here("runs", "best", "--only", "good").out == "mnist: 98.00% runs/good\n"


def test_rm_removes_runs_and_nothing_else(here: Here, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    a_run(runs / "old")
    a_run(runs / "kept")
    a_run(runs / "outer")
    a_run(runs / "outer" / "inner")
    a_run(runs / "going", finished=False)
    (runs / "link").symlink_to(runs / "kept")
    assert "nothing is removed without --yes" in here("runs", "rm", "old").out
    assert (runs / "old").exists()
    assert here("runs", "rm", "old", "--yes").out == "removed: runs/old\n"
    assert not (runs / "old").exists()
    for name, why in {
        "outer": "holds other runs", "going": "is running", "runs/link": "a link",
        "nothing": "no run of that path", ".": "no run of that path",
    }.items():  # fmt: skip
        done = here("runs", "rm", "kept", name, "--yes")
        assert done.code == 1
        assert why in done.err
        assert (runs / "kept" / RECORD_FILE).exists()


def test_a_name_that_two_runs_have_is_refused(here: Here, tmp_path: Path) -> None:
    a_run(tmp_path / "runs" / "a" / "twin")
    a_run(tmp_path / "runs" / "b" / "twin")
    assert "give a path" in here("runs", "show", "twin").err
    assert here("runs", "show", "runs/a/twin").code == 0


def test_what_cannot_be_listed_is_said_in_a_sentence(here: Here) -> None:
    done = here("runs", "list", "--folder", "nowhere")
    assert (done.code, done.err[:7]) == (1, "error: ")
    assert here("runs", "list", "--sort", "colour").code == 2
    assert here("runs", "nonsense").code == 2


def test_runs_are_listed_without_torch() -> None:
    code = "import sys, lightning_mnist.runs.command; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert not loaded & {"torch", "lightning", "matplotlib", "scipy", "cv2", "yaml", "PIL"}


def test_hundreds_of_runs_are_each_read_once(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_run(tmp_path / "runs" / "0")
    text = (tmp_path / "runs" / "0" / RECORD_FILE).read_text()
    for number in range(1, 500):
        (tmp_path / "runs" / str(number)).mkdir()
        (tmp_path / "runs" / str(number) / RECORD_FILE).write_text(text)
    read: list[Path] = []
    load = RunRecord.load

    def counting(path: Path) -> RunRecord:
        read.append(path)
        return load(path)

    monkeypatch.setattr(RunRecord, "load", counting)
    assert len(here("runs").out.splitlines()) == 501
    assert len(read) == 500


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({}, ""),
        ({"model": {"hidden": []}}, "no hidden layer"),
        ({"model": {"activation": "gelu", "batch_norm": "keras"}}, "gelu, batch norm (keras)"),
        ({"model": {"augmentation": {"rotation": 0.1}, "invert": True}}, "inverted, augmented"),
        ({"optimizer": {"name": "Adam", "learning_rate": None}}, "Adam"),
    ],
)
def test_a_recipe_in_short(recipe: dict[str, Any], said: str) -> None:
    assert in_short(recipe) == said


def test_columns_line_up() -> None:
    assert in_columns([("a", "1"), ("bbb", "22")], right=[1]) == "a     1\nbbb  22"
    assert in_columns([("数", "x"), ("ab", "y\n")]) == "数  x\nab  y"


def test_provenance_names_the_commit_and_whether_all_is_in_it(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        found = shutil.which("git")
        assert found is not None
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(
            [found, "-C", str(tmp_path), *who, *words],
            check=True,
            capture_output=True,
        )

    file = tmp_path / "code.py"
    file.write_text("1")
    assert checkout_of(file) == (None, None)
    git("init")
    assert checkout_of(file) == (None, None)  # in a checkout, but not of it
    git("add", "code.py")
    git("commit", "-m", "one")
    commit, clean = checkout_of(file)
    assert commit is not None
    assert len(commit) == 40
    assert clean is True
    file.write_text("2")
    assert checkout_of(file) == (commit, False)


def test_a_record_from_before_can_still_be_read(tmp_path: Path) -> None:
    record = a_run(tmp_path / "run")
    path = tmp_path / "run" / RECORD_FILE
    values = json.loads(path.read_text())
    assert RunRecord.load(path) == record
    del values["provenance"], values["stopped"], values["sha256"]
    path.write_text(json.dumps(values))
    assert RunRecord.load(path) == replace(record, provenance=None)
    path.write_text(json.dumps(values | {"provenance": {"host": 3}}))
    with pytest.raises(RunRecordError, match="provenance"):
        RunRecord.load(path)
