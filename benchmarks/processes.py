"""Whole processes, timed from start to exit."""

import json
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.crew import environment
from benchmarks.errors import WorkerFailedError
from benchmarks.work import Work
from benchmarks.workers import ours
from parity.run_record import RECORD_FILE, RunRecord
from parity.sides.process import last_lines


def timed(command: list[str], threads: int, log: Path) -> tuple[float, str]:
    """Run ``python -m`` with `command`: seconds until it has ended, and what it printed.

    Raises:
        WorkerFailedError: it ended with another exit code than 0.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    with log.open("wb") as errors:
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", *command],
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment(threads),
            check=False,
        )
    seconds = time.perf_counter() - started
    if done.returncode != 0:
        raise WorkerFailedError(
            f"{command[0]} ended with exit code {done.returncode} ({log}): "
            + " | ".join(last_lines(log))
        )
    return seconds, done.stdout.decode(errors="replace")


def fit(work: Work, run_dir: Path, threads: int, *more: str) -> tuple[float, RunRecord]:
    """Our `fit` with `more` flags, from process start to exit: its seconds and its record."""
    command = ["lightning_mnist", *ours.flags(work, run_dir), *more]
    seconds, _ = timed(command, threads, run_dir.with_suffix(".log"))
    return seconds, RunRecord.load(run_dir / RECORD_FILE)


def once(module: str, work: Work, threads: int, log: Path) -> dict[str, float]:
    """A worker's one-shot form: what it prints as JSON, and the ``process_seconds`` it took."""
    command = [f"benchmarks.workers.{module}", json.dumps(work.to_json())]
    seconds, printed = timed(command, threads, log)
    result: dict[str, float] = json.loads(printed.splitlines()[-1])
    return result | {"process_seconds": seconds}
