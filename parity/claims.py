"""A folder that one process fills at a time, and what those that died have left in it."""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

CLAIM = ".claim"
HALF_WRITTEN = re.compile(r"\.(\d+)-.")
"""How names begin of files that are being written: `parity.writing.written_whole`."""


class ClaimedError(ValueError):
    """Another process is filling the folder; the message names both."""


class Claim:
    """The claim to a folder; the system lets go of it where its process dies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file: int | None = None

    def take(self) -> None:
        """Make the folder and claim it, unless it is claimed already by this object.

        Raises:
            ClaimedError: another process, or another run of this one, has it.
            OSError: the folder cannot be written.
        """
        if self._file is not None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / CLAIM
        while self._file is None:
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                process = os.read(file, 20).decode(errors="replace")
                os.close(file)
                raise ClaimedError(f"{self.folder}: process {process} is filling it") from None
            with suppress(FileNotFoundError):
                if os.fstat(file).st_ino == path.stat().st_ino:
                    self._file = file
                    break
            os.close(file)  # its owner has just removed it: another file has the name
        os.ftruncate(self._file, 0)
        os.write(self._file, str(os.getpid()).encode())

    def release(self) -> None:
        """Let go of the folder."""
        if self._file is not None:
            (self.folder / CLAIM).unlink(missing_ok=True)
            os.close(self._file)
            self._file = None


def sweep(*folders: Path) -> None:
    """Remove what processes that live no more have left half written."""
    for folder in folders:
        for path in folder.glob(".*"):
            begins = HALF_WRITTEN.match(path.name)
            # This one has nothing half written when it sweeps.
            if begins and (int(begins[1]) == os.getpid() or not lives(int(begins[1]))):
                path.unlink(missing_ok=True)


def lives(process: int) -> bool:
    """Whether a process of this machine has this id."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # somebody else's, or no id at all
        return True
    return True


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Hold the claim to a folder.

    Raises:
        ClaimedError: another process has it.
    """
    claim = Claim(folder)
    claim.take()
    try:
        yield
    finally:
        claim.release()
