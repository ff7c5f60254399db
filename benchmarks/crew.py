"""Long-lived workers, one process each, that are told what to do and answer."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from benchmarks.errors import WorkerFailedError
from benchmarks.work import Work

ROOT = Path(__file__).parent.parent
LAST_LINES = 8


def environment(threads: int) -> dict[str, str]:
    """The environment in which every framework computes with so many threads."""
    count = str(threads)
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
    return {
        **os.environ,
        **dict.fromkeys(names, count),
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "OMP_WAIT_POLICY": "passive",
        "JSONARGPARSE_DEPRECATION_WARNINGS": "off",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
    }


class Worker:
    """A module of `benchmarks.workers`, running.

    Args:
        name: For messages, and of the log.
        module: Of `benchmarks.workers`.
        threads: It may compute with.
        folder: For the log.
    """

    def __init__(self, name: str, module: str, threads: int, folder: Path) -> None:
        self.name = name
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / f"{name.replace(' ', '_').replace(',', '')}.log"
        with self.log.open("wb") as errors:
            self.process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", f"benchmarks.workers.{module}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment(threads),
                text=True,
            )

    def tell(self, **message: Any) -> None:
        """Send a command; the answer is waited for elsewhere."""
        try:
            _pipe(self.process.stdin).write(json.dumps(message) + "\n")
            _pipe(self.process.stdin).flush()
        except BrokenPipeError:
            pass  # it has died: what it left is in the log, which `hear` reads

    def hear(self) -> dict[str, Any]:
        """Wait for the answer to the oldest command.

        Raises:
            WorkerFailedError: it says that it failed, or it has died.
        """
        line = _pipe(self.process.stdout).readline()
        if not line:
            last = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
            reason = f"exit code {self.process.wait()}; last lines: {' | '.join(last)}"
            raise WorkerFailedError(f"{self.name} has died ({self.log}): {reason}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerFailedError(f"{self.name} failed ({self.log}): {answer['error']}")
        return answer

    def ask(self, **message: Any) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        self.tell(**message)
        return self.hear()

    def close(self) -> None:
        """End it, politely at first."""
        _pipe(self.process.stdin).close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        _pipe(self.process.stdout).close()


@contextmanager
def crew(
    members: Mapping[str, tuple[str, Mapping[str, Any], Work]], threads: int, folder: Path
) -> Iterator[tuple[dict[str, Worker], dict[str, dict[str, Any]]]]:
    """Workers that are ready, and what each noted, by name; they end with the block.

    Args:
        members: Module, settings and work, by name.
        threads: That each may compute with.
        folder: For the logs.

    Raises:
        WorkerFailedError: one of them cannot be made ready.
    """
    with ExitStack() as stack:
        workers = {}
        for name, (module, _, _) in members.items():  # they import side by side
            workers[name] = Worker(name, module, threads, folder)
            stack.callback(workers[name].close)
        notes = {}
        for name, (_, settings, work) in members.items():  # a calibration wants the machine
            answer = workers[name].ask(prepare=work.to_json(), settings=dict(settings))
            notes[name] = answer["note"]
        yield workers, notes


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe
