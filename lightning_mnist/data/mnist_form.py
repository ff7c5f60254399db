"""MNIST's form of a digit: cropped to the ink, fitted into 20x20, centred by mass in 28x28.

So its makers describe it (LeCun, Cortes, Burges, http://yann.lecun.com/exdb/mnist/). A network
trained on MNIST has seen nothing else, so every other digit is brought into this form first.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 28  # pixels
BOX = 20  # pixels, the longer side of a digit
EDGE_OF_INK = 0.1
"""Share of the darkest ink at which a stroke ends, when the ink's extent is measured."""


def fit_like_mnist(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Ink uint8 [H, W] to uint8 [28, 28]: cropped, fitted into 20x20, centred by mass.

    What is in MNIST's form already comes back as it was, to the last bit, if its strokes reach
    full ink and end above `EDGE_OF_INK`.
    """
    drawn = ink > ink.max() * EDGE_OF_INK
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    crop = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = BOX / max(crop.shape)
    height, width = (max(1, round(side * scale)) for side in crop.shape)
    small = np.asarray(
        Image.fromarray(crop).resize((width, height), Image.Resampling.LANCZOS), dtype=np.float64
    )
    small = small * (255 / small.max())  # thin strokes lose ink in shrinking
    image = np.zeros((SIDE, SIDE), np.uint8)
    top, left = (
        min(max(round(SIDE // 2 - centre), 0), SIDE - side)
        for centre, side in zip(_centre_of_mass(small), small.shape, strict=True)
    )
    image[top : top + height, left : left + width] = np.round(small)
    return image


def _centre_of_mass(ink: NDArray[np.float64]) -> tuple[float, float]:
    """Row and column, counted from 0; MNIST rounds so that they come to lie on (14, 14)."""
    total = ink.sum()
    return (
        float(ink.sum(axis=1) @ np.arange(ink.shape[0]) / total),
        float(ink.sum(axis=0) @ np.arange(ink.shape[1]) / total),
    )
