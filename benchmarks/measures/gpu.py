"""What is to be known of one GPU, in four minutes: speed by precision, launches, and the same bits.

What the machine has not, or what there was no time for, is skipped by name. What has been found is
kept after every part, in ``gpu.json``: a lent machine may be gone before the last one.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.competitors import PLAIN
from benchmarks.crew import Worker, crew, environment
from benchmarks.errors import WorkerFailedError
from benchmarks.figures import summary
from benchmarks.measures.calls import a_step
from benchmarks.processes import fit, timed
from benchmarks.rounds import rounds, seconds_of
from benchmarks.setting import Setting
from benchmarks.work import Network, Work
from parity.json_text import write_json
from parity.run_record import PREDICTIONS_FILE, Predictions

SECONDS = 240
"""For all parts; one that has begun is ended."""
PARTS_FILE = "gpu.json"
PRECISIONS = ("32-true", "tf32", "bf16-mixed", "16-mixed")
ON_ANY = ("32-true", "bf16-mixed")
"""What a CPU has of them."""
OF_TORCH = ("bare loop", "ours")
ROUNDS = 3
"""At most, of an epoch each."""
PROFILED = 8
"""The part of an epoch that is profiled is one in so many: the profiler takes its time."""
TARGETS = (0.98, 0.99)
LONG = 12
"""Epochs that may be needed for the targets."""
NOT_BUILT = {
    "CUDA graphs": "the step without a graph is for CPUs",
    "two ranks on one card": "Lightning gives each rank a card of its own",
}
TORCH_HAS_ONE = "__import__('torch').cuda.is_available()"
JAX_HAS_ONE = "__import__('jax').default_backend() == 'gpu'"
Part = Callable[[], dict[str, Any]]


class SkippedError(Exception):
    """A part cannot be measured here; the message says why."""


@dataclass
class Measured:
    """What parts have found, why others were skipped, and seconds that parts took, all by name."""

    file: Path
    missing: str | None = None
    started: float = field(default_factory=time.monotonic)
    found: dict[str, Any] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=lambda: dict(NOT_BUILT))
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, name: str, part: Part) -> None:
        """Measure a part, if it can be had and there is time, and keep what was found so far."""
        begun = time.monotonic()
        if self.missing or begun - self.started > SECONDS:
            self.skipped[name] = self.missing or f"{SECONDS} seconds were over"
            return
        try:
            self.found[name] = part()
        except (SkippedError, WorkerFailedError) as error:
            self.skipped[name] = str(error)
        self.seconds[name] = round(time.monotonic() - begun, 1)
        write_json(self.file, self.results())

    def results(self) -> dict[str, Any]:
        """Of all parts so far."""
        return {"found": self.found, "skipped": self.skipped, "seconds": self.seconds}


def measure(setting: Setting) -> dict[str, Any]:
    """Results of all parts, why others were skipped, and how long each took, by name."""
    measured = Measured(setting.out / PARTS_FILE)
    by_jax = find_spec(PLAIN["jax"].needs) is not None
    if setting.work.accelerator == "gpu":
        if not _holds(TORCH_HAS_ONE):
            measured.missing = "torch finds no CUDA device"
        elif by_jax and not _holds(JAX_HAS_ONE):
            by_jax = False
            measured.skipped["jax"] = "JAX finds no GPU"
    networks = list(setting.networks.values())
    ways = [(network, precision) for precision in PRECISIONS for network in networks]
    parts = {
        "seconds of training to accuracy": _to_accuracy,
        "logits of CPU and GPU": _agreement,
        "a resumed training": _resumed,
        "one rank with NCCL": _one_rank,
        "launches and waits a step": _launches,
    }
    last = [(network, PRECISIONS[0]) for network in networks if by_jax]
    with setting.progress("gpu", len(ways) + len(parts) + len(last)) as advance:
        _epochs(setting, measured, OF_TORCH, ways, advance)
        for name, part in parts.items():
            advance(name)
            measured.add(name, partial(part, setting))
        _epochs(setting, measured, ("jax",), last, advance)  # it compiles for minutes
    return measured.results()


def _epochs(
    setting: Setting,
    measured: Measured,
    names: tuple[str, ...],
    ways: list[tuple[Network, str]],
    advance: Callable[[str], None],
) -> None:
    """Seconds an epoch of competitors, side by side, on each network and in each precision."""
    able = () if measured.missing or not ways else names
    members = {name: (PLAIN[name], setting.work) for name in able}
    with crew(members, setting.threads, setting.logs("gpu epoch")) as (workers, _):
        for network, precision in ways:
            what = f"{' and '.join(names)}, an epoch of {network.name}, {precision}"
            advance(what)
            measured.add(what, partial(_epoch, setting, workers, network, precision))


def _epoch(
    setting: Setting, workers: Mapping[str, Worker], network: Network, precision: str
) -> dict[str, Any]:
    """By competitor, the first round left out."""
    work = replace(setting.work.on(network), precision=precision)
    if work.accelerator == "cpu" and precision not in ON_ANY:
        raise SkippedError("for GPUs only")
    for name, worker in workers.items():
        worker.ask(prepare=work.to_json(), settings=PLAIN[name].settings)
    seconds = rounds(workers, min(setting.rounds, ROUNDS), lambda name: None, seconds_of)
    return {name: summary(values) for name, values in seconds.items()}


def _launches(setting: Setting) -> dict[str, Any]:
    """Kernels launched, and waits for the device, an optimiser step; the guard is on."""
    if setting.work.accelerator == "cpu":
        raise SkippedError("for GPUs only")
    found = {}
    work = replace(setting.work, images=setting.work.images // PROFILED)
    for name, augmented in (("bare loop", False), ("ours", False), ("ours", True)):
        key = "gpu " + name + " augmented" * augmented
        member, its = PLAIN[name], replace(work, augmented=augmented)
        with crew({key: (member, its)}, setting.threads, setting.logs(key)) as (team, _):
            found[key] = a_step(team[key], member, its, kinds=("launches",))
    return found


def _agreement(setting: Setting) -> dict[str, Any]:
    """Of the same checkpoint: the largest difference of a logit, and answers that differ."""
    run, _ = _fitted(setting, setting.work, "agreement")
    here, there = (
        _tested(setting, run, device, name)
        for name, device in (("here", "cpu"), ("there", setting.work.accelerator))
    )
    difference = np.abs(here.logits - there.logits)
    differ = (here.logits.argmax(1) != there.logits.argmax(1)).sum()
    return {"largest difference": float(difference.max()), "answers that differ": int(differ)}


def _resumed(setting: Setting) -> dict[str, Any]:
    """Two epochs at once, and one that was gone on with."""
    at_once, _ = _fitted(setting, replace(setting.work, epochs=2), "at_once")
    stopped, _ = _fitted(setting, setting.work, "resumed")
    flags = ["--resume", str(stopped), "--trainer.max_epochs", "2"]
    timed(["lightning_mnist", "fit", *flags], setting.threads, stopped.with_suffix(".log"))
    one, other = (Predictions.load(run / PREDICTIONS_FILE) for run in (at_once, stopped))
    return {"same bits": bool(np.array_equal(one.logits, other.logits))}


def _one_rank(setting: Setting) -> dict[str, Any]:
    """Seconds an epoch through what exchanges gradients, with nobody to exchange them with."""
    _, seconds = _fitted(setting, setting.work, "ddp", "--trainer.strategy", "ddp")
    return {"seconds": seconds}


def _to_accuracy(setting: Setting) -> dict[str, Any]:
    """Seconds of training until the validation part is read so well; None where it is not."""
    work = replace(setting.work, hidden=(1024, 512), epochs=LONG, augmented=True, decay=0.75)
    _, record = fit(work, _folder(setting, "accuracy"), setting.threads)
    an_epoch = record.durations["fit"] / len(record.history)
    found: dict[str, Any] = {}
    for target in TARGETS:
        reached = (n for n, row in enumerate(record.history, 1) if row["val_accuracy"] >= target)
        epochs = next(reached, None)
        found[f"{target:.0%}"] = None if epochs is None else epochs * an_epoch
    return found


def _fitted(setting: Setting, work: Work, name: str, *more: str) -> tuple[Path, float]:
    """A run and its seconds an epoch."""
    run = _folder(setting, name)
    _, record = fit(work, run, setting.threads, *more)
    return run, record.durations["fit"] / len(record.history)


def _tested(setting: Setting, run: Path, accelerator: str, name: str) -> Predictions:
    folder = _folder(setting, name)
    command = ["lightning_mnist", "test", "--ckpt_path", str(run / "checkpoints" / "best.ckpt")]
    command += ["--data.source", setting.work.data, "--run_dir", str(folder)]
    command += ["--trainer.accelerator", accelerator]
    timed(command, setting.threads, folder.with_suffix(".log"))
    return Predictions.load(folder / PREDICTIONS_FILE)


def _folder(setting: Setting, name: str) -> Path:
    folder = setting.logs("gpu") / name
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def _holds(condition: str) -> bool:
    """Of a framework, asked in a process of its own: here none is imported."""
    code = f"import sys; sys.exit(not ({condition}))"
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], env=environment(1), check=False, capture_output=True
    )
    return done.returncode == 0
