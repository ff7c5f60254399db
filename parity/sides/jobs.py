"""Runs a side's command lines in a process of its own, and shows how far it is."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from parity.claims import sweep
from parity.errors import ParityError
from parity.run_record import RECORD_FILE, RunRecord, RunRecordError
from parity.sides.process import environment, last_lines, threads_of_each
from parity.writing import write_file

SIDES = {"lightning": "lightning_mnist", "keras": "keras_reference"}
ENTRIES = {side: f"{package}.instruments.lockstep:build" for side, package in SIDES.items()}
"""What builds a side for the ladder, as MODULE:FUNCTION."""
POLL_SECONDS = 0.5


class SideFailedError(ParityError, RuntimeError):
    """A side did not finish its runs; the message has its last lines."""


@dataclass(frozen=True)
class Job:
    """One side's runs: a process fills those of `run_dirs` that are missing, None if none is.

    `epochs` are those of all its runs together; what the process prints goes to `log`.
    """

    side: str
    run_dirs: list[Path]
    epochs: int
    log: Path
    process: subprocess.Popen[bytes] | None


def start(
    side: str, module: str, commands: Mapping[Path, list[str]], epochs: int, folder: Path
) -> Job:
    """Start a process for the runs that are not finished; `folder` gets its log.

    `commands` are command lines by run directory, in the order in which they are run.
    """
    log = folder / f"{side}.log"
    missing = [path for path in commands if not _finished(path)]
    if not missing:
        return Job(side, list(commands), epochs, log, None)
    for path in missing:
        shutil.rmtree(path, ignore_errors=True)
    command = in_one_process(module, [commands[path] for path in missing], folder / f"{side}.json")
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            command,
            env=environment(threads_of_each(len(SIDES))),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return Job(side, list(commands), epochs, log, process)


def in_one_process(module: str, commands: list[list[str]], file: Path) -> list[str]:
    """What runs ``python -m MODULE`` with each list of flags, and dies with its parent.

    They are written to `file`; what the dead have left half written beside it is removed.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    sweep(file.parent)
    write_file(file, json.dumps(commands))
    return [sys.executable, "-m", "parity.sides.command_lines", module, str(file)]


def finish(jobs: list[Job], console: Console) -> None:
    """Wait for all of them.

    Raises:
        SideFailedError: a side failed; finished runs are kept.
    """
    try:
        _show_progress(jobs, console)
    finally:
        for job in jobs:
            if job.process is not None and job.process.poll() is None:
                job.process.terminate()
    failures = [failure for job in jobs if (failure := _failure(job))]
    if failures:
        raise SideFailedError("\n".join(failures))


def _record(run_dir: Path) -> RunRecord | None:
    try:
        return RunRecord.load(run_dir / RECORD_FILE)
    except RunRecordError:
        return None


def _finished(run_dir: Path) -> bool:
    record = _record(run_dir)
    return record is not None and record.finished


def _show_progress(jobs: list[Job], console: Console) -> None:
    """Until all processes have ended, read off the run records how far they are."""
    columns = (
        TextColumn("{task.description:<10}"), BarColumn(), TextColumn("{task.fields[what]}"),
        TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console) as progress:
        tasks: dict[str, TaskID] = {
            job.side: progress.add_task(
                job.side, total=job.epochs + len(job.run_dirs), what="starting"
            )
            for job in jobs
        }
        while True:
            running = any(job.process is not None and job.process.poll() is None for job in jobs)
            for job in jobs:
                records = [record for path in job.run_dirs if (record := _record(path))]
                epochs = sum(len(record.history) for record in records)
                finished = sum(record.finished for record in records)
                what = f"{finished} of {len(job.run_dirs)} runs, {epochs} of {job.epochs} epochs"
                progress.update(tasks[job.side], completed=epochs + finished, what=what)
            if not running:
                return
            time.sleep(POLL_SECONDS)


def _failure(job: Job) -> str | None:
    """What to say of a side that did not finish, or None."""
    missing = [path.name for path in job.run_dirs if not _finished(path)]
    if not missing:
        return None
    last = "\n".join(f"  | {line}" for line in last_lines(job.log, 15))
    return (
        f"{job.side} did not finish {', '.join(missing)}; what is finished is kept and will be "
        f"reused. Its last lines ({job.log}):\n{last}"
    )
