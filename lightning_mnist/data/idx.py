"""IDX, the format of MNIST's files: read whole, or refused with the reason."""

import gzip
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lightning_mnist.errors import InputError
from parity.files import opened
from parity.idx_files import parse_idx as parse_any

MOST_BYTES = 2**26
"""MNIST's largest file has 47,040,016."""
MNIST_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""Of the content of each of its files, computed from those whose MD5 torchvision publishes."""


def unpacked(path: Path) -> bytes:
    """The content of a file, decompressed where its name ends in .gz.

    Raises:
        InputError: it cannot be read, is no whole gzip file, or holds more than MNIST's files do.
    """
    try:
        with opened(path, MOST_BYTES) as file:
            unzipped = gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file
            content: bytes = unzipped.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ValueError(f"holds more than {MOST_BYTES:,} bytes")
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"{path}: cannot be read ({error}); expected a whole gzip file; download it again"
        ) from error
    return content


def parse_idx(content: bytes, path: Path, dimensions: int) -> NDArray[np.uint8]:
    """Parse an IDX file of unsigned bytes.

    Raises:
        InputError: another kind of file, or one whose size is not what its header says.
    """
    if content[:4] != bytes((0, 0, 8, dimensions)):
        raise InputError(
            f"{path}: not an IDX file of unsigned bytes with {dimensions} dimensions "
            f"(starts with {content[:4].hex() or 'nothing'}); download it again"
        )
    try:
        return parse_any(content)
    except ValueError as error:
        raise InputError(f"{path}: {error}; download it again") from error
