"""A pixel and those around it (NumPy only): images [N, H, W]."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.floating[Any]]
"""In single or in double precision."""
Scalar = TypeVar("Scalar", bound=np.floating[Any])


def padded(images: NDArray[Scalar]) -> NDArray[Scalar]:
    """With a margin of one pixel that repeats the edges, [N, H + 2, W + 2]."""
    count, height, width = images.shape
    result = np.empty((count, height + 2, width + 2), images.dtype)
    result[:, 1:-1, 1:-1] = images
    result[:, 1:-1, 0], result[:, 1:-1, -1] = images[:, :, 0], images[:, :, -1]
    result[:, 0], result[:, -1] = result[:, 1], result[:, -2]
    return result


def neighbours(images: NDArray[Scalar]) -> list[NDArray[Scalar]]:
    """Each pixel's nine, itself included, edges repeated: nine arrays [N, H, W]."""
    height, width = images.shape[1:]
    around = padded(images)
    return [around[:, r : r + height, c : c + width] for r in range(3) for c in range(3)]


def smoothed(images: NDArray[Scalar]) -> NDArray[Scalar]:
    """Without specks: the median of the medians of three neighbouring rows, [N, H, W]."""
    around = padded(images)
    rows = _median(around[:, :, :-2], around[:, :, 1:-1], around[:, :, 2:])
    return _median(rows[:, :-2], rows[:, 1:-1], rows[:, 2:])


def _median(
    first: NDArray[Scalar], second: NDArray[Scalar], third: NDArray[Scalar]
) -> NDArray[Scalar]:
    low, high = np.minimum(first, second), np.maximum(first, second)
    result: NDArray[Scalar] = np.maximum(low, np.minimum(high, third))
    return result


def likeness(first: Grey, second: Grey) -> Grey:
    """Correlation between neighbouring pixels of each image, [N]; 0 where all are alike."""
    first = first - first.mean(axis=(1, 2), keepdims=True)
    second = second - second.mean(axis=(1, 2), keepdims=True)
    both = np.sqrt(products(first, first) * products(second, second))
    result: Grey = products(first, second) / np.maximum(both, 1e-9)
    return result


def products(first: Grey, second: Grey | NDArray[np.bool_]) -> Grey:
    """Summed over the pixels of each image, [N]."""
    result: Grey = np.einsum("nrc,nrc->n", first, second)
    return result


def slope_of(ink: Grey) -> Grey:
    """Length of the gradient at the corners between pixels, [N, H - 1, W - 1] (Roberts 1963)."""
    falling = ink[:, 1:, 1:] - ink[:, :-1, :-1]
    rising = ink[:, 1:, :-1] - ink[:, :-1, 1:]
    falling *= falling
    rising *= rising
    falling += rising
    falling *= 0.5
    result: Grey = np.sqrt(falling, out=falling)
    return result
