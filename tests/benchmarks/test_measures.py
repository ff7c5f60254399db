"""`benchmarks`: every competitor does the work that it is timed for; no test asserts a time."""

import importlib
import io
import json
import os
import runpy
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from rich.console import Console

from benchmarks import crew as crews
from benchmarks import processes, tables
from benchmarks.competitors import AUGMENTED, PLAIN, Competitor, chosen
from benchmarks.crew import crew
from benchmarks.errors import InputError, WorkerFailedError
from benchmarks.figures import against, compared, summary
from benchmarks.measures import accuracy, busy, calls, epoch, gpu, growth, memory
from benchmarks.measures import growth_of_processes as growing
from benchmarks.plots import draw
from benchmarks.processes import fit, once
from benchmarks.results import PICTURE_FILE, RESULTS_FILE, Results
from benchmarks.rounds import rounds
from benchmarks.setting import Setting
from benchmarks.work import AUGMENTATION, NETWORKS, Network, Work, work_on
from benchmarks.workers import bare, ours, usual
from benchmarks.workers.call_counter import count_calls
from benchmarks.workers.serving import answering
from tests.conftest import Done

FEW = Network((16,), 64)


@pytest.fixture
def work(tiny_npz: Path) -> Work:
    return replace(work_on(tiny_npz, "cpu").on(FEW), epochs=1)


@pytest.fixture
def setting(work: Work, tmp_path: Path) -> Setting:
    quiet = Console(file=io.StringIO())
    return Setting(work, {"small": FEW}, ("bare loop",), 1, 1, tmp_path, quiet)


@contextmanager
def unheard() -> Iterator[io.StringIO]:
    """What is printed is kept, and no warning is an error: so it is in a process."""
    with redirect_stdout(io.StringIO()) as printed, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield printed


class Near:
    """A worker within this process, which imports a framework once for all of them."""

    def __init__(self, name: str, module: str, threads: int, folder: Path) -> None:
        self.answer = answering(importlib.import_module(f"benchmarks.workers.{module}").prepare)

    def ask(self, **message: Any) -> dict[str, Any]:
        with unheard():
            answer: dict[str, Any] = json.loads(json.dumps(self.answer(message)))
        return answer

    def close(self) -> None:
        """There is nothing to end."""


TIMED = processes.timed


def ended(command: list[str], threads: int, log: Path) -> tuple[float, str]:
    """`benchmarks.processes.timed` without a process, but for a rank, which would end this one."""
    if "ddp" in command:
        return TIMED(command, threads, log)
    module, *flags = command
    with unheard() as printed, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [module, *flags])
        try:
            runpy.run_module(module, run_name="__main__")
        except SystemExit as exit_:
            if exit_.code:
                raise WorkerFailedError(f"{module} ended with exit code {exit_.code}") from None
    return 1.0, printed.getvalue()


