"""One door for files of anyone's: kind, shape and size are checked before memory is taken.

Nothing is unpickled and nothing is run (NumPy and msgspec only).
"""

import math
import os
import warnings
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from parity.seal import ChangedError, check_seal

MOST_BYTES = 2**28
"""Of a file's arrays together, and of a file of arrays or of text: 256 MiB."""
MOST_JSON_BYTES = 2**24
"""Of a JSON file: 16 MiB become a few hundred as Python objects."""
MOST_EXPECTED_BYTES = 2**30
"""Of the arrays of an archive whose shapes are known beforehand: 1.3 million digits."""
MOST_ARRAYS = 100
NUMBERS = "biuf"
NPY, NPZ = b"\x93NUMPY", b"PK"
"""With these bytes the files begin, whatever they are called."""
T = TypeVar("T")


@dataclass(frozen=True)
class Like:
    """What an array must be.

    Attributes:
        kinds: One-letter codes of NumPy's kinds of numbers: "u", "iu", "f", ...
        shape: Its length in each dimension, None where any will do.
        itemsize: Bytes of a value, None where any will do.
    """

    kinds: str
    shape: tuple[int | None, ...]
    itemsize: int | None = None

    def fits(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
        """Whether an array of that shape and type is one."""
        lengths = zip(shape, self.shape, strict=False)
        return (
            dtype.kind in self.kinds
            and self.itemsize in (None, dtype.itemsize)
            and len(shape) == len(self.shape)
            and all(wanted in (None, length) for length, wanted in lengths)
        )

    def __str__(self) -> str:
        names = {"b": "bool", "i": "int", "u": "uint", "f": "float"}
        bits = 8 * self.itemsize if self.itemsize else ""
        lengths = ", ".join("N" if length is None else str(length) for length in self.shape)
        return f"{' or '.join(f'{names[kind]}{bits}' for kind in self.kinds)} [{lengths}]"


Expected = Mapping[str, Like | None] | None


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


def shown(path: Path) -> str:
    """A path in characters that can be shown and written, whatever bytes it is made of."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def said_of(error: OSError) -> str:
    """What the machine refused, and for which file."""
    where = f"{str(error.filename)[:200]}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


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


def read_npy(path: Path, *, fields: bool = False) -> NDArray[Any]:
    """Read one array of numbers, or of records with fields of numbers and text.

    Raises:
        ValueError: the file cannot be read, is damaged, too large or holds other than numbers.
    """
    with opened(path) as file:
        return _guarded(lambda: _array(file, path.stat().st_size, NUMBERS + "V" * fields))


def read_npz(
    path: Path, expected: Expected = None, *, text: bool = False, most: int = MOST_BYTES
) -> dict[str, NDArray[Any]]:
    """Read the arrays of an archive, by name.

    Arrays that are not `expected` are not read; by default all are, of `most` bytes together, and
    those of text where it is asked for.

    Raises:
        ValueError: the file cannot be read, is damaged, too large, holds other than arrays of
            numbers, or two of the same name, or none like one of those expected.
    """
    most = most if expected is None else MOST_EXPECTED_BYTES
    with opened(path, most) as file:
        return _guarded(lambda: _arrays(file, expected, most, NUMBERS + "SU" * text))


def check_npz(path: Path, names: Iterable[str]) -> None:
    """Look whether an archive has these arrays of numbers, and reads no value.

    Raises:
        ValueError: as of `read_npz`; all together may have `MOST_EXPECTED_BYTES`.
    """

    def check(file: IO[bytes]) -> None:
        with zipfile.ZipFile(file) as archive:
            _members(archive, dict.fromkeys(names), MOST_EXPECTED_BYTES)

    with opened(path, MOST_EXPECTED_BYTES) as file:
        _guarded(lambda: check(file))


def _guarded(read: Callable[[], T]) -> T:
    """Anything that goes wrong in a damaged file, as one kind of error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            return read()
    except (_RefusedError, ChangedError) as refusal:
        raise ValueError(str(refusal)) from None
    # NumPy, zipfile and zlib raise a dozen kinds on damaged files.
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(f"damaged, or no arrays at all ({lines[0][:200]})") from error


class _RefusedError(Exception):
    """What is wrong with a file that is not damaged."""


def _arrays(file: IO[bytes], expected: Expected, most: int, kinds: str) -> dict[str, NDArray[Any]]:
    check_seal(file)
    with zipfile.ZipFile(file) as archive:
        members = _members(archive, expected, most, kinds)
        return {name: _member(archive, member) for name, member in members.items()}


def _members(
    archive: zipfile.ZipFile, expected: Expected, most: int, kinds: str = NUMBERS
) -> dict[str, zipfile.ZipInfo]:
    """The members that are expected, all looked at before the first takes memory."""
    members = archive.infolist()
    if len(members) > MOST_ARRAYS:
        raise _RefusedError(f"{len(members):,} arrays; expected at most {MOST_ARRAYS}")
    names = [member.filename.removesuffix(".npy") for member in members]
    if twice := {name for name in names if names.count(name) > 1}:
        raise _RefusedError(f"{', '.join(sorted(twice))} occurs more than once")
    named = dict(zip(names, members, strict=True))
    likes = dict.fromkeys(names) if expected is None else expected
    if missing := [name for name in likes if name not in named]:
        raise _RefusedError(f"no {', '.join(missing)}")
    if (size := sum(named[name].file_size for name in likes)) > most:
        raise _RefusedError(f"{size:,} bytes of arrays; expected at most {most:,}")
    for name, like in likes.items():
        with archive.open(_readable(named[name])) as header:
            _check_header(header, named[name].file_size, most, kinds, name, like)
    return {name: named[name] for name in likes}


def _readable(member: zipfile.ZipInfo) -> zipfile.ZipInfo:
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _RefusedError(
            f"{member.filename} is compressed in a way that NumPy does not write; save it with "
            "np.savez or np.savez_compressed"
        )
    if member.flag_bits & 1:
        raise _RefusedError(f"{member.filename} is encrypted")
    return member


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(member) as whole:
        array: NDArray[Any] = np.lib.format.read_array(whole, allow_pickle=False)
        whole.read(1)  # to the end: only there is the CRC checked
        return array


def _check_header(
    header: IO[bytes], size: int, most: int = MOST_BYTES, kinds: str = NUMBERS, name: str = "",
    like: Like | None = None,
) -> None:  # fmt: skip
    """Believe a header only where the file is as long as it says."""
    version = np.lib.format.read_magic(header)
    if version not in ((1, 0), (2, 0)):
        raise _RefusedError(f"an array of format {version}; expected 1.0 or 2.0")
    read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
    shape, _, dtype = read[version[0]](header)
    fields = {dtype[name].base.kind for name in dtype.names or ()}
    if dtype.kind not in kinds or bool(fields) != (dtype.kind == "V") or fields - set("biufSU"):
        what = "pickled objects" if dtype.hasobject else f"values of type {dtype}"
        raise _RefusedError(f"{what}; expected numbers, which np.savez writes without pickles")
    if like is not None and not like.fits(shape, dtype):
        raise _RefusedError(f"{name} has type {dtype} and shape {shape}; expected {like}")
    if min(shape, default=1) < 0 or math.prod(shape) * dtype.itemsize > most:
        raise _RefusedError(f"an array of shape {shape}; expected at most {most:,} bytes")
    if max(shape, default=0) > most:  # of no elements, but of too long a shape
        raise _RefusedError(f"an array of shape {shape}")
    if header.tell() + math.prod(shape) * dtype.itemsize != size:
        raise _RefusedError(f"damaged: {size:,} bytes do not hold an array of shape {shape}")


def _array(file: IO[bytes], size: int, kinds: str) -> NDArray[Any]:
    _check_header(file, size, kinds=kinds)
    file.seek(0)
    array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return array
