"""What people do to images of digits, as functions of float64 [N, 28, 28] from 0 to 1.

Written with SciPy and OpenCV, so that nothing is recognised by the very code that does it.
"""

from collections.abc import Callable
from io import BytesIO

import cv2
import numpy as np
from PIL import Image
from scipy import ndimage

Images = np.ndarray
ROWS, COLUMNS = np.indices((28, 28))


def _warped(x: Images, matrix: list[list[float]]) -> Images:
    """Around the middle; rows and columns are taken from ``matrix @ (row, column)``."""
    m = np.array(matrix)
    offset = 13.5 - m @ [13.5, 13.5]
    return np.stack([ndimage.affine_transform(i, m, offset, order=1) for i in x])


def zoomed(x: Images, high: float, wide: float) -> Images:
    if min(high, wide) < 1:
        x = ndimage.gaussian_filter(x, (0, 0.3 / high, 0.3 / wide))
    return _warped(x, [[1 / high, 0], [0, 1 / wide]])


def rotated(x: Images, degrees: float) -> Images:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return _warped(x, [[c, -s], [s, c]])


def slanted(x: Images, share: float) -> Images:
    return _warped(x, [[1, 0], [share, 1]])


def shifted(x: Images, down: float, right: float) -> Images:
    return np.asarray(ndimage.shift(x, (0, down, right), order=1))


def _from(x: Images, row: Images, column: Images) -> Images:
    """Each pixel from a place of its own, counted from the middle."""
    places = (row + 13.5, column + 13.5)
    return np.stack([ndimage.map_coordinates(image, places, order=1) for image in x])


def swirled(x: Images, angle: float, reach: float) -> Images:
    """By an angle that falls off from the middle."""
    row, column = ROWS - 13.5, COLUMNS - 13.5
    turn = angle * np.exp(-np.hypot(row, column) / reach)
    sine, cosine = np.sin(turn), np.cos(turn)
    return _from(x, cosine * row - sine * column, sine * row + cosine * column)


def bulged(x: Images, strength: float) -> Images:
    """The further from the middle, the smaller."""
    row, column = ROWS - 13.5, COLUMNS - 13.5
    factor = 1 + strength * (row**2 + column**2) / 13.5**2
    return _from(x, row * factor, column * factor)


def trapezoid(x: Images, strength: float) -> Images:
    """Narrower towards the bottom."""
    row, column = ROWS - 13.5, COLUMNS - 13.5
    return _from(x, row + 0 * column, column * (1 + strength * row / 13.5))


def from_below(x: Images, strength: float) -> Images:
    """A homography: farther away towards the top."""
    row, column = ROWS - 13.5, COLUMNS - 13.5
    distance = 1 + strength * row / 13.5
    return _from(x, row / distance, column / distance)


def locally_equalised(x: Images) -> Images:
    equaliser = cv2.createCLAHE(2.0, (8, 8))
    return np.stack([equaliser.apply(i) for i in (x * 255).round().astype(np.uint8)]) / 255


def equalised(x: Images) -> Images:
    """Grey levels by their ranks, paper too."""
    levels = (x * 255).round().astype(np.uint8)
    return np.stack([np.bincount(i.ravel(), minlength=256).cumsum()[i] for i in levels]) / 784


def opened(x: Images) -> Images:
    return np.asarray(ndimage.grey_opening(x, (1, 3, 3)))


def without_rows(x: Images, rng: np.random.Generator, count: int) -> Images:
    """So many rows of each image are blank."""
    x = x.copy()
    for image in x:
        image[rng.choice(28, count, replace=False)] = 0
    return x


def blurry(x: Images, deviation: float) -> Images:
    return np.asarray(ndimage.gaussian_filter(x, (0, deviation, deviation)))


def thick(x: Images, size: int = 3) -> Images:
    return np.asarray(ndimage.grey_dilation(x, (1, size, size)))


def thin(x: Images) -> Images:
    cross = np.array([[[0, 1, 0], [1, 1, 1], [0, 1, 0]]], bool)
    return np.asarray(ndimage.grey_erosion(x, footprint=cross))


def noisy(x: Images, rng: np.random.Generator, deviation: float) -> Images:
    return (x + rng.normal(0, deviation, x.shape)).clip(0, 1)


def speckled(x: Images, rng: np.random.Generator, share: float) -> Images:
    chance = rng.random(x.shape)
    return np.where(chance < share, rng.random(x.shape) < 0.5, x)


def one_by_one(x: Images) -> Images:
    x = x - x.mean(axis=(1, 2), keepdims=True)
    return np.asarray(x / x.std(axis=(1, 2), keepdims=True).clip(1e-9))


def in_uint8(x: Images, of: Callable[[Images], Images]) -> Images:
    return of((x * 255).round().astype(np.uint8)).astype(np.uint8) / 255


def in_int8(x: Images) -> Images:
    return (x * 255).round().astype(np.uint8).astype(np.int8) / 255


def laplace(x: Images) -> Images:
    return np.asarray(np.abs(ndimage.laplace(x, axes=(1, 2))).clip(0, 1))


def sobel(x: Images) -> Images:
    edges = [np.hypot(ndimage.sobel(i, 0), ndimage.sobel(i, 1)) for i in x]
    return np.asarray((np.array(edges) / 4).clip(0, 1))


