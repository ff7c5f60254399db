"""A side of the ladder in a process of its own: requests by pipe, arrays by file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from parity.arrays import Table
from parity.sides.entries import Precision
from parity.sides.jobs import SideFailedError
from parity.sides.process import Conversation, ProcessFailedError, environment, threads_of_each


class Remote:
    """Starts a process that serves it; a request may be sent ahead of its answer.

    The folder is for the exchange, and made here.
    """

    def __init__(self, name: str, folder: Path, module: str = "parity.sides.lockstep") -> None:
        self.name = name
        self.folder = folder
        variables = environment(threads_of_each(2))  # two sides work at a time
        self.conversation = Conversation(module, folder / "log", variables)
        self.target: Path | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.conversation.process.kill()  # it may be at work on what nobody waits for
        self.conversation.close()

    def open(self, entry: str, flags: Sequence[str], precision: Precision) -> None:
        """Ask for the side of an entry point; `receive` says when it is built."""
        self.target = None
        request = {"call": "open", "from": None, "to": None, "entry": entry}
        self.conversation.tell(**request, flags=list(flags), precision=precision)

    def send(self, call: str, table: Table | None = None, **arguments: Any) -> None:
        """Ask for something; `receive` has the answer."""
        self.target = self.folder / "reply.npz"
        request = {"call": call, "from": None, "to": str(self.target), **arguments}
        if table is not None:
            request["from"] = str(self.folder / "request.npz")
            arrays: dict[str, Any] = table
            np.savez(request["from"], **arrays)
        self.conversation.tell(**request)

    def receive(self) -> Table:
        """The answer to what was sent; empty after `open`.

        Raises:
            SideFailedError: the side failed, or has died; the message says what it said last.
        """
        try:
            self.conversation.hear()
        except ProcessFailedError as error:
            said = str(error).removeprefix("ValueError: ").removeprefix(f"{self.name}: ")
            said = said.replace("ModuleNotFoundError", "not installed here")
            raise SideFailedError(f"{self.name}: {said}") from None
        if self.target is None:
            return {}
        with np.load(self.target, allow_pickle=False) as arrays:
            return dict(arrays)

    def ask(self, call: str, table: Table | None = None, **arguments: Any) -> Table:
        """Send and receive."""
        self.send(call, table, **arguments)
        return self.receive()
