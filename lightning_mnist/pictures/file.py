"""What a picture file shows: upright, in grey levels that tell its ink from its paper best."""

from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from lightning_mnist.errors import InputError
from parity.picture_files import decoded, open_picture

HEIC = (".heic", ".heif", ".hif")
MOST = tuple(2**bits - 1 for bits in (1, 8, 10, 12, 14, 16))
"""The highest levels of what cameras and scanners write; 1 is that of floating point."""
NARROW, NARROWEST = 0.25, 0.01
"""Shares of all levels: a deep picture that spans fewer is spread out, unless it is blank."""
UNREADABLE = (
    OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError,
)  # fmt: skip
"""What Pillow raises of a file that is no picture, or a damaged one."""
COLOURFUL = 2
"""How much more colours must differ along their main axis than in brightness to be read there."""


def read_grey(path: Path) -> NDArray[np.uint8]:
    """Grey levels uint8 [H, W] of a picture file.

    Raises:
        InputError: the file is missing, is no picture, or is a HEIC and its reader is missing.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected a picture of a digit")
    if path.suffix.lower() in HEIC and not _knows_heic():
        raise InputError(
            f"{path}: reading HEIC takes pillow-heif, which is not installed; "
            "pip install pillow-heif, or save the picture as JPEG or PNG"
        )
    try:
        with open_picture(path) as picture:
            return _grey(ImageOps.exif_transpose(picture))
    except UNREADABLE as error:
        raise InputError(f"{path}: cannot be read as a picture ({error})") from error


def grey_in(content: bytes) -> NDArray[np.uint8]:
    """Grey levels uint8 [H, W] of a picture that somebody has sent.

    Raises:
        InputError: it is no picture, or of a kind whose reader is not installed.
    """
    _knows_heic()
    try:
        with decoded(BytesIO(content)) as picture:
            return _grey(ImageOps.exif_transpose(picture))
    except UnidentifiedImageError:  # its message shows where the bytes lie in memory
        raise InputError("no picture of a kind that is known") from None
    except UNREADABLE as error:
        raise InputError(f"cannot be read as a picture ({error})") from error


def _knows_heic() -> bool:
    """Whether HEIC can be read; Pillow cannot by itself."""
    if find_spec("pillow_heif") is None:
        return False
    from pillow_heif import register_heif_opener

    register_heif_opener()
    return True


def _grey(picture: Image.Image) -> NDArray[np.uint8]:
    if picture.mode.startswith(("I", "F")):  # 16 bits and more: PIL would clip, not scale
        return _scaled(np.asarray(picture, dtype=np.float64))
    if picture.has_transparency_data:
        return _brightness(_on_paper(picture.convert("RGBA")))
    if picture.mode in ("1", "L"):
        return np.asarray(picture.convert("L"), np.uint8)
    return _brightness(picture.convert("RGB"))


def _scaled(levels: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Levels of a deep picture as uint8; its file does not say how many bits were used.

    What spans few of them is spread out: a deep picture has levels enough, and 8 bits have not.
    """
    levels = np.nan_to_num(levels)
    top = float(levels.max(initial=0))
    most = next((most for most in MOST if top <= most), max(top, 1.0))
    lowest, highest = np.quantile(levels, [0.001, 0.999]) if levels.size else (0, 0)
    if NARROWEST * most < highest - lowest < NARROW * most:
        levels, most = levels - lowest, highest - lowest
    return np.clip(np.round(levels * (255 / most)), 0, 255).astype(np.uint8)


def _on_paper(picture: Image.Image) -> Image.Image:
    """An RGBA picture in front of what its opaque part calls for.

    Most of the page is opaque: more of the same paper. Otherwise the opaque part is ink, and its
    paper is the one of black and white that contrasts more.
    """
    opaque = np.asarray(picture.getchannel("A")) > 127
    drawn = np.asarray(picture.convert("RGB"))[opaque]
    paper = (255, 255, 255)
    if opaque.mean() > 0.5:
        red, green, blue = np.median(drawn, axis=0).astype(int).tolist()
        paper = (red, green, blue)
    elif drawn.size and np.median(drawn.mean(axis=1)) >= 128:
        paper = (0, 0, 0)
    ground = Image.new("RGBA", picture.size, (*paper, 255))
    return Image.alpha_composite(ground, picture).convert("RGB")


def _brightness(picture: Image.Image) -> NDArray[np.uint8]:
    """Brightness, or the main axis of the colours where brightness hardly shows them.

    Red ink on green paper may be as bright as the paper. The axis is the first principal
    component of the pixels' colours, turned so that brighter stays brighter.
    """
    grey = np.asarray(picture.convert("L"), np.uint8)
    small = picture.copy()
    small.thumbnail((256, 256))
    colours = np.asarray(small, dtype=np.float64).reshape(-1, 3)
    if len(colours) < 2:
        return grey
    variances, axes = np.linalg.eigh(np.cov(colours, rowvar=False))
    if variances[-1] <= (COLOURFUL * np.asarray(small.convert("L"), np.float64).std()) ** 2:
        return grey
    axis = axes[:, -1] * (np.sign(axes[:, -1].sum()) or 1)
    levels = np.asarray(picture, dtype=np.float64) @ axis
    return np.asarray(np.clip(np.round(levels - levels.min()), 0, 255), np.uint8)
