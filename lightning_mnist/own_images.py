"""Pictures of digits from anywhere, turned into what MNIST's makers would have stored.

MNIST's digits were cropped to the ink, fitted into 20x20 pixels with their proportions kept, and
placed so that their centre of mass is the centre of 28x28 (LeCun, Cortes, Burges,
http://yann.lecun.com/exdb/mnist/). A network trained on MNIST has seen nothing else.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from lightning_mnist.errors import InputError
from lightning_mnist.sources import SIDE

BOX = 20  # pixels, the longer side of a digit
FAINTEST_INK = 32
"""Contrast to the paper, of 255, below which a picture counts as empty."""
EDGE_OF_INK = 0.25
"""Share of the darkest ink at which a stroke ends, when the ink's extent is measured."""


def read_digit(path: Path) -> NDArray[np.uint8]:
    """Read a picture of one digit as MNIST would hold it: uint8 [28, 28], ink 255 on paper 0.

    Raises:
        InputError: the file is missing, is no picture, or shows no ink.
    """
    try:
        with Image.open(path) as picture:
            grey = _grey(picture)
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{path}: no such file; expected a picture of a digit") from None
    except (
        OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError,
    ) as error:  # fmt: skip
        raise InputError(f"{path}: cannot be read as a picture ({error})") from error
    ink = ink_of(grey)
    if ink.max(initial=0) < FAINTEST_INK:
        raise InputError(f"{path}: no ink; expected a digit that stands out from its background")
    return fit_like_mnist(ink)


def _grey(picture: Image.Image) -> NDArray[np.uint8]:
    """Grey levels uint8 [H, W], upright, transparent parts shown as what contrasts most."""
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith(("I", "F")):  # 16 bits and more: PIL would clip, not scale
        levels = np.asarray(picture, dtype=np.float64)
        top = 65535 if levels.max(initial=0) > 255 else 255
        return np.clip(levels * (255 / top), 0, 255).astype(np.uint8)
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        grey, alpha = np.asarray(rgba.convert("L")), np.asarray(rgba.getchannel("A"))
        drawn = grey[alpha > 127]
        paper = 255 if drawn.size and np.median(drawn) < 128 else 0
        blended = grey * (alpha / 255) + paper * (1 - alpha / 255)
        return np.asarray(np.round(blended), dtype=np.uint8)
    return np.asarray(picture.convert("L"))


def ink_of(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grey levels uint8 [H, W] to ink on paper 0, whichever of the two was darker.

    The paper is what most of the border shows.
    """
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]]).astype(np.int16)
    paper = int(np.median(border))
    darker, lighter = paper - int(grey.min()), int(grey.max()) - paper
    contrast = paper - grey.astype(np.int16) if darker > lighter else grey.astype(np.int16) - paper
    return np.clip(contrast, 0, 255).astype(np.uint8)


def fit_like_mnist(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Ink uint8 [H, W] to uint8 [28, 28]: cropped, fitted into 20x20, centred by mass."""
    drawn = ink >= ink.max() * EDGE_OF_INK
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    crop = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = BOX / max(crop.shape)
    height, width = (max(1, round(side * scale)) for side in crop.shape)
    small = np.asarray(
        Image.fromarray(crop).resize((width, height), Image.Resampling.LANCZOS), dtype=np.float64
    )
    small *= 255 / small.max()  # MNIST's strokes reach full ink, thin ones lose it in shrinking
    image = np.zeros((SIDE, SIDE), np.uint8)
    top, left = (
        int(np.clip(round(SIDE / 2 - centre - 0.5), 0, SIDE - side))
        for centre, side in zip(_centre_of_mass(small), small.shape, strict=True)
    )
    image[top : top + height, left : left + width] = np.round(small)
    return image


def _centre_of_mass(ink: NDArray[np.float64]) -> tuple[float, float]:
    """Row and column, in pixels from the centre of the first one."""
    total = ink.sum()
    return (
        float(ink.sum(axis=1) @ np.arange(ink.shape[0]) / total),
        float(ink.sum(axis=0) @ np.arange(ink.shape[1]) / total),
    )
