"""IDX, the format of MNIST's files: read whole, or refused with the reason (NumPy only)."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
"""By the third byte of a file, what its values are; the fourth is the number of dimensions."""


def parse_idx(content: bytes) -> NDArray[Any]:
    """Parse an IDX file: magic number, one big-endian int32 a dimension, data.

    Source of the format: Yann LeCun, http://yann.lecun.com/exdb/mnist/.

    Raises:
        ValueError: another kind of file, or one whose size is not what its header says.
    """
    dimensions = content[3] if is_idx(content) else 0
    header = 4 + 4 * dimensions
    if dimensions == 0 or len(content) < header:
        raise ValueError(f"not an IDX file (starts with {content[:4].hex() or 'nothing'})")
    shape = tuple(int(n) for n in np.frombuffer(content, ">u4", count=dimensions, offset=4))
    kind = np.dtype(TYPES[content[2]])
    size, promised = len(content) - header, math.prod(shape) * kind.itemsize
    if size != promised:
        raise ValueError(
            f"holds {size:,} bytes of data; its header promises {promised:,} "
            f"({'x'.join(map(str, shape))}): cut off or damaged"
        )
    values = np.frombuffer(content, kind, offset=header).reshape(shape)
    return values.astype(kind.newbyteorder("="))  # writable


def is_idx(start: bytes) -> bool:
    """Whether a file begins so."""
    return len(start) >= 4 and start[:2] == b"\0\0" and start[2] in TYPES and 0 < start[3] < 5
