"""Files that are packed: gzip, bzip2, xz, and a zip archive of one file."""

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from parity.files import NPZ, opened
from parity.judge.kinds import PACKED, counts

MOST_BYTES = 2**27
"""Of what is unpacked: 128 MiB."""
PIECE = 2**20


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """A temporary file of what a packed one holds.

    Raises:
        ValueError: it is damaged, encrypted, or holds more than `MOST_BYTES`.
    """
    with TemporaryDirectory() as folder, opened(path, MOST_BYTES) as file:
        whole = Path(folder) / "unpacked"
        left = MOST_BYTES
        with whole.open("wb") as out:
            for piece in _pieces(file):
                left -= len(piece)
                if left < 0:
                    raise ValueError(f"packed, of more than {MOST_BYTES:,} bytes; unpack it first")
                out.write(piece)
        yield whole


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    """What is unpacked, a little at a time.

    Raises:
        ValueError: it is damaged, or encrypted.
    """
    try:
        with _stream(file) as stream:
            while piece := stream.read(PIECE):
                yield piece
    except (OSError, EOFError, lzma.LZMAError, zlib.error, zipfile.BadZipFile) as error:
        raise ValueError(f"damaged: cannot be unpacked ({error})") from error
    except (RuntimeError, NotImplementedError) as error:  # a password, an unknown method
        raise ValueError(f"cannot be unpacked ({error}); unpack it first") from error


def _stream(file: IO[bytes]) -> IO[bytes] | gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile:
    head = file.read(6)
    file.seek(0)
    if head.startswith(NPZ):
        archive = zipfile.ZipFile(file)
        (name,) = (name for name in archive.namelist() if counts(name))
        return archive.open(name)
    program = next(program for start, program in PACKED.items() if head.startswith(start))
    if program == "gzip":
        return gzip.GzipFile(fileobj=file)
    return bz2.BZ2File(file) if program == "bzip2" else lzma.LZMAFile(file)
