"""What climbs: a side that is asked, in this process, in another, or as it once answered."""

from typing import Any, Protocol

from parity.arrays import Table
from parity.errors import ParityError


class NotRecordedError(ParityError):
    """A side that only repeats what it once answered is asked something else."""


class Climber(Protocol):
    """A side on the ladder, such as `parity.sides.remote.Remote`; a call is one of the server's."""

    name: str

    def send(self, call: str, table: Table | None = None, **arguments: Any) -> None:
        """Ask for something, which `receive` answers."""

    def receive(self) -> Table:
        """The answer to what was sent."""

    def ask(self, call: str, table: Table | None = None, **arguments: Any) -> Table:
        """Send and receive."""
        self.send(call, table, **arguments)
        return self.receive()
