"""A pixel and those around it (NumPy only): images float64 [N, H, W]."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def neighbours(images: Floats) -> list[Floats]:
    """Each pixel's nine, itself included, edges repeated: nine arrays [N, H, W]."""
    height, width = images.shape[1:]
    rows, columns = (np.arange(-1, size + 1).clip(0, size - 1) for size in (height, width))
    padded = images[:, rows[:, None], columns]
    return [padded[:, r : r + height, c : c + width] for r in range(3) for c in range(3)]


def smoothed(images: Floats) -> Floats:
    """Without specks: the median of the medians of three neighbouring rows, [N, H, W]."""
    nine = neighbours(images)
    return _median(*(_median(*nine[row : row + 3]) for row in (0, 3, 6)))


def _median(first: Floats, second: Floats, third: Floats) -> Floats:
    low, high = np.minimum(first, second), np.maximum(first, second)
    result: Floats = np.maximum(low, np.minimum(high, third))
    return result


def likeness(first: Floats, second: Floats) -> Floats:
    """Correlation between neighbouring pixels of each image, [N]; 0 where all are alike."""
    first = first - first.mean(axis=(1, 2), keepdims=True)
    second = second - second.mean(axis=(1, 2), keepdims=True)
    both = np.sqrt(products(first, first) * products(second, second))
    result: Floats = products(first, second) / np.maximum(both, 1e-9)
    return result


def products(first: Floats, second: Floats) -> Floats:
    """Summed over the pixels of each image, [N]."""
    result: Floats = np.einsum("nrc,nrc->n", first, second)
    return result


def slope_of(ink: Floats) -> Floats:
    """Length of the gradient at the corners between pixels, [N, H - 1, W - 1]."""
    down = ink[:, 1:, :-1] - ink[:, :-1, :-1], ink[:, 1:, 1:] - ink[:, :-1, 1:]
    right = ink[:, :-1, 1:] - ink[:, :-1, :-1], ink[:, 1:, 1:] - ink[:, 1:, :-1]
    result: Floats = np.sqrt((down[0] + down[1]) ** 2 + (right[0] + right[1]) ** 2) / 2
    return result
