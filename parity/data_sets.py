"""The door for data sets of anyone's: images and labels, told by shape, type and range.

What there is becomes what Keras' ``mnist.npz`` holds, and it is said how; or it is refused.
"""

import math
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from parity.arrays import Array
from parity.files import NUMBERS
from parity.judge.cells import value
from parity.judge.folders import arrays_of, called_labels, part_of
from parity.judge.image_files import LEAST_SIDE, as_images
from parity.judge.kinds import INSTEAD
from parity.judge.shapes import one_hot, whole, wide

Part = tuple[Array, Array]
"""Images [N, H, W], of any range, and labels [N], numbers or text."""
SIDE, CLASSES = 28, 10
EVERY = 7
"""Of how many images one is for testing where all are in one part: MNIST's own share."""
LYING = 3
"""Variance of a one's ink across by that down, from which on it lies."""
RANGES = ((0, 1), (-1, 1), (0, 16), (0, 255))
"""Of pixels: floats, signed floats, scikit-learn's digits, bytes."""
ADVICE = (
    "expected images and labels; "
    "np.savez('digits.npz', x_train=..., y_train=..., x_test=..., y_test=...) is always read"
)


def read_data_set(path: Path) -> tuple[dict[str, Array], str]:
    """``x_train``, ``x_test`` uint8 [N, 28, 28]; ``y_train``, ``y_test`` int64 [N]; what was read.

    Raises:
        ValueError: no images with their labels, or several ways to read them.
    """
    try:
        remarks: list[str] = []
        parts = _in_two(_paired(arrays_of(path)), remarks)
        x = _resized(_levels([images for images, _ in parts], remarks), remarks)
        y = _upright(x[0], _digits([labels for _, labels in parts], remarks), remarks)
    except (OSError, ValueError) as error:  # of a damaged picture
        said = str(error).replace(f"; {INSTEAD}", "")
        raise ValueError(f"{said}; {ADVICE}") from error
    said = "; ".join([f"{len(y[0]):,} images to train and {len(y[1]):,} to test", *remarks])
    return {"x_train": x[0], "y_train": y[0], "x_test": x[1], "y_test": y[1]}, said


def _paired(arrays: dict[str, Array]) -> dict[str, Part]:
    """Images and their labels by part: by names, or where these say nothing by their order.

    Raises:
        ValueError: no images, some without labels, or several that may be of one part.
    """
    labels = {
        n: a
        for n, a in arrays.items()
        if max(a.shape[1:], default=1) == 1 or (wide(a) and one_hot(a))
    }
    large = {n: a for n, a in arrays.items() if math.prod(a.shape[1:]) >= LEAST_SIDE**2}
    images = {n: a for n, a in large.items() if n not in labels and a.dtype.kind in NUMBERS}
    parts: dict[str, Part] = {}
    sizes = [array.size for array in images.values()]
    order = iter(("train", "test") if len(sizes) == 2 and sizes[0] >= sizes[1] else ())
    for name, array in images.items():
        part = part_of(name)
        theirs = [n for n, a in labels.items() if part_of(n) == part and len(a) in array.shape]
        theirs = [*filter(called_labels, theirs)] or theirs
        part = part or next(order, "train")
        if part in parts or len(theirs) > 1:
            raise ValueError(f"several arrays that may be of one part: {_said(arrays)}")
        if theirs:
            theirs_are = labels.pop(theirs[0])
            parts[part] = as_images(name, array, len(theirs_are)), theirs_are
        elif part != "test":  # whose labels competitions keep
            raise ValueError(f"no labels beside {name}: {_said(arrays)}")
    alone = [n for n in labels if called_labels(n) and part_of(n) not in {"", *parts}]
    if alone or not parts:
        raise ValueError(f"no images beside {', '.join(alone) or 'labels'}: {_said(arrays)}")
    return parts


def _said(arrays: dict[str, Array]) -> str:
    return ", ".join(f"{n} {a.dtype} {list(a.shape)}".strip() for n, a in arrays.items())[:300]


def _in_two(parts: dict[str, Part], remarks: list[str]) -> tuple[Part, Part]:
    """What to train and to test with."""
    if len(parts) == 1:
        ((images, labels),) = parts.values()
        test = np.arange(len(labels)) % EVERY == EVERY - 1
        remarks.append(f"no part with labels for testing: one image of {EVERY} is kept for it")
        return (images[~test], labels[~test]), (images[test], labels[test])
    if "test" not in parts:
        remarks.append("no part for testing: that for validation is taken")
    elif "val" in parts:
        remarks.append("the part for validation is left out: a training keeps images of its own")
    return parts.get("train") or parts["val"], parts.get("test") or parts["val"]


