"""What images look like in a few numbers, and what happened to them between two places (numpy).

Two fingerprints of the same kind of images tell how the pixels were changed on the way from one to
the other: scaled, inverted, cut to integers, wrapped around, turned, made smaller.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SAMPLE = 256
"""Images that are looked at: enough for a mean within a few per cent, and read in milliseconds."""
LITTLE_CONTRAST = 0.1
"""Images whose mean differs less from the paper, in standard deviations, have neither polarity nor
shape; MNIST's differ by 0.42."""
INVERTED = "were inverted: ink and paper have changed places"
GRID = 7
"""Blocks to a side of the coarse mean image."""


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
            levels=len(np.unique(values)) if levels is None else levels,
            finite=share,
            layout=tuple(float(block.mean()) for block in blocks),
        )

    def describe(self) -> str:
        """The range, the mean and the paper, in words."""
        return (
            f"{self.minimum:.3g} to {self.maximum:.3g}, mean {self.mean:.3g}, "
            f"paper {self.border:.3g}"
        )


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


def change(expected: Fingerprint, seen: Fingerprint) -> str | None:
    """What was done to the pixels, in words; None where nothing was.

    Grey levels are judged first: where they have been changed, so that nothing can be said of
    places, the places are not looked at.
    """
    if seen.finite < 1:
        return f"hold values that are not finite ({1 - seen.finite:.2%})"
    if expected.maximum == expected.minimum:
        return None
    if seen.maximum == seen.minimum:
        return "are blank: every pixel has the same value"
    return _grey_levels(expected, seen) or _places(expected, seen)


def _grey_levels(expected: Fingerprint, seen: Fingerprint) -> str | None:
    if seen.levels <= 3 and expected.levels > 16:
        return "were cut to integers: a few values are left"
    factor = (seen.maximum - seen.minimum) / (expected.maximum - expected.minimum)
    if _contrast(seen) * _contrast(expected) < -(LITTLE_CONTRAST**2):
        factor = -factor
    offset = seen.minimum - factor * (expected.minimum if factor > 0 else expected.maximum)
    same_spread = abs(seen.deviation / expected.deviation - 1) < 0.1
    if same_spread and abs(seen.mean - expected.mean) < 0.1 * expected.deviation:
        # The extremes of images that are standardised one by one are by chance.
        name = INVERTED if factor < 0 else None
    else:
        name = _name_of(factor, offset, expected)
    level = (expected.maximum - expected.minimum) / 255
    moved = (seen.border - expected.border) / level
    if name is None and abs(moved - 1) < 0.15 and expected.border - expected.minimum < level / 2:
        # 1 - x in uint8 turns paper, 0, into 1, and ink, 255, into 2.
        return "wrapped around in uint8: paper is one level up, ink and grey have changed places"
    return name


_FACTORS = {
    255.0: ("were not scaled", "inverted and not scaled"),
    1 / 255: ("were scaled twice", "inverted and scaled twice"),
    255.0**2: ("were multiplied by 255 instead of divided", "inverted and multiplied by 255"),
}


def _contrast(fingerprint: Fingerprint) -> float:
    """Mean above the paper in standard deviations; negative where ink is low."""
    return (fingerprint.mean - fingerprint.border) / fingerprint.deviation


def _name_of(factor: float, offset: float, expected: Fingerprint) -> str | None:
    """What ``factor * x + offset`` is called among people; None where it is close to x."""
    width = expected.maximum - expected.minimum
    if abs(factor - 1) < 0.15 and abs(offset) < 0.15 * width:
        return None
    if abs(factor + 1) < 0.15:
        return INVERTED
    for known, (same, inverted) in _FACTORS.items():
        if abs(abs(factor) / known - 1) < 0.15:
            return same if factor > 0 else f"were {inverted}"
    inversion = "were inverted and " if factor < 0 else "were "
    seen_low = min(factor * end + offset for end in (expected.minimum, expected.maximum))
    if abs(abs(factor) * width - 2) < 0.1 and abs(seen_low + 1) < 0.1:
        return inversion + "scaled to -1 to 1"
    if seen_low < expected.minimum - 0.15 * width:
        return inversion + f"standardised differently: {factor:.3g} x {offset:+.3g}"
    return (
        inversion
        + f"scaled by {abs(factor):.3g}"
        + (f" and moved by {offset:+.3g}" if abs(offset) > 0.15 * width else "")
    )


def _shape(fingerprint: Fingerprint) -> Floats:
    """Where the ink is, [GRID, GRID], positive and adding up to 1."""
    layout = np.abs(np.array(fingerprint.layout) - fingerprint.border).reshape(GRID, GRID)
    shape: Floats = layout / max(layout.sum(), 1e-12)
    return shape


def _centre_and_radius(shape: Floats) -> tuple[Floats, float]:
    line = np.arange(GRID) - (GRID - 1) / 2
    centre = np.array([shape.sum(axis=1) @ line, shape.sum(axis=0) @ line])
    distance = (line[:, None] - centre[0]) ** 2 + (line - centre[1]) ** 2
    return centre, float(np.sqrt((shape * distance).sum()))


TURNS: dict[str, Callable[[Floats], Floats]] = {
    "transposed": lambda shape: shape.T,
    "mirrored left to right": np.fliplr,
    "turned upside down": np.flipud,
    "turned by 180 degrees": lambda shape: np.rot90(shape, 2),
    "turned by 90 degrees anticlockwise": np.rot90,
    "turned by 90 degrees clockwise": lambda shape: np.rot90(shape, 3),
}


def _places(expected: Fingerprint, seen: Fingerprint) -> str | None:
    if min(abs(_contrast(expected)), abs(_contrast(seen))) < LITTLE_CONTRAST:
        return None
    before, after = _shape(expected), _shape(seen)
    (centre_before, radius_before), (centre_after, radius_after) = map(
        _centre_and_radius, (before, after)
    )
    if min(radius_before, radius_after) < 1e-6:
        return None
    ratio = radius_after / radius_before
    if not 0.87 < ratio < 1.15:
        return f"show {'smaller' if ratio < 1 else 'larger'} digits: {ratio:.2f} times the size"
    down, right = (centre_after - centre_before) * 4  # blocks of 4 pixels in 28
    if max(abs(down), abs(right)) > 1.5:
        return f"were moved by {right:+.1f} pixels to the right and {down:+.1f} down"
    unchanged = np.abs(after - before).sum()
    errors = {name: np.abs(after - turn(before)).sum() for name, turn in TURNS.items()}
    name = min(errors, key=lambda name: errors[name])
    return f"were {name}" if errors[name] < 0.6 * unchanged and unchanged > 0.1 else None
