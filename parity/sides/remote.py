"""A side of the ladder in a process of its own: requests by pipe, arrays by file."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from parity.sides.jobs import SideFailedError
from parity.sides.lockstep import Precision, Table

LAST_LINES = 3


class Remote:
    """Starts ``parity.sides.lockstep``; a request may be sent ahead of its answer.

    Args:
        name: What messages call it.
        folder: For the exchange; made here.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        folder.mkdir(parents=True)
        threads = str(max(1, (os.cpu_count() or 2) // 2))  # two sides work at a time
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": threads,
            "TF_NUM_INTRAOP_THREADS": threads,
            "TF_NUM_INTEROP_THREADS": "1",
        }
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "parity.sides.lockstep"],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.target: Path | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.communicate()

    def open(self, entry: str, flags: Sequence[str], precision: Precision) -> None:
        """Ask for the side of an entry point; `receive` says when it is built."""
        self.target = None
        request = {"call": "open", "from": None, "to": None, "entry": entry}
        self._write(json.dumps(request | {"flags": list(flags), "precision": precision}))

    def send(self, call: str, table: Table | None = None, **arguments: Any) -> None:
        """Ask for something; `receive` has the answer."""
        self.target = self.folder / "reply.npz"
        request = {"call": call, "from": None, "to": str(self.target), **arguments}
        if table is not None:
            request["from"] = str(self.folder / "request.npz")
            arrays: dict[str, Any] = table
            np.savez(request["from"], **arrays)
        self._write(json.dumps(request))

    def receive(self) -> Table:
        """The answer to what was sent; empty after `open`.

        Raises:
            SideFailedError: the side failed, or has died; the message says what it said last.
        """
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        reply = json.loads(line) if line else {"error": self._last_lines()}
        if "error" in reply:
            raise SideFailedError(f"{self.name}: {reply['error']}")
        if self.target is None:
            return {}
        with np.load(self.target, allow_pickle=False) as arrays:
            return dict(arrays)

    def ask(self, call: str, table: Table | None = None, **arguments: Any) -> Table:
        """Send and receive."""
        self.send(call, table, **arguments)
        return self.receive()

    def _write(self, line: str) -> None:
        assert self.process.stdin is not None
        try:
            print(line, file=self.process.stdin, flush=True)
        except BrokenPipeError:
            raise SideFailedError(f"{self.name}: {self._last_lines()}") from None

    def _last_lines(self) -> str:
        log = (self.folder / "log").read_text(encoding="utf-8", errors="replace")
        last = " | ".join(log.splitlines()[-LAST_LINES:])
        return f"its process has ended with code {self.process.wait()}; it said: {last}"
