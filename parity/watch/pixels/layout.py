"""Digits put into their image in another way than MNIST's makers did (NumPy only)."""

from collections.abc import Callable

import numpy as np

from parity.watch.pixels.look import Floats
from parity.watch.pixels.turns import Step
from parity.watch.pixels.warp import sampled

INK = 0.1
"""Share of full ink at which a digit ends."""


def _each(put: Callable[[Floats, Floats], Floats]) -> Callable[[Floats], Floats]:
    """Each digit, cropped to its ink, is put into a blank image; one without ink stays."""

    def again(image: Floats) -> Floats:
        drawn = image > INK
        if not drawn.any():
            return image
        rows, columns = (np.flatnonzero(drawn.any(axis=axis)) for axis in (1, 0))
        crop = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        return put(crop, np.zeros_like(image))

    return lambda ink: np.stack([again(image) for image in ink])


def _centred(crop: Floats, image: Floats) -> Floats:
    top, left = ((side - own) // 2 for side, own in zip(image.shape, crop.shape, strict=True))
    image[top : top + crop.shape[0], left : left + crop.shape[1]] = crop
    return image


def _in_the_corner(crop: Floats, image: Floats) -> Floats:
    image[: crop.shape[0], : crop.shape[1]] = crop
    return image


def _stretched(crop: Floats, image: Floats) -> Floats:
    rows, columns = (
        (np.arange(side) + 0.5) * own / side - 0.5
        for side, own in zip(image.shape, crop.shape, strict=True)
    )
    rows, columns = rows.clip(0, crop.shape[0] - 1), columns.clip(0, crop.shape[1] - 1)
    result: Floats = sampled(crop[None], rows, columns)[0]
    return result


LAYOUTS = (
    Step("place", "were centred by their outline, not by their mass", _each(_centred)),
    Step("place", "lie in the upper left corner of each image", _each(_in_the_corner)),
    Step("size", "fill their images: each is cropped to its ink and enlarged", _each(_stretched)),
)
