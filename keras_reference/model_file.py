"""A saved Keras model as one of raw digits: what it takes, and how its pixels are scaled."""

import sys
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from keras_reference.answers import answers, logits_of
from keras_reference.cli import Pixels
from keras_reference.errors import InputError
from keras_reference.model_archive import check_model_file
from parity.keras import fed, layers
from parity.watch.diagnosis.figures import log_softmax, right_and_loss
from parity.watch.fingerprint import sample

Images = NDArray[np.uint8]
SHAPES = ((28, 28), (28, 28, 1), (1, 28, 28), (784,))
"""Of an image as models take it."""
TRIAL = 500
"""Training images on which scales are tried."""


def load_model(path: Path) -> keras.Model:
    """Read a ``.keras`` file in safe mode, in which it cannot bring code of its own.

    Raises:
        InputError: it is missing, damaged, unsafe, or does not map images to ten scores.
    """
    check_model_file(path)
    try:
        network = keras.models.load_model(path, safe_mode=True, compile=False)
    except Exception as error:  # zipfile, h5py and Keras raise a dozen kinds on damaged files
        raise InputError(
            f"--model_file {path}: cannot be read ({' '.join(str(error).split())[:200]}); "
            "expected a .keras, as fit writes it"
        ) from error
    given, answered = network.input_shape, network.output_shape
    if given[1:] not in SHAPES or answered[1:] != (10,):
        raise InputError(
            f"--model_file {path}: maps {given} to {answered}; expected images of shape "
            f"{', '.join(map(str, SHAPES))} to 10 scores"
        )
    return network


def on_raw_digits(
    network: keras.Model, pixels: Pixels, x: Images, y: NDArray[np.int64]
) -> tuple[keras.Model, Pixels]:
    """The same model from raw images [N, 28, 28], and what it is fed of them.

    Images uint8 [N, 28, 28] and labels int64 [N] are those of training.

    A model that scales its pixels gets them "raw", 0 to 255. For another one "auto" tries both
    scales on training images, takes the likelier, and says so.
    """
    if pixels != "auto":
        return _from_images(network, pixels), pixels
    raw = _from_images(network, "raw")
    chosen = sample(len(x), TRIAL)
    images, labels = x[chosen], y[chosen]
    if _scales(raw, images):
        return raw, "raw"
    tried = {"raw": raw, "unit": _from_images(network, "unit")}
    said = (logits_of(answers(model, images, labels, logits=False)) for model in tried.values())
    (right, loss), (right_unit, loss_unit) = (
        right_and_loss(log_softmax(logits.astype(np.float64)), labels) for logits in said
    )
    likelier: Pixels = "raw" if loss < loss_unit else "unit"
    print(
        f"note: the model has no layer that scales its pixels. Of {len(labels)} training images "
        f"it reads {right:.0%} right from pixels of 0 to 255 and {right_unit:.0%} from 0 to 1. It "
        f"is fed 0 to {255 if likelier == 'raw' else 1}, the likelier; --pixels raw or unit says "
        "what it was trained on. A model of standardised or inverted pixels reads neither well",
        file=sys.stderr,
    )
    return tried[likelier], likelier


def fed_raw(
    network: keras.Model, digits: tuple[Images, NDArray[np.int64]] | None = None
) -> keras.Model:
    """The same model from raw images [N, 28, 28].

    Where no layer scales the pixels, it is tried on `digits`, training images and their labels, and
    without any they are taken to be 0 to 1.
    """
    if digits is not None:
        return on_raw_digits(network, "auto", *digits)[0]
    return _from_images(network, "raw" if _says_so(network) else "unit")


def _scales(network: keras.Model, images: Images) -> bool:
    """Whether the model says that it scales pixels, or does so by any other means."""
    return _says_so(network) or bool(np.abs(fed(network, images)).max() < images.max() / 2)


def _says_so(network: keras.Model) -> bool:
    """Whether a layer that scales comes before all that learn: elsewhere it scales no pixels."""
    kinds = (keras.layers.Rescaling, keras.layers.Normalization)
    for layer in layers(network).values():
        if isinstance(layer, kinds):
            return True
        if layer.weights:
            return False
    return False


def _from_images(network: keras.Model, pixels: Pixels) -> keras.Model:
    before: list[keras.Layer] = []
    if pixels == "unit":
        before.append(keras.layers.Rescaling(1 / 255))
    if network.input_shape[1:] != (28, 28):
        before.append(keras.layers.Reshape(network.input_shape[1:]))
    return keras.Sequential([keras.Input((28, 28)), *before, network]) if before else network
