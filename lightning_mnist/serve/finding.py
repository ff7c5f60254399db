"""Finds digits in pictures that somebody has sent: each in a process that can be given up.

Decoding cannot be stopped from within, and a decoder that a picture has crashed takes its process
with it. So neither happens in the process that serves.
"""

from dataclasses import replace

import anyio
from anyio import BrokenWorkerProcess, CapacityLimiter, to_process

from lightning_mnist.errors import InputError
from lightning_mnist.own_images import Picture, find_picture
from lightning_mnist.pictures.file import grey_in

SECONDS = 10.0
"""That a picture may take; on an idle machine the largest that is read takes two."""
SECONDS_TO_START = 60.0
"""That a process may take for its first picture; on an idle machine it takes one."""


class Finder:
    """Looks for digits in as many processes as this one may use CPUs."""

    def __init__(self, processes: int) -> None:
        self._free = CapacityLimiter(processes)

    async def start(self, content: bytes) -> None:
        """Have each process read a picture, before which it imports what it needs."""
        async with anyio.create_task_group() as group:
            for _ in range(int(self._free.total_tokens)):
                group.start_soon(self.find, content, SECONDS_TO_START)

    async def find(self, content: bytes, seconds: float | None = None) -> Picture | str:
        """The digit in a picture, without its cutout; or a sentence that says why there is none.

        Args:
            content: Of a picture file.
            seconds: That it may take; `SECONDS` by default.
        """
        try:
            async with self._free:  # waiting for a process does not count
                with anyio.fail_after(seconds or SECONDS):
                    return await to_process.run_sync(look, content, cancellable=True)
        except TimeoutError:
            return f"took longer than {SECONDS:g} seconds to read; send a smaller picture"
        except BrokenWorkerProcess:
            return "cannot be read as a picture (its decoder has crashed)"


def look(content: bytes) -> Picture | str:
    """As `Finder.find`, in this process."""
    try:
        picture = find_picture(grey_in(content))
    except InputError as error:
        return str(error)
    except Exception as error:  # whatever a decoder raises of a damaged picture
        return f"cannot be read as a picture ({type(error).__name__})"
    if picture is None:
        return "no ink; expected a digit that stands out from its background"
    return replace(picture, cutout=picture.pixels)  # it may be large, and nobody asks for it
