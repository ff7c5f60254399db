"""What tests of benchmarks share: tiny work, and workers within this process."""

import importlib
import io
import json
import runpy
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmarks import crew as crews
from benchmarks import processes
from benchmarks.competitors import Competitor
from benchmarks.crew import crew
from benchmarks.errors import WorkerFailedError
from benchmarks.measures import gpu
from benchmarks.setting import Setting
from benchmarks.work import Network, Work, work_on
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


def answers(member: Competitor, work: Work, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a worker notes when it is prepared, and what it says of a round."""
    with crew({"one": (member, work)}, 1, folder) as (workers, notes):
        return notes["one"], workers["one"].ask(run=True)
