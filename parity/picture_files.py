"""The door for picture files: kind and size are looked at before a pixel is decoded (Pillow only).

A picture of a few kilobytes may stand for gigabytes of pixels; and some formats are programs, which
Pillow would hand to an interpreter.
"""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from PIL import Image

from parity.files import opened

FORMATS = (
    "AVIF", "BMP", "DIB", "GIF", "HEIF", "ICO", "JPEG", "JPEG2000", "MPO", "PCX", "PNG", "PPM",
    "SGI", "TGA", "TIFF", "WEBP",
)  # fmt: skip
MOST_BYTES = 2**28
MOST_PIXELS = 36_000_000
"""Of a picture that is decoded at its full size: a sheet of A4 at 600 dots an inch."""
MOST_SHRUNK = 2**27
"""Of a JPEG that can be decoded at an eighth of it."""
LONGEST = 2**16
ENOUGH, SHRUNK = 2**24, 2**22
"""Pixels of a picture that is left as it is, and of what a larger one becomes."""


@contextmanager
def open_picture(path: Path) -> Iterator[Image.Image]:
    """A picture, shrunk where it has more than 16 megapixels.

    Raises:
        ValueError: no regular file, or a picture of too many pixels.
        OSError: no picture, or a damaged one.
    """
    with opened(path, MOST_BYTES) as file, decoded(file) as picture:
        yield picture


@contextmanager
def decoded(file: IO[bytes]) -> Iterator[Image.Image]:
    """The same of what has been opened already.

    Raises:
        ValueError: a picture of too many pixels.
        OSError: no picture, or a damaged one.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tags that make no sense; what matters is refused
        Image.init()
        known = [name for name in FORMATS if name in Image.OPEN]  # a library may be missing
        with Image.open(file, formats=known) as picture:
            yield _shrunk(picture)


def _shrunk(picture: Image.Image) -> Image.Image:
    pixels = math.prod(picture.size)
    in_parts = picture.format == "JPEG" and not picture.info.get("progressive")
    most = MOST_SHRUNK if in_parts else MOST_PIXELS
    if pixels > most or max(picture.size) > LONGEST:
        width, height = picture.size
        limits = f"{most:,} in all and {LONGEST:,} in a row"
        raise ValueError(f"{width:,} x {height:,} pixels; expected at most {limits}")
    if pixels <= ENOUGH:
        return picture
    if in_parts:
        side = math.isqrt(SHRUNK)
        picture.draft(None, (side, side))
    factor = math.ceil(math.sqrt(math.prod(picture.size) / SHRUNK))
    if factor == 1:
        return picture
    if picture.mode in ("1", "P", "PA"):
        picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    elif picture.mode.startswith("I;"):
        picture = picture.convert("I")
    return picture.reduce((min(factor, picture.width), min(factor, picture.height)))
