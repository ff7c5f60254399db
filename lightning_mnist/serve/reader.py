"""Reads pictures that somebody has sent; digits are found in processes that can be given up.

Decoding cannot be stopped from within, and a decoder that a picture has crashed takes its process
with it. So neither happens in the process that serves.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import anyio
import cv2
from anyio import BrokenWorkerProcess, CapacityLimiter, Event, to_process

from lightning_mnist.errors import InputError
from lightning_mnist.own_images import Picture, find_picture
from lightning_mnist.pictures.file import grey_in
from lightning_mnist.serve.uploads import Upload

SECONDS = 10.0
"""That pictures may take which a process has been handed; the largest that is read takes two."""
SECONDS_TO_START = 60.0
"""That a process may take for its first picture; on an idle machine it takes one."""
MOST_TOGETHER = 8
"""Pictures that a process is handed at once."""

Row = dict[str, Any]
Say = Callable[[Sequence[Upload], Sequence[Picture | str]], list[Row]]
"""Rows for pictures of which each has a digit, or a sentence that says why it has none."""


class _Waiting:
    """A picture that waits for a process, and then holds what is said of it."""

    def __init__(self, upload: Upload) -> None:
        self.upload = upload
        self.row: Row = {"file": upload.name, "error": "the server stops"}
        self.done = Event()


class Reader:
    """Looks for digits in as many processes as this one may use CPUs.

    To hand a small picture to a process, and to ask the network, take as long as to look at it. So
    pictures that wait together are handed over together, shared out among the processes.
    """

    def __init__(self, processes: int, say: Say) -> None:
        self._processes = processes
        self._say = say
        self._free = CapacityLimiter(processes)
        self._waiting: list[_Waiting] = []

    async def start(self, upload: Upload) -> None:
        """Have each process, and the network, read a picture before the first one is sent."""
        async with anyio.create_task_group() as group:
            for _ in range(self._processes):
                group.start_soon(_found, [upload], SECONDS_TO_START)
        await self.read(upload)

    async def read(self, upload: Upload) -> Row:
        """What is said of a picture, as soon as a process is free."""
        own = _Waiting(upload)
        self._waiting.append(own)
        async with self._free:
            while own in self._waiting:  # no other has taken it along
                share = min(-(-len(self._waiting) // self._processes), MOST_TOGETHER)
                taken, self._waiting = self._waiting[:share], self._waiting[share:]
                await self._read_all(taken)
        await own.done.wait()
        return own.row

    async def _read_all(self, taken: Sequence[_Waiting]) -> None:
        """Together; and where that has failed each by itself, as only one may be at fault."""
        uploads = [waiting.upload for waiting in taken]
        try:
            found = await _found(uploads, SECONDS)
            if isinstance(found, str) and len(taken) > 1:
                for waiting in taken:
                    await self._read_all([waiting])
                return
            rows = self._say(uploads, [found] if isinstance(found, str) else found)
            for waiting, row in zip(taken, rows, strict=True):
                waiting.row = row
        finally:
            for waiting in taken:
                waiting.done.set()


async def _found(uploads: Sequence[Upload], seconds: float) -> list[Picture | str] | str:
    """What a process finds; or a sentence, where it takes too long or has ended."""
    contents = [upload.content for upload in uploads]
    try:
        with anyio.fail_after(seconds):
            return await to_process.run_sync(_each, look, contents, cancellable=True)
    except TimeoutError:
        return f"took longer than {seconds:g} seconds to read; send a smaller picture"
    except BrokenWorkerProcess:
        return "cannot be read as a picture (its decoder has crashed)"


def _each(look: Callable[[bytes], Picture | str], contents: Sequence[bytes]) -> list[Picture | str]:
    cv2.setNumThreads(1)  # every CPU has a process: more threads only wait for each other
    return [look(content) for content in contents]


def look(content: bytes) -> Picture | str:
    """The digit in a picture file, without its cutout; or a sentence, why there is none."""
    try:
        picture = find_picture(grey_in(content))
    except InputError as error:
        return str(error)
    except Exception as error:  # whatever a decoder raises of a damaged picture
        return f"cannot be read as a picture ({type(error).__name__})"
    if picture is None:
        return "no ink; expected a digit that stands out from its background"
    return replace(picture, cutout=picture.pixels)  # it may be large, and nobody asks for it