def _levels(parts: Sequence[Array], remarks: list[str]) -> list[NDArray[np.uint8]]:
    """Pixels of a usual range as 0 to 255; of another where they are 256 levels of it.

    Raises:
        ValueError: pixels of another range, or of one that differs between the parts.
    """
    spans = [(float(images.min()), float(images.max())) for images in parts if images.size]
    if not np.isfinite(spans).all():
        raise ValueError("pixels that are not finite")
    usual = [next((r for r in RANGES if r[0] <= a and b <= r[1]), None) for a, b in spans]
    if len({*usual}) > 1:
        said = " and ".join(f"{a:.4g} to {b:.4g}" for a, b in spans)
        raise ValueError(f"pixels of different ranges for training and for testing: {said}")
    low, high = usual[0] or (min(a for a, _ in spans), max(b for _, b in spans))
    levels = [(images.astype(np.float32) - low) * (255 / (high - low)) for images in parts]
    if usual[0] is None and max(float(abs(a - a.round()).max()) for a in levels) > 0.2:
        raise ValueError(
            f"pixels from {low:.4g} to {high:.4g}, not in 256 levels: standardised column by "
            "column? give them as they were before"
        )
    if (low, high) != (0, 255):
        remarks.append(f"pixels from {low:.4g} to {high:.4g} are read as 0 to 255")
    return [a.round().astype(np.uint8) for a in levels]


def _resized(parts: Sequence[NDArray[np.uint8]], remarks: list[str]) -> list[NDArray[np.uint8]]:
    """Images [N, 28, 28]: without an empty frame, or enlarged or shrunk.

    Raises:
        ValueError: they are not square.
    """
    height, width = parts[0].shape[1:]
    if {images.shape[1:] for images in parts} != {(height, height)}:
        raise ValueError(f"images of {height}x{width} pixels; expected square ones, of one size")
    if height == SIDE:
        return list(parts)
    edge = (height - SIDE) // 2
    inner = [images[:, edge : edge + SIDE, edge : edge + SIDE] for images in parts]
    framed = height > SIDE and all(a.sum() == b.sum() for a, b in zip(parts, inner, strict=True))
    remarks.append(f"images of {height}x{width} pixels are read as {SIDE}x{SIDE}")
    remarks[-1] += ", without their empty frame" if framed else ", resized"
    if framed:
        return inner
    return [
        np.stack([np.asarray(Image.fromarray(image).resize((SIDE, SIDE))) for image in images])
        for images in parts
    ]


def _digits(parts: Sequence[Array], remarks: list[str]) -> list[NDArray[np.int64]]:
    """Labels 0 to 9, of numbers, one-hot rows or text.

    Raises:
        ValueError: other numbers, or more than ten classes.
    """
    flat = [a.argmax(axis=1) if a.ndim == 2 and a.shape[1] > 1 else a.reshape(-1) for a in parts]
    if any(a.dtype.kind in "US" for a in flat):
        texts = [a.astype(str) for a in flat]
        said = [[value(text) for text in part.tolist()] for part in texts]
        if None in chain(*said):
            names = np.unique(np.concatenate(texts))
            said = [np.searchsorted(names, part).tolist() for part in texts]
            named = ", ".join(f"{n} {name}" for n, name in enumerate(names[:CLASSES]))
            remarks.append(f"classes are numbered by the alphabet: {named}")
        flat = [np.array(part, np.float64) for part in said]
    if not all(map(whole, flat)):
        raise ValueError("labels that are no whole numbers")
    low, high = (int(f(np.concatenate(flat))) for f in (np.min, np.max))
    if low < 0 or high - (low == 1) >= CLASSES:
        raise ValueError(f"labels from {low} to {high}; expected ten classes, 0 to {CLASSES - 1}")
    return [a.astype(np.int64) for a in flat]


def _upright(
    images: NDArray[np.uint8], labels: list[NDArray[np.int64]], remarks: list[str]
) -> list[NDArray[np.int64]]:
    """Labels 0 to 9 of 1 to 10, and a remark where digits lie on their side.

    Of digits, ones and sevens have less ink than twos and eights, and ones are taller than wide.
    """
    ink = abs(images - np.median(images))
    total = ink.sum((1, 2)).clip(1)
    counts = np.bincount(labels[0], minlength=CLASSES + 1)
    by_class = np.where(counts, np.bincount(labels[0], total, CLASSES + 1) / counts.clip(1), np.inf)
    from_1 = any(CLASSES in part for part in labels)
    one_more = from_1 and by_class[[2, 8]].sum() < 0.95 * by_class[[1, 7]].sum()
    if one_more:
        remarks.append("labels from 1 to 10: each is one more, by the ink of ones and sevens")
    elif from_1:
        remarks.append("labels from 1 to 10: 10 is read as 0, as MATLAB's data sets have it")
    if by_class.argmin() == 1 + one_more:
        ones = labels[0] == 1 + one_more
        shares = [ink.sum(axis)[ones] / total[ones, None] for axis in (1, 2)]  # across, down
        place = np.arange(SIDE)
        across, down = (np.median(a @ place**2 - (a @ place) ** 2) for a in shares)
        if across > LYING * down:
            remarks.append("the ones lie on their side: x.transpose(0, 2, 1) of EMNIST's images")
    return [(part - 1 if one_more else part % CLASSES) for part in labels]
