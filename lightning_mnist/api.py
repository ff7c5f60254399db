"""What a program does with a trained model, without a command line."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lightning_mnist.calibration import Calibration
from lightning_mnist.data.mnist_form import SIDE
from lightning_mnist.errors import InputError
from lightning_mnist.own_images import read_digit
from lightning_mnist.trained import Trained

Images = NDArray[np.uint8] | Sequence[str | Path]


def predict(checkpoint: str | Path, images: Images) -> NDArray[np.float32]:
    """Read digits with a trained model.

    Args:
        checkpoint: A ``.ckpt`` written by ``fit``; it brings its own preprocessing.
        images: uint8 [N, 28, 28] as MNIST stores them, ink 255 on paper 0, or the paths of N
            pictures of one digit each, of any size and polarity.

    Returns:
        Probabilities float32 [N, 10], which add up to 1 for each image, as calibrated as those of
        ``python -m lightning_mnist predict``.

    Raises:
        InputError: the checkpoint or a picture cannot be read, or the images have another form.
    """
    trained = Trained.read(Path(checkpoint))
    logits = trained.logits(torch.from_numpy(_pixels(images)))
    return (trained.calibration or Calibration()).probabilities(logits).numpy()


def _pixels(images: Images) -> NDArray[np.uint8]:
    """Images uint8 [N, 28, 28]."""
    if isinstance(images, np.ndarray):
        if images.dtype != np.uint8 or images.shape[1:] != (SIDE, SIDE):
            raise InputError(
                f"images are {images.dtype} {list(images.shape)}; expected uint8 [N, {SIDE}, "
                f"{SIDE}], ink 255 on paper 0, or the paths of pictures"
            )
        return images
    if isinstance(images, str | Path):
        raise InputError(f"images is {str(images)!r}; expected a list of paths: [{str(images)!r}]")
    digits = [read_digit(Path(path)) for path in images]
    return np.stack(digits) if digits else np.empty((0, SIDE, SIDE), np.uint8)
