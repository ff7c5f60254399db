"""Long-lived workers, one process each, that are told what to do and answer."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.competitors import Competitor
from benchmarks.errors import WorkerFailedError
from benchmarks.work import Work
from parity.sides import process
from parity.sides.process import Conversation, ProcessFailedError

ROOT = Path(__file__).parent.parent


def environment(threads: int) -> dict[str, str]:
    """That of so many threads, in which no framework chats and this checkout is found."""
    return process.environment(threads) | {
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "OMP_WAIT_POLICY": "passive",
        "JSONARGPARSE_DEPRECATION_WARNINGS": "off",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
    }


class Worker(Conversation):
    """A module of `benchmarks.workers`, running.

    Args:
        name: For messages, and of the log.
        module: Of `benchmarks.workers`.
        threads: It may compute with.
        folder: For the log.
    """

    def __init__(self, name: str, module: str, threads: int, folder: Path) -> None:
        self.name = name
        log = folder / f"{name.replace(' ', '_').replace(',', '')}.log"
        super().__init__(f"benchmarks.workers.{module}", log, environment(threads))

    def hear(self) -> dict[str, Any]:
        """Wait for the answer to the oldest command.

        Raises:
            WorkerFailedError: it says that it failed, or it has died.
        """
        try:
            return super().hear()
        except ProcessFailedError as error:
            raise WorkerFailedError(f"{self.name} failed ({self.log}): {error}") from None


@contextmanager
def crew(
    members: Mapping[str, tuple[Competitor, Work]], threads: int, folder: Path
) -> Iterator[tuple[dict[str, Worker], dict[str, dict[str, Any]]]]:
    """Workers that are ready, and what each noted, by name; they end with the block.

    Args:
        members: Who takes part, and what each trains, by name.
        threads: That each may compute with.
        folder: For the logs.

    Raises:
        WorkerFailedError: one of them cannot be made ready.
    """
    with ExitStack() as stack:
        workers = {}
        for name, (member, _) in members.items():  # they import side by side
            workers[name] = Worker(name, member.module, threads, folder)
            stack.callback(workers[name].close)
        notes = {}
        for name, (member, work) in members.items():  # a calibration wants the machine
            answer = workers[name].ask(prepare=work.to_json(), settings=member.settings)
            notes[name] = answer["note"]
        yield workers, notes
