"""What images lose by being shrunk, smeared or compressed (NumPy only): ink [N, H, W] to ink."""

from collections.abc import Callable

import numpy as np

from parity.watch.pixels.look import Floats
from parity.watch.pixels.turns import Step
from parity.watch.pixels.warp import Sampling, weight

COMPRESSED = "were compressed: the blocks of a JPEG are seen"
LUMINANCE = np.array([
    [16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56], [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77], [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101], [72, 92, 95, 98, 112, 100, 103, 99],
])  # fmt: skip
"""Steps of the cosines of a block at a quality of 50: ITU-T T.81 (1992), table K.1."""
BLOCK = len(LUMINANCE)


def _compressed(quality: int) -> Callable[[Floats], Floats]:
    """As the IJG's library does it, whose qualities scale the steps."""
    scale = 5000 / quality if quality < 50 else 200 - 2 * quality
    steps = ((LUMINANCE * scale + 50) // 100).clip(1, 255)
    order, place = np.indices((BLOCK, BLOCK))
    cosines = np.cos(np.pi * order * (2 * place + 1) / (2 * BLOCK)) / 2
    cosines[0] /= np.sqrt(2)

    def compress(ink: Floats) -> Floats:
        count, height, width = ink.shape
        more = ((0, 0), (0, -height % BLOCK), (0, -width % BLOCK))
        padded = np.pad(ink * 255 - 128, more, mode="edge")
        rows, columns = padded.shape[1] // BLOCK, padded.shape[2] // BLOCK
        blocks = padded.reshape(count, rows, BLOCK, columns, BLOCK).swapaxes(2, 3)
        blocks = cosines.T @ (np.round(cosines @ blocks @ cosines.T / steps) * steps) @ cosines
        whole = blocks.swapaxes(2, 3).reshape(padded.shape)[:, :height, :width]
        result: Floats = ((whole + 128) / 255).clip(0, 1)
        return result

    return compress


def _there_and_back(side: int, how: Sampling, *, smooth: bool) -> Callable[[Floats], Floats]:
    """Shrunk to so many pixels a side, where smooth by means of what they cover, and enlarged."""

    def weights(to: int, size: int) -> Floats:
        ratio = max(1.0, size / to) if smooth else 1.0
        places = (np.arange(to) + 0.5) * size / to - 0.5
        shares = weight((np.arange(size) - places[:, None]) / ratio, how)
        result: Floats = shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-9)
        return result

    def resample(ink: Floats) -> Floats:
        height, width = (weights(size, side) @ weights(side, size) for size in ink.shape[1:])
        result: Floats = (height @ ink @ width.T).clip(0, 1)
        return result

    return resample


def _coarse(side: int) -> Callable[[Floats], Floats]:
    """The same of the pixel before it, which is the nearest to OpenCV and torch."""

    def repeat(ink: Floats) -> Floats:
        rows, columns = (np.arange(n) * side // n * n // side for n in ink.shape[1:])
        return ink[:, rows[:, None], columns]

    return repeat


def _smeared(length: int, *ways: tuple[int, int]) -> Callable[[Floats], Floats]:
    """Each pixel is the mean of so many along each way, by pixels down and to the right."""
    reach = length // 2

    def smear(ink: Floats) -> Floats:
        height, width = ink.shape[1:]
        for down, right in ways:
            padded = np.pad(ink, ((0, 0), (reach, reach), (reach, reach)), mode="edge")
            places = [(reach + n * down, reach + n * right) for n in range(-reach, reach + 1)]
            parts = [padded[:, r : r + height, c : c + width] for r, c in places]
            ink = np.asarray(np.mean(parts, axis=0))
        return ink

    return smear


_WAYS: tuple[tuple[Sampling, bool], ...] = (
    ("nearest", False),
    ("nearest", True),
    ("linear", True),
    ("linear", False),
    ("cubic", True),
)
COARSE = "are coarse: shrunk and enlarged again"
LOSSY = (
    *(Step("blur", COARSE, _coarse(side)) for side in (7, 10, 14, 20)),
    *(Step("blur", COMPRESSED, _compressed(quality)) for quality in (5, 8, 12, 20, 35)),
    *(
        Step(
            "blur",
            COARSE if how == "nearest" else "were blurred",
            _there_and_back(side, how, smooth=s),
        )
        for side in (7, 10, 14, 20)
        for how, s in _WAYS
    ),
    *(
        Step("blur", "were blurred", _smeared(length, *ways))
        for length in (3, 5, 7)
        for ways in (((1, 0),), ((0, 1),), ((1, 0), (0, 1)), ((1, 1),), ((1, -1),))
    ),
)
