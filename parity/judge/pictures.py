"""Images that a user hands in: arrays, and pictures read as a model's user would have them read."""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from parity.files import read_npy, read_npz
from parity.picture_files import open_picture
from parity.run_record import RunRecordError

Grey = NDArray[np.uint8]
KEYS = ("images", "x_test")
SIDE = 28  # pixels, of the digits that models are trained on
BOX = 20  # pixels, the longer side of a digit in MNIST's form
FAINTEST_INK = 32
"""Contrast to the paper, of 255, below which a picture shows nothing."""
EDGE_OF_INK = 0.1
"""Share of the darkest ink at which a stroke ends."""


def load_images(paths: Sequence[Path], *, dark_paper: bool = True) -> NDArray[Any]:
    """Images [N, H, W] of one ``.npy`` or ``.npz`` file, or of pictures.

    An ``.npz`` holds them as "images" or "x_test". Pictures become grey, uint8; those of 28 x 28
    pixels are taken as they are. Where any has another size, the digit of each is cut out, fitted
    into MNIST's form and turned to the paper's shade, as it is before a model reads it.

    Args:
        paths: Of the files.
        dark_paper: Whether the training images have ink above their paper. A transparent picture
            has no paper of its own, and gets the same.

    Raises:
        RunRecordError: a file is missing, unreadable or holds something else.
    """
    first = paths[0]
    try:
        if first.suffix in (".npy", ".npz"):
            if len(paths) > 1:
                raise RunRecordError("several arrays; expected one, or pictures")
            return _array(first)
        pictures = [_picture(path, dark_paper=dark_paper) for path in paths]
    except RunRecordError as error:
        raise RunRecordError(f"--images {first}: {error}") from None
    except Image.DecompressionBombError as error:
        raise RunRecordError(f"--images: cannot read a picture ({error})") from error
    except (OSError, EOFError, ValueError, SyntaxError, zlib.error, zipfile.BadZipFile) as error:
        kind = "picture" if isinstance(error, UnidentifiedImageError) else "file"
        raise RunRecordError(f"--images: cannot read a {kind} ({error})") from error
    if any(picture.shape != (SIDE, SIDE) for picture in pictures):
        pictures = [
            _in_mnist_form(path, picture, dark_paper=dark_paper)
            for path, picture in zip(paths, pictures, strict=True)
        ]
    return np.stack(pictures)


def _array(path: Path) -> NDArray[Any]:
    if path.suffix == ".npy":
        images = read_npy(path)
    else:
        arrays = read_npz(path)
        key = next((key for key in KEYS if key in arrays), None)
        if key is None:
            raise RunRecordError(f"expected an array called {' or '.join(KEYS)}")
        images = arrays[key]
    if images.ndim != 3 or images.dtype.kind not in "uif" or not len(images):
        raise RunRecordError(f"{images.dtype} of shape {images.shape}; expected numbers [N, H, W]")
    return images


def _picture(path: Path, *, dark_paper: bool) -> Grey:
    """Grey levels [H, W], upright."""
    with open_picture(path) as opened:
        picture = ImageOps.exif_transpose(opened)
        if picture.mode.startswith(("I", "F")):  # 16 bits and more: Pillow would clip, not scale
            return _deep(np.asarray(picture, dtype=np.float64))
        if not picture.has_transparency_data:
            return np.asarray(picture.convert("L"))
        rgba = picture.convert("RGBA")
    grey, alpha = np.asarray(rgba.convert("L"), np.float64), np.asarray(rgba.getchannel("A")) / 255
    opaque = alpha > 0.5
    drawn = float(np.median(grey[opaque])) if opaque.any() else 0.0
    if opaque.mean() > 0.5:  # most of the page is there: the rest is more of the same paper
        return np.asarray(np.round(grey * alpha + drawn * (1 - alpha)), dtype=np.uint8)
    paper = 255.0 if drawn < 128 else 0.0
    ink = np.abs(np.round(grey * alpha + paper * (1 - alpha)) - paper)
    return np.asarray(ink if dark_paper else 255 - ink, dtype=np.uint8)


def _deep(levels: NDArray[np.float64]) -> Grey:
    """Of a deep picture, whose file does not say how many of its bits were used."""
    top = float(levels.max(initial=0))
    bits = next((bits for bits in (8, 10, 12, 14, 16) if top < 2**bits), 32)
    return np.asarray(np.clip(levels * (255 / (2**bits - 1)), 0, 255), dtype=np.uint8)


def _in_mnist_form(path: Path, grey: Grey, *, dark_paper: bool) -> Grey:
    """Cropped to the ink, fitted into 20 x 20 pixels and centred by mass.

    So MNIST's makers describe it (LeCun, Cortes, Burges, http://yann.lecun.com/exdb/mnist/).
    """
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    ink = grey - float(np.median(border))
    ink = np.clip(ink if ink.max() >= -ink.min() else -ink, 0, 255)
    if ink.max() < FAINTEST_INK:
        raise RunRecordError(f"--images {path}: no ink; expected a digit on paper")
    drawn = ink > ink.max() * EDGE_OF_INK
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    crop = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = (max(1, round(side * BOX / max(crop.shape))) for side in crop.shape)
    shrunk = Image.fromarray(crop.astype(np.uint8)).resize(
        (width, height), Image.Resampling.LANCZOS
    )
    small = np.asarray(shrunk, dtype=np.float64)
    small *= 255 / max(float(small.max()), 1.0)
    centres = (
        small.sum(axis=1) @ np.arange(height) / small.sum(),
        small.sum(axis=0) @ np.arange(width) / small.sum(),
    )
    top, left = (
        int(np.clip(round(SIDE // 2 - centre), 0, SIDE - side))
        for centre, side in zip(centres, (height, width), strict=True)
    )
    image = np.zeros((SIDE, SIDE), np.uint8)
    image[top : top + height, left : left + width] = np.round(small)
    return image if dark_paper else 255 - image
