"""A side of the ladder in this process; a side may be given now or built by ``server.open``."""

from parity.sides.local import Local
from parity.sides.lockstep import LockStep, Server


class InProcess(Local):
    server: Server

    def __init__(self, name: str, side: LockStep | None = None) -> None:
        super().__init__(name, Server())
        if side is not None:
            self.server.side = side
