"""A server of this process in place of `parity.sides.remote.Remote`: asked in the same way."""

from typing import Any

import numpy as np

from parity.arrays import Table


class Local:
    """Asks a server directly; its answers are copies, as if they came from another process."""

    def __init__(self, name: str, server: Any) -> None:
        self.name = name
        self.server = server
        self.answer: Table = {}

    def send(self, call: str, table: Table | None = None, **arguments: Any) -> None:
        """Ask for something; `receive` has the answer."""
        given = {} if table is None else {"table": table}
        reply = getattr(self.server, call)(**given, **arguments)
        self.answer = {name: np.array(values) for name, values in (reply or {}).items()}

    def receive(self) -> Table:
        """The answer to what was sent."""
        return dict(self.answer)

    def ask(self, call: str, table: Table | None = None, **arguments: Any) -> Table:
        """Send and receive."""
        self.send(call, table, **arguments)
        return self.receive()
