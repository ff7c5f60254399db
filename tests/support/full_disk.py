"""A disk that fills up: so many files can be written whole, and then no more."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock


@contextmanager
def room_for(files: int) -> Iterator[None]:
    """Within, only so many files can be written."""
    sync, left = os.fsync, files

    def full(file: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(file)

    with mock.patch.object(os, "fsync", full):
        yield
