"""`python -m benchmarks`: what it refuses, shows and writes."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmarks import tables
from benchmarks.errors import InputError
from benchmarks.figures import compared, summary
from benchmarks.measures import growth
from benchmarks.plots import draw
from benchmarks.results import RESULTS_FILE
from benchmarks.work import work_on
from tests.conftest import Done


def of_all_measures() -> dict[str, Any]:
    """As the measures return it, with made-up seconds."""
    both = compared({"bare loop": [1.0, 2.0], "ours": [1.5, 2.5]}, "bare loop")
    named = {"network": "784-16-10", "size": "small"}
    states = {"idle": summary([1.0]), "busy": summary([2.0]), "ratio": 2.0, "paired": 2.0}
    run = {"seconds": 1.0, "epochs": 2, "accuracy": 0.98, "reached": True}
    sized = {"batch_size": 64, "images": 367, "steps": 6, "augmentation": "none"}
    tuned = {"keras tuned": both["ours"] | {"chosen": "jit_compile=True, steps_per_execution=32"}}
    return {
        "epoch": [
            named | sized | {"competitors": both | tuned, "skipped": {"k": "kornia is missing"}}
        ],
        "accuracy": {
            "targets": [{"target": 0.97, "competitors": {"ours": {"runs": [run]} | summary([1.0])}}]
        },
        "busy": [named | {"competitors": {"ours": states}, "skipped": {}}],
        "growth": {
            quantity: [{quantity: value, "competitors": both} for value in (1, 2)]
            for quantity in ("images", "seeds")
        },
        "calls": [named | {"calls_a_step": {"ours": {"python": 900.0, "c": 500.0}}}],
        "memory": [named | {"mib": {"ours": 500.0}, "skipped": {}}],
        "gpu": {
            "found": {
                "ours, an epoch of 784-16-10, tf32": {"ours": summary([0.123])},
                "launches and waits a step": {"ours": {"launches": 31.0, "waits": 0.0}},
            },
            "skipped": {"jax": "JAX finds no GPU"},
        },
    }


@pytest.mark.pictures
def test_every_measure_has_a_table_and_a_panel(tmp_path: Path) -> None:
    written = io.StringIO()
    measures = of_all_measures()
    tables.show(measures, Console(file=written, width=120))
    shown = written.getvalue()
    for text in (
        "ours", "1.500", "skipped: k, kornia is missing", "keras tuned: jit_compile=True",
        "97% test accuracy", "one core kept busy", "of whole runs by seeds", "900.0", "500",
        "0.123 s", "launches 31, waits 0", "skipped: jax, JAX finds no GPU",
    ):  # fmt: skip
        assert text in shown
    draw(measures, tmp_path / "all.png")
    alone = {"memory": measures["memory"]}
    draw(alone, tmp_path / "one.png")
    assert (tmp_path / "all.png").stat().st_size > (tmp_path / "one.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("flags", "code", "sentence"),
    [
        (["speed"], 2, "speed"),
        (["--rounds", "0"], 2, "rounds"),
        (["--threads", "none"], 2, "threads"),
        (["--networks", "huge"], 2, "networks"),
        (["--data.source", "no.npz"], 1, "no.npz: no such file"),
    ],
)
def test_bad_input_is_answered_in_one_sentence(
    benchmarks_here: Callable[..., Done], flags: list[str], code: int, sentence: str
) -> None:
    done = benchmarks_here(*flags)
    assert done.code == code
    assert done.err.startswith("error: ")
    assert sentence in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_too_few_images_are_said(tmp_path: Path, tiny_npz: Path) -> None:
    few = growth.tiled(work_on(tiny_npz, "cpu"), 90, tmp_path)
    with pytest.raises(InputError, match="100 training images; expected at least 120"):
        work_on(Path(few.data), "cpu")


@pytest.mark.slow
def test_the_command_line_measures_and_writes(
    benchmarks_here: Callable[..., Done], tiny_npz: Path, tmp_path: Path
) -> None:
    done = benchmarks_here(
        "--data.source", tiny_npz, "--out", tmp_path / "out", "--rounds", 2, "--networks", "small",
        "--competitors", "bare loop",
    )  # fmt: skip
    assert (done.code, done.err) == (0, "")
    assert "784-128-10, batch 128, 367 images" in done.out
    values = json.loads((tmp_path / "out" / RESULTS_FILE).read_text(encoding="utf-8"))
    assert len(values["measures"]["epoch"][0]["competitors"]["bare loop"]["seconds"]) == 2


def test_the_parent_loads_no_framework() -> None:
    """Workers do: a framework in the parent would compute beside them."""
    code = "import sys, benchmarks.__main__; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"torch", "lightning", "tensorflow", "keras"}
