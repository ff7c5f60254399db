"""A SHA-256 in the comment of a zip archive: nothing in it has changed since it was written.

``.ckpt``, ``.keras`` and ``.npz`` files are zip archives. Their own checksums leave out their
directory, and who reads them does not always look. Every reader of zip archives skips a comment.
"""

import hashlib
import os
import re
import zipfile
from pathlib import Path
from typing import IO

SEAL = re.compile(rb"sha256:([0-9a-f]{64})")
LENGTH = len("sha256:") + 64
"""Bytes of a comment, the last of its file."""
PIECE = 2**20
END = 22
"""Bytes of the end of an archive without a comment; the last two are the length of one."""


class ChangedError(ValueError):
    """An archive is not as it was written."""


def seal(path: Path) -> None:
    """Add the comment to an archive that has none.

    Raises:
        ValueError: the file is no zip archive, or has a comment.
    """
    with path.open("rb+") as file:
        file.seek(-2, os.SEEK_END)  # the length of the comment
        if file.read() != b"\0\0":
            raise ValueError(f"{path}: no zip archive without a comment")
        file.seek(-2, os.SEEK_END)
        file.write(LENGTH.to_bytes(2, "little"))
        size = file.tell()
        file.write(b"sha256:" + _digest(file, size).encode())


def check_seal(file: IO[bytes]) -> None:
    """Compare an archive, open for reading, with its seal, if it has one; ends at its beginning.

    Raises:
        ChangedError: it has changed since it was written.
    """
    size = file.seek(0, os.SEEK_END) - LENGTH
    if size > 0:
        file.seek(size)
        found = SEAL.fullmatch(file.read())
        if found and _digest(file, size) != found[1].decode():
            raise ChangedError("damaged: its SHA-256 is another")
        if not found and _has_comment(file, size + LENGTH):
            raise ChangedError("damaged: it ends in other than its SHA-256")
    file.seek(0)


def damage(path: Path) -> str | None:
    """What is wrong with an archive as a file; None where it is whole."""
    try:
        with path.open("rb") as file:
            check_seal(file)
            with zipfile.ZipFile(file) as archive:
                bad = archive.testzip()
    except Exception as error:  # zipfile and zlib raise a dozen kinds
        return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return None if bad is None else f"{bad} fails its CRC"


def _has_comment(file: IO[bytes], size: int) -> bool:
    """Whether an archive has a comment, or says so and has lost it."""
    file.seek(max(0, size - END))
    end = file.read()
    if end.startswith(b"PK\5\6") and not end.endswith(b"\0\0"):
        return True
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.comment != b""
    except Exception:  # no archive at all: its reader says so
        return False


def _digest(file: IO[bytes], size: int) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while piece := file.read(min(PIECE, size)):
        digest.update(piece)
        size -= len(piece)
    file.seek(0, os.SEEK_END)
    return digest.hexdigest()