def sharpened(x: Images) -> Images:
    return np.asarray((x + 1.5 * (x - blurry(x, 1.0))).clip(0, 1))


def reordered(x: Images, order: Images) -> Images:
    return x.reshape(len(x), -1)[:, order].reshape(x.shape)


def shuffled_each(x: Images, rng: np.random.Generator) -> Images:
    return rng.permuted(x.reshape(len(x), -1), axis=1).reshape(x.shape)


def strided(x: Images, stride: int) -> Images:
    """Rows of 28 read as if they were `stride` long."""
    flat = np.pad(x.reshape(len(x), -1), ((0, 0), (0, 28 * stride)))
    return flat[:, (ROWS * stride + COLUMNS).ravel()].reshape(x.shape)


def framed(x: Images, width: int, level: float) -> Images:
    x = x.copy()
    x[:, :width] = x[:, -width:] = x[:, :, :width] = x[:, :, -width:] = level
    return x


def halved(x: Images) -> Images:
    return np.asarray(x.reshape(len(x), 14, 2, 14, 2).mean(axis=(2, 4)))


def patched(x: Images, rng: np.random.Generator) -> Images:
    """A square of 10 pixels is blank, elsewhere in each."""
    x = x.copy()
    for image in x:
        row, column = rng.integers(4, 14, 2)
        image[row : row + 10, column : column + 10] = 0
    return x


def each_elsewhere(x: Images, rng: np.random.Generator) -> Images:
    return np.stack([ndimage.shift(i, rng.uniform(-5, 5, 2), order=1) for i in x])


def each_turned(x: Images, rng: np.random.Generator, most: float = 40) -> Images:
    return np.concatenate([rotated(i[None], rng.uniform(-most, most)) for i in x])


def each_set_upright(x: Images) -> Images:
    """By its own moments, as digits are deskewed."""
    result = []
    for image in x:
        total = image.sum()
        down, right = ROWS - (ROWS * image).sum() / total, COLUMNS - (COLUMNS * image).sum() / total
        share = (down * right * image).sum() / (down**2 * image).sum()
        middle = (ROWS * image).sum() / total
        matrix, offset = [[1, 0], [share, 1]], [0, -share * middle]
        result.append(ndimage.affine_transform(image, matrix, offset, order=1))
    return np.stack(result)


def shrunk_and_enlarged(x: Images, side: int) -> Images:
    """By cubic interpolation, without smoothing first."""
    there = ndimage.zoom(x, (1, side / 28, side / 28), order=3, grid_mode=True, mode="nearest")
    back = ndimage.zoom(there, (1, 28 / side, 28 / side), order=3, grid_mode=True, mode="nearest")
    return np.asarray(back.clip(0, 1))


def compressed(x: Images, quality: int) -> Images:
    """Saved as JPEG, and read again."""
    result = []
    for image in (x * 255).round().astype(np.uint8):
        file = BytesIO()
        Image.fromarray(image).save(file, "jpeg", quality=quality)
        with Image.open(file) as read:
            result.append(np.asarray(read))
    return np.stack(result) / 255


def put(x: Images, where: Callable[[int], int]) -> Images:
    """Each digit cropped to its ink, and put where it is told for its size."""
    result = np.zeros_like(x)
    for image, blank in zip(x, result, strict=True):
        rows, columns = (np.flatnonzero((image > 0.1).any(axis=axis)) for axis in (1, 0))
        crop = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        top, left = map(where, crop.shape)
        blank[top : top + crop.shape[0], left : left + crop.shape[1]] = crop
    return result


def pixel_by_pixel(x: Images) -> Images:
    deviation = x.std(axis=0)
    return np.asarray((x - x.mean(axis=0)) / np.where(deviation > 0, deviation, 1))


def lost(x: Images, rng: np.random.Generator, share: float) -> Images:
    return np.where(rng.random(x.shape) < share, 0.0, x)


def closed(x: Images, side: int) -> Images:
    return np.stack([cv2.morphologyEx(i, cv2.MORPH_CLOSE, np.ones((side, side))) for i in x])


def canny(x: Images) -> Images:
    return np.stack([cv2.Canny((i * 255).astype(np.uint8), 100, 200) for i in x]) / 255


def by_four_corners(x: Images, narrower: int) -> Images:
    """As a program does it that is told where the corners are: the top from both sides."""
    square = [[0, 0], [27, 0], [27, 27], [0, 27]]
    moved = [[narrower, 0], [27 - narrower, 0], *square[2:]]
    matrix = cv2.getPerspectiveTransform(np.array(square, "f4"), np.array(moved, "f4"))
    return np.stack([cv2.warpPerspective(i, matrix, (28, 28)) for i in x])


def opened_away(x: Images) -> Images:
    """The skeleton that a widely copied loop of erosions and openings gives."""
    cross, result = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)), []
    for image in x:
        left = (image > 0.5).astype(np.uint8)
        bones = np.zeros_like(left)
        while left.any():
            eroded = cv2.erode(left, cross)
            bones = np.maximum(bones, left - np.asarray(cv2.dilate(eroded, cross)))
            left = np.asarray(eroded)
        result.append(bones)
    return np.stack(result).astype(np.float64)