@pytest.fixture
def near(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process is started for a worker, a script or a `fit` of one rank."""
    monkeypatch.setattr(crews, "Worker", Near)
    monkeypatch.setattr(processes, "timed", ended)
    monkeypatch.setattr(gpu, "timed", ended)


@pytest.fixture
def benchmarks_here(in_process: Callable[..., Done]) -> Callable[..., Done]:
    return lambda *flags: in_process("benchmarks", *flags)


def test_ratios_of_medians_and_of_pairs() -> None:
    """A machine that is ten times slower in one round changes neither much."""
    reference, own = [1.0, 10.0, 1.2], [2.0, 20.0, 2.4]
    assert against(own, reference) == {"ratio": 2.0, "paired": 2.0}
    assert against([3.0, 1.0, 1.0], [1.0, 1.0, 3.0]) == {"ratio": 1.0, "paired": 1.0}
    assert against([2.0, 4.0, 9.0], [1.0, 4.0, 3.0]) == {"ratio": 4 / 3, "paired": 2.0}
    with pytest.raises(ValueError, match="longer than"):
        against([1.0], [1.0, 2.0])


def test_summary_keeps_what_was_measured() -> None:
    assert summary([3.0, 1.0, 2.0]) == {"seconds": [3.0, 1.0, 2.0], "min": 1, "median": 2, "max": 3}
    assert compared({"a": [1.0], "b": [3.0]}, "a")["b"]["ratio"] == 3.0


def test_a_twelfth_is_kept_for_validation_as_fit_does(tiny_npz: Path) -> None:
    work = work_on(tiny_npz, "cpu")
    assert (work.images, work.val_images) == (367, 33)
    assert work.on(NETWORKS["large"]).steps == 1
    assert replace(work, batch_size=100).steps == 4
    assert replace(work, batch_size=100, devices=3).steps == 4  # 99 images a step
    assert Work.from_json(json.loads(json.dumps(work.to_json()))) == work


class Told:
    """A worker that notes when it is asked."""

    def __init__(self, name: str, asked: list[str]) -> None:
        self.name, self.asked = name, asked

    def ask(self, **message: bool) -> dict[str, float]:
        assert message == {"run": True}
        self.asked.append(self.name)
        return {"seconds": float(len(self.asked))}


def test_rounds_alternate_and_the_first_is_not_kept() -> None:
    asked: list[str] = []
    workers: Any = {name: Told(name, asked) for name in "abc"}
    assert rounds(workers, 2, lambda what: None) == {"a": [4, 7], "b": [5, 8], "c": [6, 9]}
    assert "".join(asked) == "abc" * 3


def test_what_is_not_installed_is_skipped_by_name() -> None:
    odd = {"bare loop": PLAIN["bare loop"], "odd": Competitor("bare", needs="no_such_package")}
    members, skipped = chosen(odd, [])
    assert list(members) == ["bare loop"]
    assert skipped == {"odd": "no_such_package is not installed"}


def test_the_bare_loop_always_takes_part() -> None:
    assert list(chosen(PLAIN, ["ours"])[0]) == ["bare loop", "ours"]


def answers(member: Competitor, work: Work, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a worker notes when it is prepared, and what it says of a round."""
    with crew({"one": (member.module, member.settings, work)}, 1, folder) as (workers, notes):
        return notes["one"], workers["one"].ask(run=True)


@pytest.mark.parametrize(
    "name",
    [
        "bare loop, ours",
        "matrix products",
        "ours, augmented",
        "lightning, 0 workers",
        "lightning, 2 workers, torchvision",
    ],
)
@pytest.mark.slow
@pytest.mark.usefixtures("near")
def test_competitors_of_torch_train(name: str, work: Work, tmp_path: Path) -> None:
    member = {**PLAIN, **AUGMENTED}[name]
    _, answer = answers(member, replace(work, augmented=member.augmented), tmp_path)
    assert answer["seconds"] > 0
    assert answer["peak_mib"] > 50


@pytest.mark.parametrize(
    "name",
    [
        "keras",
        "keras tuned, validated",
        "keras tuned, augmented",
        "keras tuned, its affine layers",
    ],
)
@pytest.mark.slow
@pytest.mark.usefixtures("near")
def test_competitors_of_keras_train_and_are_tuned(
    name: str, work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keras_fit: Any = pytest.importorskip("benchmarks.workers.keras_fit", exc_type=ImportError)
    monkeypatch.setattr(keras_fit, "CALIBRATION_ROUNDS", 1)
    ways = keras_fit.STEPS_PER_EXECUTION if name == "keras tuned, validated" else (32,)
    monkeypatch.setattr(keras_fit, "STEPS_PER_EXECUTION", ways)
    member = {**PLAIN, **AUGMENTED}[name]
    note, answer = answers(member, replace(work, augmented=member.augmented), tmp_path)
    assert answer["seconds"] > 0
    if name == "keras":
        assert note == {}
        return
    trials = note["calibration_seconds"]
    assert len(trials) == 2 * len(ways)
    assert trials[note["chosen"]] == min(value for value in trials.values() if value is not None)


def test_keras_validates_with_images_that_it_does_not_train_on(work: Work) -> None:
    from benchmarks.workers import keras_fit

    training, validation = keras_fit.read(work)
    assert [len(part) for part in (*training, *validation)] == [367, 367, 33, 33]
    model = Mock()
    keras_fit.seconds(model, training, work, verbose=0, validation=validation)
    assert model.fit.call_args.kwargs["validation_data"] is validation


def test_torchvision_displaces_as_far_as_we_do() -> None:
    elastic = usual.transform(augmented=True).transforms[2]  # type: ignore[attr-defined]
    torch.manual_seed(0)
    image = torch.zeros(1, 28, 28, dtype=torch.uint8)
    half_images = torch.stack([elastic.make_params([image])["displacement"] for _ in range(100)])
    pixels = 14 * half_images[..., 8:20, 8:20, :].square().mean().sqrt()
    assert pixels == pytest.approx(AUGMENTATION["elastic"], rel=0.1)


@pytest.mark.slow
def test_kornia_displaces_as_far_as_we_do() -> None:
    pytest.importorskip("kornia")
    ramp = torch.arange(28.0).expand(100, 1, 28, 28)  # tells each pixel's column
    torch.manual_seed(0)
    pixels = (bare.kornia_elastic()(ramp) - ramp)[..., 8:20, 8:20].square().mean().sqrt()
    assert pixels == pytest.approx(AUGMENTATION["elastic"], rel=0.1)


@pytest.mark.slow
@pytest.mark.usefixtures("near")
def test_ours_is_held_to_the_same_work(work: Work, tmp_path: Path) -> None:
    """A record of fewer steps, images or epochs is not taken for a fast one."""
    _, record = fit(work, tmp_path / "run", 1)
    assert ours.epoch_seconds(record, work) == record.durations["fit"]
    for other in (
        replace(work, images=366),
        replace(work, batch_size=32),
        replace(work, epochs=2),
    ):
        with pytest.raises(WorkerFailedError, match=r"trained on 367 images for 1 epochs in 6"):
            ours.epoch_seconds(record, other)


def test_python_calls_are_counted_exactly() -> None:
    def called() -> None:
        pass

    def run(times: int) -> None:
        for _ in range(times):
            called()
            len("")

    few, many = (count_calls(partial(run, n)) for n in (10, 30))
    assert {kind: many[kind] - few[kind] for kind in few} == {"python": 20, "c": 20}


def test_a_busy_core_is_busy_and_let_go() -> None:
    with busy.one_core_busy() as process:
        (core,) = os.sched_getaffinity(process.pid)
        assert core in os.sched_getaffinity(0)
        assert process.poll() is None
    assert process.poll() is not None


@pytest.mark.slow
def test_a_worker_that_fails_says_why_and_where_its_log_is(work: Work, tmp_path: Path) -> None:
    missing = replace(work, data="no.npz")
    with (
        pytest.raises(
            WorkerFailedError, match=r"one failed .*one\.log.*FileNotFoundError.*no\.npz"
        ),
        crew({"one": ("bare", {}, missing)}, 1, tmp_path),
    ):
        pass
    with (
        pytest.raises(WorkerFailedError, match=r"one failed .*No module named.*no_such_worker"),
        crew({"one": ("no_such_worker", {}, work)}, 1, tmp_path),
    ):
        pass


@pytest.mark.slow
def test_the_crew_ends_with_its_block(work: Work, tmp_path: Path) -> None:
    with crew({"one": ("bare", {}, work)}, 1, tmp_path) as (workers, _):
        process = workers["one"].process
        assert process.poll() is None
    assert process.returncode == 0


def test_every_framework_gets_the_same_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    environment = crews.environment(3)
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
    assert {environment[name] for name in names} == {"3"}


def test_a_process_that_fails_says_why(tmp_path: Path, work: Work) -> None:
    with pytest.raises(
        WorkerFailedError, match=r"no_such ended with exit code 1 .*No module named"
    ):
        once("no_such", work, 1, tmp_path / "log")


def test_the_shortest_run_that_reaches_the_target_counts(work: Work) -> None:
    asked: list[tuple[float, int]] = []

    def run(work: Work, seed: int) -> tuple[float, float]:
        asked.append((work.epochs, seed))
        return 10 * work.epochs, 0.9 + 0.025 * work.epochs

    found = accuracy._shortest(run, work, 4)
    assert {target: (run["epochs"], run["seconds"]) for target, run in found.items()} == {
        0.97: (3, 30),
        0.98: (4, 40),
    }
    assert asked == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_target_that_is_not_reached_gives_no_ratio(work: Work) -> None:
    never = accuracy._shortest(lambda work, seed: (1.0, 0.975), work, 0)
    assert (never[0.97]["epochs"], never[0.97]["reached"]) == (1, True)
    assert (never[0.98]["epochs"], never[0.98]["reached"]) == (accuracy.MOST_EPOCHS, False)
    results = accuracy._results({"keras tuned": [never[0.98]], "ours": [never[0.98]]})
    assert "ratio" not in results["ours"]


def test_tiled_digits_have_as_many_images_as_asked_for(work: Work, tmp_path: Path) -> None:
    more = growth.tiled(work, 1000, tmp_path)
    assert (more.images, more.val_images) == (1000, 100)
    assert work_on(Path(more.data), "cpu").images == 1100 - round(1100 / 12)


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


@pytest.mark.slow
def test_jax_learns_what_the_bare_loop_learns(work: Work) -> None:
    """From the same weights, in the same order, the smaller last batch too, over two epochs."""
    jnp = pytest.importorskip("jax.numpy")
    from benchmarks.workers import jax_scan

    work = replace(work, epochs=2)
    network = bare.mlp(work.hidden)
    layers: Any = list(network)[::2]
    pairs = [(layer.weight.T, layer.bias) for layer in layers]
    state = jax_scan.initial(work)
    weights = [tuple(jnp.array(tensor.detach().numpy()) for tensor in pair) for pair in pairs]
    assert [w.shape for pair in state[0] for w in pair] == [w.shape for p in weights for w in p]
    images, labels = jax_scan.arrays(work.data, "train")
    training = images[: work.images], labels[: work.images]
    *_, (learned, *_) = jax_scan.train(work, (weights, *state[1:]), *training)

    optimizer = torch.optim.Adam(network.parameters(), lr=work.learning_rate, fused=True)
    batches = bare.Batches(*bare.train_images(work, torch.device("cpu")), work.batch_size)
    rng = np.random.default_rng(work.seed)
    for _ in range(2):
        bare.epoch(network, optimizer, batches, torch.from_numpy(rng.permutation(work.images)))
    for layer, pair in zip(layers, learned, strict=True):
        for tensor, array in zip((layer.weight.T, layer.bias), pair, strict=True):
            np.testing.assert_allclose(tensor.detach().numpy(), array, atol=1e-4)
    logits = network(training_pixels(work)).argmax(1).numpy()
    right = float((logits == np.asarray(training[1])).mean())
    assert jax_scan.accuracy(learned, *training).item() == pytest.approx(right, abs=0.01)


def training_pixels(work: Work) -> torch.Tensor:
    return bare.train_images(work, torch.device("cpu"))[0] / 255


@pytest.mark.slow
@pytest.mark.usefixtures("near")
def test_jax_takes_part(work: Work, tmp_path: Path) -> None:
    pytest.importorskip("jax")
    _, answer = answers(PLAIN["jax, validated"], work, tmp_path)
    assert answer["seconds"] > 0
    result = once("jax_script", work, 1, tmp_path / "jax.log")
    assert 0.1 < result["accuracy"] <= 1


def test_without_a_gpu_all_that_needs_one_is_skipped_by_name(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "_holds", lambda condition: False)
    measured = gpu.measure(replace(setting, work=replace(setting.work, accelerator="gpu")))
    assert measured["found"] == {}
    assert set(measured["skipped"].values()) == {
        "torch finds no CUDA device", *gpu.NOT_BUILT.values()
    }  # fmt: skip
    assert len(measured["skipped"]) == 5 + len(gpu.PRECISIONS) + len(gpu.NOT_BUILT)


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
