"""Files are whole or absent, whatever happens while they are written (standard library only)."""

import csv
import errno
import io
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def check_place(path: Path) -> None:
    """Raise `OSError` where a device or a pipe is, which a file would replace."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise FileExistsError(errno.EEXIST, "is a device or a pipe; expected a file", str(path))


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that replaces it once it is written, or never.

    A process that is killed, or that raises, leaves the former `path` as it was. The temporary
    name keeps the suffix, since many writers choose their format by it.

    Raises:
        OSError: it cannot be written, or as of `check_place`.
    """
    check_place(path)
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        if error.filename is None:  # of a full disk
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_file(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all; text as UTF-8, what is no text in a path's name escaped."""
    if isinstance(content, str):
        content = content.encode("utf-8", "backslashreplace")
    with written_whole(path) as temporary:
        temporary.write_bytes(content)


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows by the names of the last one, whole or not at all."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[-1]))
    writer.writeheader()
    writer.writerows(rows)
    write_file(path, text.getvalue())


def give_another_name(path: Path, other: Path) -> None:
    """Give a file another name, or, where the file system has no links, another copy."""
    with written_whole(other) as temporary:
        try:
            temporary.hardlink_to(path)
        except OSError:
            shutil.copyfile(path, temporary)
