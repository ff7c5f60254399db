"""A training in a process of its own, and the harm that can come to it."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import NamedTuple


class Running(NamedTuple):
    """A training, its folder, and chance."""

    process: ForkProcess
    run: Path
    rng: random.Random

    def lives_for(self, seconds: float) -> bool:
        """Whether its first process still lives so much later; returns as soon as it does not."""
        end = time.monotonic() + seconds
        while self.process.is_alive() and time.monotonic() < end:  # `join` waits for one that
            time.sleep(0.005)  # has become another program for ever
        return self.process.is_alive()

    def group(self) -> list[int]:
        """Its processes that live, the first one first."""
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, _, group = path.read_text().rpartition(")")[2].split()[:3]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(group) == self.process.pid and state not in "ZX":
                found.append(int(path.parent.name))
        return sorted(found)


def sent(number: int) -> Callable[[Running], None]:
    """Send its first process a signal."""
    return lambda running: os.kill(running.process.pid or 0, number)


def killed_while_it_writes(running: Running) -> None:
    """Kill it while a file is half written that will be a checkpoint."""
    folder = running.run / "checkpoints"
    while running.process.is_alive():
        if any(folder.glob(".*-*.ckpt")):
            time.sleep(running.rng.uniform(0, 0.004))
            os.kill(running.process.pid or 0, signal.SIGKILL)
            return
        time.sleep(0.0002)


def disk_filled(running: Running) -> None:
    """Leave so little room on its disk that it runs full."""
    filler, place = running.run.parent / "filler", os.statvfs(running.run)
    free = place.f_bavail * place.f_frsize - running.rng.randrange(400_000)
    with suppress(OSError):  # it has just taken some itself
        filler.write_bytes(bytes(max(0, free)))
    running.process.join()
    filler.unlink()


def rank_killed(running: Running) -> None:
    """Kill one of its processes."""
    os.kill(running.rng.choice(running.group()), signal.SIGKILL)


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Make a folder that is a disk of 24 MB; only root can."""
    folder.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)],  # noqa: S607
        check=True,
    )
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)  # noqa: S607
