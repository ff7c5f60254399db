"""Each measure from its workers to its figures."""

import json
from dataclasses import replace

import pytest

from benchmarks import tables
from benchmarks.measures import accuracy, busy, calls, epoch, growth, memory
from benchmarks.measures import growth_of_processes as growing
from benchmarks.results import PICTURE_FILE, RESULTS_FILE, Results
from benchmarks.setting import Setting


@pytest.mark.slow
@pytest.mark.usefixtures("near")
def test_an_epoch_is_compared_shown_written_and_drawn(setting: Setting) -> None:
    """Through the real measure with the bare loop, then the files and the tables."""
    file = Results.of(setting, ["epoch", "--rounds", "1"])
    file.measures["epoch"] = epoch.measure(setting)
    (group,) = file.measures["epoch"]  # nobody who augments was asked for
    assert group["steps"] == 6
    assert group["competitors"]["bare loop"]["ratio"] == 1.0
    file.save(setting.out)
    written = json.loads((setting.out / RESULTS_FILE).read_text(encoding="utf-8"))
    assert written["command"] == "python -m benchmarks epoch --rounds 1"
    assert {"date", "cpu", "threads", "versions", "cores"} <= set(written["machine"])
    assert written["machine"]["versions"]["torch"]
    assert written["measures"]["epoch"][0]["competitors"]["bare loop"]["seconds"]
    assert (setting.out / PICTURE_FILE).read_bytes().startswith(b"\x89PNG")
    tables.show(file.measures, setting.console)
    shown = setting.console.file.getvalue()  # type: ignore[attr-defined]
    assert "784-16-10, batch 64, 367 images" in shown


@pytest.mark.slow
def test_memory_is_that_of_single_processes(setting: Setting) -> None:
    asked = ("matrix products", memory.WITH_CHILDREN)
    (group,) = memory.measure(replace(setting, competitors=asked))
    assert set(group["mib"]) == {"bare loop", "matrix products"}
    assert all(50 < mib < 5_000 for mib in group["mib"].values())


@pytest.mark.slow
@pytest.mark.usefixtures("near")
def test_calls_are_counted(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "STEPS_PER_EXECUTION", (32,))
    (group,) = calls.measure(setting)
    counts = {name: row["python"] for name, row in group["calls_a_step"].items()}
    assert 0 < counts["bare loop"] < counts["ours, 32 steps an execution"]


@pytest.mark.slow
@pytest.mark.usefixtures("near")
def test_an_epoch_is_measured_beside_a_busy_process(setting: Setting) -> None:
    (group,) = busy.measure(replace(setting, competitors=("ours",)))
    assert set(group["competitors"]) == {"bare loop", "ours"}
    for figures in group["competitors"].values():
        assert figures["ratio"] == figures["busy"]["median"] / figures["idle"]["median"]


@pytest.mark.slow
@pytest.mark.usefixtures("near")
def test_growth_has_a_point_for_each_value(setting: Setting) -> None:
    grids = growth.Grids((200,), (8,), (32,), (1, 2), ())
    points = growth.measure(setting, grids)
    assert {name: len(values) for name, values in points.items()} == {
        "images": 1, "width": 1, "batch_size": 1, "seeds": 2, "devices": 0,
    }  # fmt: skip


@pytest.mark.slow
def test_ranks_of_both_meet(setting: Setting) -> None:
    (point,) = growing.devices(setting, (2,))
    assert point["devices"] == 2
    assert all(its["seconds"][0] > 0 for its in point["competitors"].values())
    assert set(point["competitors"]) == {"bare loop", "ours"}


@pytest.mark.slow
@pytest.mark.usefixtures("near")
def test_time_to_an_accuracy_is_looked_for_with_both(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accuracy, "MOST_EPOCHS", 1)
    targets = accuracy.measure(replace(setting, rounds=1))["targets"]
    assert [group["target"] for group in targets] == list(accuracy.TARGETS)
