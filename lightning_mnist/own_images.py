"""Pictures of digits from anywhere, turned into what MNIST's makers would have stored."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lightning_mnist.data.mnist_form import fit_like_mnist
from lightning_mnist.errors import InputError
from lightning_mnist.pictures.digit import CROWDED, DOTTED, HIDDEN, SECOND, SOFT, Found, find_digit
from lightning_mnist.pictures.file import read_grey
from lightning_mnist.pictures.page import Place, find_page
from lightning_mnist.pictures.paper import ink_of, without_outliers
from lightning_mnist.pictures.parts import SMALL

LONGEST = 800
"""Pixels of the longer side; a larger picture is shrunk first."""
NEARER = 120
"""Pixels of a digit below which the picture is looked at again, nearer, if it was shrunk."""


@dataclass(frozen=True)
class Picture:
    """What was read from a picture of one digit.

    Attributes:
        pixels: uint8 [28, 28], as MNIST would hold it: ink 255 on paper 0.
        cutout: uint8 [H, W], the part of the picture, in grey, that the digit was found in.
        warnings: What else was seen there, or makes the reading doubtful.
    """

    pixels: NDArray[np.uint8]
    cutout: NDArray[np.uint8]
    warnings: tuple[str, ...]

    @property
    def doubtful(self) -> bool:
        """Whether what was read may not be the digit that is meant, or none at all."""
        return not {CROWDED, DOTTED, HIDDEN, SECOND, SOFT}.isdisjoint(self.warnings)


def read_picture(path: Path) -> Picture:
    """Read a picture file of one digit.

    Raises:
        InputError: the file is missing, is no picture, or shows no ink.
    """
    picture = find_picture(read_grey(path))
    if picture is None:
        raise InputError(f"{path}: no ink; expected a digit that stands out from its background")
    return picture


def read_pictures(patterns: Sequence[str]) -> tuple[dict[Path, Picture], list[str]]:
    """Read all pictures that can be read.

    Args:
        patterns: Paths or globs. A name that exists is meant as it stands, brackets and all.

    Returns:
        Pictures by file, in the order given, each once; and a sentence for each file that cannot be
        read and each pattern that finds none.
    """
    pictures: dict[Path, Picture] = {}
    failures = []
    for pattern in patterns:
        named = glob.glob(glob.escape(pattern))  # noqa: PTH207 - absolute too
        found = named or sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207
        if not found:
            failures.append(f"{pattern}: no such file; expected a picture of a digit")
        for path in map(Path, found):
            if path in pictures:
                continue
            try:
                pictures[path] = read_picture(path)
            except InputError as error:
                failures.append(str(error))
    return pictures, failures


def find_picture(grey: NDArray[np.uint8]) -> Picture | None:
    """The digit in grey levels uint8 [H, W]; None where no ink is seen."""
    small = _shrunk(grey)
    found = _find(without_outliers(small))
    if found is None:
        return None
    if small is not grey and max(side.stop - side.start for side in found.place) < NEARER:
        nearer = _shrunk(grey[_around(found.place, small.shape, grey.shape)])
        again = _find(without_outliers(nearer))
        if again is not None and again.whole:
            small, found = nearer, replace(again, notes=again.notes | found.notes - {HIDDEN, SOFT})
    pixels = fit_like_mnist(np.clip(np.round(found.ink), 0, 255).astype(np.uint8))
    return Picture(pixels, small[found.place], tuple(sorted(found.notes)))


def _shrunk(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = LONGEST / max(grey.shape)
    if scale >= 1:
        return grey
    height, width = (max(1, round(side * scale)) for side in grey.shape)
    return np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _around(place: Place, shape: tuple[int, ...], whole: tuple[int, ...]) -> Place:
    """Of a picture of shape `whole`, the place of one of `shape`, with as much around it."""
    margin = max(side.stop - side.start for side in place)
    rows, columns = (
        slice(
            max(0, (side.start - margin) * large // length),
            min(large, (side.stop + margin) * large // length),
        )
        for side, length, large in zip(place, shape, whole, strict=True)
    )
    return rows, columns


def _find(grey: NDArray[np.uint8]) -> Found | None:
    """The digit on the sheet that lies in the picture, else in all of the picture.

    What looks like the edge of a sheet may be that of a shadow, which strokes cross.
    """
    sheet = find_page(grey) if min(grey.shape) > SMALL else None
    found = find_digit(ink_of(sheet.grey)) if sheet else None
    if sheet is None or found is None:
        return find_digit(ink_of(grey))
    here = found.seen_from(sheet, grey.shape)
    if found.whole:
        return here
    everywhere = find_digit(ink_of(grey))
    return everywhere if everywhere and everywhere.whole and everywhere.holds(here) else here


def read_digit(path: Path) -> NDArray[np.uint8]:
    """The digit of a picture file as MNIST would hold it; see `read_picture`."""
    return read_picture(path).pixels
