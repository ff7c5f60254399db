"""Images that a user hands in: arrays, and pictures read as a model's user would have them read."""

import subprocess
import sys
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from parity.judge.image_files import read_images
from parity.picture_files import open_picture
from parity.run_record import RunRecordError
from parity.watch.fingerprint import sample

SIDE = 28  # pixels, of the digits that models are trained on
MODES = ("1", "L", "P", "RGB")  # of pictures whose grey levels are what they say


def load_images(paths: Sequence[Path], *, dark_paper: bool = True) -> NDArray[Any]:
    """Images [N, H, W] of one file of numbers, or of pictures, also whole folders of them.

    `dark_paper`: the training images have ink above their paper.

    Of many pictures as many are read as are looked at. Opaque pictures of 28 x 28 pixels, in 8
    bits, are taken as they are. Where any is another, all are read as ``lightning_mnist predict``
    reads them, by its own code, and turned to the paper's shade.

    Raises:
        RunRecordError: a file is missing, unreadable or holds something else.
    """
    read = paths[0]
    try:
        paths = [file for read in paths for file in _within(read)]
        paths = [paths[n] for n in sample(len(paths))]
        pictures = []
        for read in paths:
            if (images := read_images(read)) is not None:
                if len(paths) > 1:
                    raise RunRecordError(
                        "a file of numbers among others; expected one, or pictures"
                    )
                return images
            pictures.append(_as_it_is(read))
    except RunRecordError as error:
        raise RunRecordError(f"--images {read}: {error}") from None
    except Image.DecompressionBombError as error:
        raise RunRecordError(f"--images {read}: cannot read a picture ({error})") from error
    except (OSError, EOFError, ValueError, SyntaxError, zlib.error, zipfile.BadZipFile) as error:
        raise RunRecordError(f"--images {read}: cannot read a file ({error})") from error
    grey = [picture for picture in pictures if picture is not None]
    if len(grey) == len(paths):
        return np.stack(grey)
    images = _as_predict_reads_them(paths)
    return images if dark_paper else 255 - images


def _within(path: Path) -> list[Path]:
    """The file, or the pictures in a folder and in those in it, by name."""
    if not path.is_dir():
        return [path]
    Image.init()
    known = sorted(p for p in path.rglob("[!.]*") if p.suffix.lower() in Image.EXTENSION)
    if not known:
        raise ValueError("a folder without pictures")
    return known


def _as_it_is(path: Path) -> NDArray[np.uint8] | None:
    """Grey levels [28, 28], upright; None of a picture that takes more than that to be read."""
    try:
        with open_picture(path) as picture:
            plain = picture.mode in MODES and not picture.has_transparency_data
            if picture.size != (SIDE, SIDE) or not plain:
                return None
            return np.asarray(ImageOps.exif_transpose(picture).convert("L"))
    except UnidentifiedImageError:
        return None  # of a format that takes a reader of its own, or no picture


def _as_predict_reads_them(paths: Sequence[Path]) -> NDArray[np.uint8]:
    """Images uint8 [N, 28, 28] in MNIST's form, of as many pictures."""
    with TemporaryDirectory() as folder:
        output = Path(folder) / "pixels.npz"
        command = [sys.executable, "-m", "lightning_mnist", "pixels", "--output", str(output)]
        command += ["--images", *map(str, paths)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode != 0:
            reason = done.stderr.strip().splitlines()[0].removeprefix("error: ")
            raise RunRecordError(f"--images {reason}")
        with np.load(output, allow_pickle=False) as file:
            return np.asarray(file["images"])
