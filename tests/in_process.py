"""A side of the ladder in this process: what `parity.sides.remote.Remote` is, without another."""

from typing import Any

import numpy as np

from parity.arrays import Table
from parity.sides.lockstep import LockStep, Server


class InProcess:
    """Answers what it is sent; a side may be given now or built by ``server.open``."""

    def __init__(self, name: str, side: LockStep | None = None) -> None:
        self.name = name
        self.server = Server()
        if side is not None:
            self.server.side = side
        self.answer: Table = {}

    def send(self, call: str, table: Table | None = None, **arguments: Any) -> None:
        given = {} if table is None else {"table": table}
        result = getattr(self.server, call)(**given, **arguments)
        self.answer = {name: np.array(array) for name, array in result.items()}

    def receive(self) -> Table:
        return dict(self.answer)

    def ask(self, call: str, table: Table | None = None, **arguments: Any) -> Table:
        self.send(call, table, **arguments)
        return self.receive()
