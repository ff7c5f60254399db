"""Pictures of digits from anywhere, turned into what MNIST's makers would have stored."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from lightning_mnist.errors import InputError
from lightning_mnist.mnist_form import fit_like_mnist

FAINTEST_INK = 32
"""Contrast to the paper, of 255, below which a picture counts as empty."""
GRAIN = 4
"""Standard deviations of the paper's grain, seen at the border, that do not count as ink."""


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
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]]).astype(np.float64)
    paper = np.median(border)
    # The median absolute deviation does not see a stroke that crosses the border.
    grain = 1.4826 * np.median(np.abs(border - paper))
    contrast = grey - paper
    if contrast.max() < -contrast.min():
        contrast = -contrast
    contrast[contrast < GRAIN * grain] = 0
    return np.clip(np.round(contrast), 0, 255).astype(np.uint8)
