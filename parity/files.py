"""One door for files of anyone's: kind, shape and size are checked before memory is taken.

Nothing is unpickled and nothing is run (NumPy and msgspec only).
"""

import math
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

MOST_BYTES = 2**28
"""Of a file's arrays together, and of a file of arrays or of text: 256 MiB."""
MOST_JSON_BYTES = 2**24
"""Of a JSON file: 16 MiB become a few hundred as Python objects."""
MOST_ARRAYS = 100
NPY, NPZ = b"\x93NUMPY", b"PK"
"""With these bytes the files begin, whatever they are called."""
T = TypeVar("T")


def opened(path: Path, most: int = MOST_BYTES) -> IO[bytes]:
    """Open a regular file of at most `most` bytes; a pipe would never end.

    Raises:
        ValueError: no such file, no regular file, a larger file, or one that may not be read.
    """
    try:
        if not path.exists():
            raise ValueError("no such file")
        if not path.is_file():
            raise ValueError("expected a file")
        if (size := path.stat().st_size) > most:
            raise ValueError(f"{size:,} bytes; expected at most {most:,}")
        return path.open("rb")
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror or error})") from error


def read_json(path: Path, kind: type[T]) -> T:
    """Read a JSON file as `kind`, a dataclass or any other type that msgspec can check.

    Raises:
        ValueError: the file cannot be read, is not JSON, or holds something else.
    """
    with opened(path, MOST_JSON_BYTES) as file:
        content = file.read()
    try:
        return msgspec.json.decode(content, type=kind)
    except RecursionError:
        raise ValueError("cannot be read as JSON (nested too deeply)") from None
    except ValueError as error:
        raise ValueError(f"cannot be read as JSON ({error})") from error


def read_npy(path: Path) -> NDArray[Any]:
    """Read one array of numbers.

    Raises:
        ValueError: the file cannot be read, is damaged, too large or holds other than numbers.
    """
    with opened(path) as file:
        size = path.stat().st_size
        return _guarded(lambda: _array(file, file, size))


def read_npz(path: Path, only: str | None = None) -> dict[str, NDArray[Any]]:
    """Read the arrays of an archive, by name, or only one of them.

    Raises:
        ValueError: the file cannot be read, is damaged, too large, or holds other than arrays of
            numbers, or two of the same name.
    """
    with opened(path) as file:
        return _guarded(lambda: _arrays(file, only))


def _guarded(read: Callable[[], T]) -> T:
    """Anything that goes wrong in a damaged file, as one kind of error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            return read()
    except _RefusedError as refusal:
        raise ValueError(str(refusal)) from None
    # NumPy, zipfile and zlib raise a dozen kinds on damaged files.
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(f"damaged, or no arrays at all ({lines[0][:200]})") from error


class _RefusedError(Exception):
    """What is wrong with a file that is not damaged."""


def _arrays(file: IO[bytes], only: str | None) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if len(members) > MOST_ARRAYS:
            raise _RefusedError(f"{len(members):,} arrays; expected at most {MOST_ARRAYS}")
        names = [member.filename.removesuffix(".npy") for member in members]
        if twice := {name for name in names if names.count(name) > 1}:
            raise _RefusedError(f"{', '.join(sorted(twice))} occurs more than once")
        if (size := sum(member.file_size for member in members)) > MOST_BYTES:
            raise _RefusedError(f"{size:,} bytes of arrays; expected at most {MOST_BYTES:,}")
        return {name: _member(archive, member) for name, member in zip(names, members, strict=True)}


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _RefusedError(
            f"{member.filename} is compressed in a way that NumPy does not write; save it with "
            "np.savez or np.savez_compressed"
        )
    if member.flag_bits & 1:
        raise _RefusedError(f"{member.filename} is encrypted")
    with archive.open(member) as header, archive.open(member) as whole:
        array = _array(header, whole, member.file_size)
        whole.read(1)  # to the end: only there is the CRC checked
        return array


def _array(header: IO[bytes], whole: IO[bytes], size: int) -> NDArray[Any]:
    """Believe a header only where the file is as long as it says."""
    version = np.lib.format.read_magic(header)
    if version not in ((1, 0), (2, 0)):
        raise _RefusedError(f"an array of format {version}; expected 1.0 or 2.0")
    read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
    shape, _, dtype = read[version[0]](header)
    if dtype.kind not in "biuf":
        what = "pickled objects" if dtype.hasobject else f"values of type {dtype}"
        raise _RefusedError(f"{what}; expected numbers, which np.savez writes without pickles")
    if min(shape, default=1) < 0 or math.prod(shape) * dtype.itemsize > MOST_BYTES:
        raise _RefusedError(f"an array of shape {shape}; expected at most {MOST_BYTES:,} bytes")
    if max(shape, default=0) > MOST_BYTES:  # of no elements, but of too long a shape
        raise _RefusedError(f"an array of shape {shape}")
    if header.tell() + math.prod(shape) * dtype.itemsize != size:
        raise _RefusedError(f"damaged: {size:,} bytes do not hold an array of shape {shape}")
    whole.seek(0)
    array: NDArray[Any] = np.lib.format.read_array(whole, allow_pickle=False)
    return array
