"""`benchmarks gpu`: what is measured, and what is skipped by name."""

import json
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks import tables
from benchmarks.measures import gpu
from benchmarks.results import RESULTS_FILE
from benchmarks.setting import Setting
from tests.conftest import Done


def test_without_a_gpu_all_that_needs_one_is_skipped_by_name(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "_holds", lambda condition: False)
    measured = gpu.measure(replace(setting, work=replace(setting.work, accelerator="gpu")))
    assert measured["found"] == {}
    assert set(measured["skipped"].values()) == {
        "torch finds no CUDA device", *gpu.NOT_BUILT.values()
    }  # fmt: skip
    epochs = len(gpu.PRECISIONS) + bool(find_spec("jax"))
    assert len(measured["skipped"]) == 5 + epochs + len(gpu.NOT_BUILT)


def test_the_command_says_what_was_skipped(
    benchmarks_here: Callable[..., Done],
    tiny_npz: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gpu, "_holds", lambda condition: False)
    done = benchmarks_here("gpu", "--data.source", tiny_npz, "--out", tmp_path / "out")
    assert (done.code, done.err) == (0, "")
    assert "skipped: a resumed training, torch finds no CUDA device" in done.out
    written = json.loads((tmp_path / "out" / RESULTS_FILE).read_text(encoding="utf-8"))
    assert written["machine"]["accelerator"] == "none"
    assert written["measures"]["gpu"]["found"] == {}


def test_what_there_is_no_time_for_is_skipped_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    measured = gpu.Measured(tmp_path / gpu.PARTS_FILE)
    measured.add("first", lambda: {"seconds": 1.0})
    kept = json.loads((tmp_path / gpu.PARTS_FILE).read_text(encoding="utf-8"))
    assert kept["found"] == {"first": {"seconds": 1.0}}  # whatever comes after
    assert list(kept["seconds"]) == ["first"]
    monkeypatch.setattr(gpu, "SECONDS", -1)
    measured.add("second", lambda: {"seconds": 1.0})
    assert measured.found == {"first": {"seconds": 1.0}}
    assert measured.skipped["second"] == "-1 seconds were over"


@pytest.mark.slow
@pytest.mark.usefixtures("near")
def test_what_a_cpu_has_of_the_measure_of_a_gpu(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same code on the CPU, whose logits agree with themselves; then its table."""
    monkeypatch.setattr(gpu, "SECONDS", 10_000)  # a slow machine skips no part
    measured = gpu.measure(setting)
    found, skipped = measured["found"], measured["skipped"]
    assert found["logits of CPU and GPU"] == {"largest difference": 0, "answers that differ": 0}
    assert found["a resumed training"] == {"same bits": True}
    assert found["one rank with NCCL"]["seconds"] > 0
    for precision in gpu.ON_ANY:
        both = found[f"bare loop and ours, an epoch of 784-16-10, {precision}"]
        assert set(both) == {"bare loop", "ours"}
    assert skipped["bare loop and ours, an epoch of 784-16-10, tf32"] == "for GPUs only"
    if find_spec("jax"):
        assert list(found)[-1] == "jax, an epoch of 784-16-10, 32-true"
    tables.show({"gpu": measured}, setting.console)
    shown = setting.console.file.getvalue()  # type: ignore[attr-defined]
    assert "same bits" in shown
    assert "CUDA graphs" in shown
