"""Where pixels and images went: turned, mirrored, moved, in another order (NumPy)."""

from collections.abc import Iterator

import numpy as np

from parity.arrays import Array, Floats, Ints
from parity.watch.fingerprint import TURNS

FARTHEST = 4
"""Pixels, down or to the right, that images are looked for to be moved by."""
ORIENTATION = "turned images"
ORDER = "order of the images"
UPRIGHT = {ORIENTATION: "as they are", ORDER: "in the given order"}


def arrangements(images: Floats) -> Iterator[tuple[dict[str, str], Floats]]:
    """What the images would be if their pixels were elsewhere, the usual first.

    Args:
        images: float64 [B, H, W].

    Yields:
        What was done, by the name of the cause, and the images float64 [B, H * W].
    """
    count, height, width = images.shape
    flat = images.reshape(count, -1)
    yield UPRIGHT, flat
    grid = np.arange(height * width, dtype=np.float64).reshape(height, width)
    for words, turn in TURNS.items():
        yield {**UPRIGHT, ORIENTATION: words}, flat[:, turn(grid).ravel().astype(np.int64)]
    reach = range(-FARTHEST, FARTHEST + 1)
    for down, right in sorted(
        ((d, r) for d in reach for r in reach), key=lambda m: abs(m[0]) + abs(m[1])
    ):
        if down or right:
            where = f"{right:+d} pixels to the right and {down:+d} down"
            gone = moved(images, down, right).reshape(count, -1)
            yield {**UPRIGHT, ORIENTATION: f"moved by {where}"}, gone
            rolled = np.roll(images, (down, right), (1, 2)).reshape(count, -1)
            yield {**UPRIGHT, ORIENTATION: f"rolled by {where}"}, rolled


def moved(images: Floats, down: int, right: int) -> Floats:
    """Images [B, H, W] moved by whole pixels; zeros come in."""
    _, height, width = images.shape
    rows = slice(max(down, 0), height + min(down, 0))
    columns = slice(max(right, 0), width + min(right, 0))
    from_rows = slice(max(-down, 0), height + min(-down, 0))
    from_columns = slice(max(-right, 0), width + min(-right, 0))
    result = np.zeros_like(images)
    result[:, rows, columns] = images[:, from_rows, from_columns]
    return result


def reordered(images: Array, seen: Floats) -> Ints | None:
    """Indices with which images, grey levels scaled and moved, are those seen, or None.

    Args:
        images: uint8 [B, P].
        seen: float64 [B, P].
    """
    low, high = float(images.min()), float(images.max())
    width = float(np.ptp(seen))
    if width == 0 or high == low:
        return None
    rising = low + (seen - seen.min()) / width * (high - low)
    places = {image.tobytes(): place for place, image in reversed(list(enumerate(images)))}
    for levels in (rising, low + high - rising):
        rounded = levels.round()
        if np.abs(levels - rounded).max() > 0.01:
            return None
        order = [places.get(image.tobytes(), -1) for image in rounded.astype(np.uint8)]
        if min(order) >= 0 and len(set(order)) == len(places):
            return np.array(order)
    return None


def order_words(order: Ints) -> str:
    """How images that were reordered come."""
    count = len(order)
    if np.array_equal(order, np.arange(count)[::-1]):
        return "in reverse"
    step = int(order[0])
    if np.array_equal(order, (np.arange(count) + step) % count):
        return f"rotated by {step}"
    return f"in another order, {int((order != np.arange(count)).sum())} of {count} elsewhere"
