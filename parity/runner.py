"""Trains both sides, each in a process of its own, side by side, and keeps what is finished."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import IO

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from parity.recipe import Recipe
from parity.run_record import (
    RECORD_FILE,
    RunRecord,
    RunRecordError,
    sha256_of_digits,
    written_whole,
)

SIDES = {"lightning": "lightning_mnist", "keras": "keras_reference"}
SOFTWARE = ("torch", "lightning", "tensorflow", "keras", "numpy")
POLL_SECONDS = 0.5


class SideFailedError(RuntimeError):
    """A side did not finish its runs; the message has its last lines."""


@dataclass(frozen=True)
class Job:
    """One side's runs: where they go, and the process that trains those that are missing."""

    side: str
    run_dirs: list[Path]
    log: Path
    process: subprocess.Popen[bytes] | None


def export_data(folder: Path, source: str, root: str | None) -> Path:
    """Have `lightning_mnist` write the raw arrays that both sides will read.

    Raises:
        SideFailedError: the data cannot be had; the message says why.
    """
    command = [sys.executable, "-m", "lightning_mnist", "export", str(folder)]
    command += ["--data.source", source] + (["--data.root", root] if root else [])
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise SideFailedError(done.stderr.strip().removeprefix("error: "))
    sys.stderr.write(done.stderr)  # the loud word that these are not MNIST
    return Path(done.stdout.strip())


def train_both(recipe: Recipe, data: Path, out: Path, *, fresh: bool, console: Console) -> Path:
    """Train every seed of both sides that is not there yet.

    Args:
        recipe: What to train.
        data: The ``.npz`` that both sides read.
        out: Folder of all runs; those of one recipe, data and software share a folder below it.
        fresh: Train again what is there.
        console: Where progress is shown.

    Returns:
        The folder with ``lightning`` and ``keras`` below it.

    Raises:
        SideFailedError: a side failed; finished runs are kept and reused.
    """
    with np.load(data, allow_pickle=False) as arrays:
        sha256 = sha256_of_digits(*(arrays[k] for k in ("x_train", "y_train", "x_test", "y_test")))
    versions = {name: metadata.version(name) for name in SOFTWARE}
    folder = out / "runs" / recipe.digest(sha256, versions)
    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
    jobs = [_start(side, recipe, data, folder) for side in SIDES]
    try:
        _show_progress(jobs, recipe, console)
    finally:
        for job in jobs:
            if job.process is not None and job.process.poll() is None:
                job.process.terminate()
    failures = [failure for job in jobs if (failure := _failure(job))]
    if failures:
        raise SideFailedError("\n".join(failures))
    return folder


def _start(side: str, recipe: Recipe, data: Path, folder: Path) -> Job:
    """Start a process for the seeds that have no finished run."""
    run_dirs = [folder / side / f"seed{seed}" for seed in range(recipe.seeds)]
    log = folder / f"{side}.log"
    missing = [(seed, path) for seed, path in enumerate(run_dirs) if not _finished(path)]
    if not missing:
        return Job(side, run_dirs, log, None)
    for _, path in missing:
        shutil.rmtree(path, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    commands = [recipe.flags(side, str(data), seed, str(path)) for seed, path in missing]
    with written_whole(folder / f"{side}.json") as path:
        path.write_text(json.dumps(commands), encoding="utf-8")
    threads = str(max(1, (os.cpu_count() or 2) // len(SIDES)))
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": threads,
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_NUM_INTEROP_THREADS": "1",
    }
    with log.open("wb") as output:
        process = _spawn(SIDES[side], folder / f"{side}.json", environment, output)
    return Job(side, run_dirs, log, process)


def _spawn(
    package: str, commands: Path, environment: dict[str, str], output: IO[bytes]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "parity.side", package, str(commands)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
    )


def _record(run_dir: Path) -> RunRecord | None:
    try:
        return RunRecord.load(run_dir / RECORD_FILE)
    except RunRecordError:
        return None


def _finished(run_dir: Path) -> bool:
    record = _record(run_dir)
    return record is not None and record.finished


def _show_progress(jobs: list[Job], recipe: Recipe, console: Console) -> None:
    """Until both processes have ended, read off the run records how far they are."""
    columns = (
        TextColumn("{task.description:<10}"), BarColumn(), TextColumn("{task.fields[what]}"),
        TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console) as progress:
        total = recipe.seeds * recipe.epochs
        tasks: dict[str, TaskID] = {
            job.side: progress.add_task(job.side, total=total, what="starting") for job in jobs
        }
        while True:
            running = any(job.process is not None and job.process.poll() is None for job in jobs)
            for job in jobs:
                records = [record for path in job.run_dirs if (record := _record(path))]
                epochs = sum(len(record.history) for record in records)
                finished = sum(record.finished for record in records)
                what = f"{finished} of {recipe.seeds} seeds, {epochs} of {total} epochs"
                progress.update(tasks[job.side], completed=epochs, what=what)
            if not running:
                return
            time.sleep(POLL_SECONDS)


def _failure(job: Job) -> str | None:
    """What to say of a side that did not finish, or None."""
    missing = [path.name for path in job.run_dirs if not _finished(path)]
    if not missing:
        return None
    log = job.log.read_text(encoding="utf-8", errors="replace") if job.log.exists() else ""
    last = "\n".join(f"  | {line}" for line in log.splitlines()[-15:])
    return (
        f"{job.side} did not finish {', '.join(missing)}; what is finished is kept and will be "
        f"reused. Its last lines ({job.log}):\n{last}"
    )
