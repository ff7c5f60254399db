"""What images look like: a few numbers and a few examples, small enough for a JSON file (numpy).

Two fingerprints of the same kind of images tell how the pixels were changed on the way from one to
the other: `parity.watch.pixels.change`.
"""

import base64
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SAMPLE = 256
"""Images that are looked at: enough for a mean within a few per cent, and read in milliseconds."""
GRID = 7
"""Blocks to a side of the coarse mean image."""
EXAMPLES = 128
"""Images that are kept, for what figures cannot tell: what the images would be if blurred, say."""
SIDE = 28
"""Pixels to a side of a kept image."""


def sample(count: int, most: int = SAMPLE) -> NDArray[np.int64]:
    """Indices of at most `most` of `count` images, evenly spaced, the first one included."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


@dataclass(frozen=True)
class Fingerprint:
    """Images in a few numbers.

    Attributes:
        dtype: Of the array.
        minimum: Lowest value.
        maximum: Highest value.
        mean: Of all pixels.
        deviation: Standard deviation of all pixels.
        border: Mean of the outermost pixels: the paper.
        ink: Share of the pixels that are further from the paper than half of the range.
        levels: Number of distinct values.
        finite: Share of the values that are finite; the other figures are of those.
        layout: Mean image in `GRID` x `GRID` blocks, row by row.
        kept: Some of the images, in 256 grey levels and packed; `examples` unpacks them.
    """

    dtype: str
    minimum: float
    maximum: float
    mean: float
    deviation: float
    border: float
    ink: float
    levels: int
    finite: float
    layout: tuple[float, ...]
    kept: str

    @classmethod
    def of(cls, images: NDArray[Any]) -> "Fingerprint":
        """Measure a sample of images [N, H, W], of any dtype, at least `GRID` pixels high and wide.

        Raises:
            ValueError: another shape.
        """
        if images.ndim != 3 or len(images) == 0 or min(images.shape[1:]) < GRID:
            raise ValueError(
                f"images of shape {images.shape}; expected [N, H, W], at least 1 image of "
                f"{GRID} x {GRID} pixels"
            )
        seen = images[sample(len(images))]
        levels = int((np.bincount(seen.ravel()) > 0).sum()) if seen.dtype == np.uint8 else None
        values = seen.astype(np.float64)
        finite = np.isfinite(values)
        share = float(finite.mean())
        if share < 1:
            values = np.where(finite, values, 0.0)
        edge = np.ones(values.shape[1:], bool)
        edge[1:-1, 1:-1] = False
        low, high, border = values.min(), values.max(), values[:, edge].mean()
        rows = np.array_split(values.mean(axis=0), GRID, axis=0)
        blocks = [block for row in rows for block in np.array_split(row, GRID, axis=1)]
        return cls(
            dtype=str(images.dtype),
            minimum=float(low),
            maximum=float(high),
            mean=float(values.mean()),
            deviation=float(values.std()),
            border=float(border),
            ink=float((np.abs(values - border) > (high - low) / 2).mean()) if high > low else 0.0,
            levels=len(np.unique(values.astype(seen.dtype))) if levels is None else levels,
            finite=share,
            layout=tuple(float(block.mean()) for block in blocks),
            kept=_packed(values[sample(len(values), EXAMPLES)], low, high),
        )

    @property
    def level(self) -> float:
        """A step between two of 256 grey levels."""
        return (self.maximum - self.minimum) / 255

    @property
    def examples(self) -> Floats:
        """Some of the images, float64 [N, 28, 28], grey levels within 1/510 of the range."""
        levels = np.frombuffer(zlib.decompress(base64.b64decode(self.kept)), np.uint8)
        width = self.maximum - self.minimum
        result: Floats = self.minimum + levels.reshape(-1, SIDE, SIDE) * np.float64(width / 255)
        return result

    def describe(self) -> str:
        """The range, the mean and the paper, in words."""
        return (
            f"{self.minimum:.3g} to {self.maximum:.3g}, mean {self.mean:.3g}, "
            f"paper {self.border:.3g}"
        )


def _packed(images: Floats, low: float, high: float) -> str:
    """As bytes of 28 x 28 pixels, deflated, in letters that JSON can hold."""

    def weights(size: int) -> Floats:
        """From a side of `size` pixels: averaged where there are more, interpolated where fewer."""
        places = (np.arange(SIDE) + 0.5) * size / SIDE - 0.5
        reach = max(1.0, size / SIDE)
        near = np.maximum(0.0, 1 - np.abs(places[:, None] - np.arange(size)) / reach)
        result: Floats = near / near.sum(axis=1, keepdims=True)
        return result

    if images.shape[1:] != (SIDE, SIDE):
        images = weights(images.shape[1]) @ images @ weights(images.shape[2]).T
    levels = np.round((images - low) * (255 / max(high - low, 1e-300))).clip(0, 255)
    return base64.b64encode(zlib.compress(levels.astype(np.uint8).tobytes())).decode("ascii")


def intended(raw: NDArray[np.uint8], preprocessing: dict[str, Any]) -> Floats:
    """What a run record says that the network is fed, float64 [N, H, W].

    Args:
        raw: Images uint8 [N, H, W].
        preprocessing: ``invert``, ``standardize``, ``mean`` and ``std``.
    """
    images: Floats = raw / 255
    if preprocessing["invert"]:
        images = 1 - images
    if preprocessing["standardize"] == "image":
        mean = images.mean(axis=(1, 2), keepdims=True)
        deviation = images.std(axis=(1, 2), keepdims=True)
        standardised: Floats = (images - mean) / np.maximum(deviation, 1e-9)
    else:
        standardised = (images - preprocessing["mean"]) / preprocessing["std"]
    return standardised


TURNS: dict[str, Callable[[Floats], Floats]] = {
    "transposed": lambda shape: shape.T,
    "transposed along the other diagonal": lambda shape: np.rot90(shape, 2).T,
    "mirrored left to right": np.fliplr,
    "turned upside down": np.flipud,
    "turned by 180 degrees": lambda shape: np.rot90(shape, 2),
    "turned by 90 degrees anticlockwise": np.rot90,
    "turned by 90 degrees clockwise": lambda shape: np.rot90(shape, 3),
}
