"""Pixels that differ: named rightly and alone; nothing is made up."""

from collections.abc import Callable

import numpy as np
import pytest

from parity.arrays import Array
from parity.readings import pixels
from parity.readings.case import Case
from parity.readings.cause import Cause
from tests.parity.readings.named import NAMES, only

RNG = np.random.default_rng(7)

RAW = np.zeros((40, 12, 12), np.uint8)
RAW[:, 2:10, 3:9] = RNG.integers(0, 256, (40, 8, 6)) * (RNG.random((40, 8, 6)) < 0.7)
RAW[0, 5, 5] = 255
X = RAW.reshape(40, -1).astype(np.float64)


def pixel_causes(a: Array, b: Array) -> list[Cause]:
    return pixels.explain(Case(NAMES, {"images": RAW}, {"pixels": a}, {"pixels": b}))


def of_images(change: Callable[[Array], Array]) -> Array:
    """Images changed one by one, scaled."""
    return np.stack([change(image) for image in RAW]).reshape(40, -1) / 255


MEAN, DEVIATION = X.mean(1, keepdims=True), X.std(1, keepdims=True)
ORDER = RNG.permutation(40)
PIXELS: dict[str, tuple[Array, str, str]] = {
    "raw": (X, "pixel scale", "theirs feeds x (not scaled)"),
    "twice": (X / 255 / 255, "pixel scale", "x / 255 / 255 (scaled twice)"),
    "times": (X * 255, "pixel scale", "multiplied by 255"),
    "another factor": (X / 250, "pixel scale", "theirs feeds 0.004 * x"),
    "x / 256": (X / 256, "pixel scale", "theirs feeds x / 256"),
    "inverted": (1 - X / 255, "inverted pixels", "1 - x / 255"),
    "255 - x": (255 - X, "inverted pixels and pixel scale", "inverted and not scaled"),
    "-1 to 1": (X / 127.5 - 1, "pixel range", "x / 127.5 - 1"),
    "standardised": (
        (X / 255 - 0.1307) / 0.3081,
        "standardisation",
        "theirs feeds (x / 255 - 0.1307) / 0.3081",
    ),
    "wrapped": (
        (1 - RAW).reshape(40, -1) / 255,
        "uint8 wrap-around",
        "convert to float before",
    ),
    "integers": (np.floor(X / 255), "pixels cut to integers", "cut to integers"),
    "two values": (
        (X > 127).astype(float),
        "pixels cut to two values",
        "theirs feeds 1 from level",
    ),
    "gamma": ((X / 255) ** 2.2, "gamma", "theirs feeds (x / 255) ** 2.2"),
    "each image": (
        (X - MEAN) / DEVIATION,
        "standardisation of each image",
        "/ deviation of each image",
    ),
    "each image's sample": (
        (X - MEAN) / X.std(1, keepdims=True, ddof=1),
        "standardisation of each image",
        "/ sample deviation of each image",
    ),
    "each image's epsilon": (
        (X - MEAN) / (DEVIATION + 255e-3),
        "standardisation of each image",
        "(deviation + 0.001)",
    ),
    "each image's inner epsilon": (
        (X / 255 - MEAN / 255) / np.sqrt((DEVIATION / 255) ** 2 + 1e-3),
        "standardisation of each image",
        "sqrt(deviation² + 0.001)",
    ),
    "each image's range": (
        X / X.max(1, keepdims=True),
        "standardisation of each image",
        "x / max",
    ),
    "each pixel": (
        (X - X.mean(0)) / (X.std(0) + 1e-3),
        "standardisation of each pixel",
        "figures of its own",
    ),
    "transposed": (of_images(np.transpose), "turned images", "transposed"),
    "mirrored": (of_images(np.fliplr), "turned images", "mirrored left to right"),
    "turned": (of_images(np.rot90), "turned images", "anticlockwise"),
    "moved": (
        of_images(lambda image: np.roll(image, (1, -2), (0, 1))),
        "turned images",
        "moved by -2 pixels to the right and +1 down",
    ),
    "rolled": (
        of_images(lambda image: np.roll(image, 4, 0)),
        "turned images",
        "rolled by +0 pixels to the right and +4 down",
    ),
    "shuffled": (X[ORDER] / 255, "order of the images", "in another order"),
    "reversed": (X[::-1] / 255, "order of the images", "in reverse"),
    "rotated": (np.roll(X, -3, 0) / 255, "order of the images", "rotated by 3"),
    "float32": (
        X.astype(np.float32) / np.float32(255),
        "float32 rounding",
        "theirs feeds x / 255, in float32",
    ),
    "float32 standardised": (
        ((X.astype(np.float32) / 255 - np.float32(0.13)) / np.float32(0.3)),
        "standardisation and float32 rounding",
        "- 0.13",
    ),
    "transposed and raw": (
        of_images(np.transpose) * 255,
        "pixel scale and turned images",
        "not scaled",
    ),
}


@pytest.mark.parametrize("case", PIXELS)
def test_pixels_are_named(case: str) -> None:
    theirs, name, said = PIXELS[case]
    rounded = "float32" in name
    only(
        pixel_causes(X / 255, theirs.astype(np.float64)),
        name,
        said,
        gap=1e-6 if rounded else 1e-9,
    )


def test_pixels_are_named_on_the_side_that_is_odd_and_in_float32() -> None:
    coarse = X.astype(np.float32)
    found = pixel_causes(1 - coarse / 255, coarse / 255)
    only(found, "inverted pixels", "ours feeds 1 - x / 255", gap=1e-6)


def test_two_standardisations_are_told_apart() -> None:
    found = pixel_causes((X / 255 - 0.13) / 0.31, (X / 255 - 0.1307) / 0.3081)
    only(found, "standardisation", "ours feeds (x / 255 - 0.13) / 0.31", "0.1307")


def test_pixels_of_unknown_origin_are_compared_with_each_other() -> None:
    ours = RNG.random((40, 144))
    turned = ours.reshape(40, 12, 12).transpose(0, 2, 1).reshape(40, -1)
    only(pixel_causes(ours, turned), "turned images", "transposed")
    only(pixel_causes(ours, ours * 3), "pixel scale", "3 times")


def test_pixels_that_agree_or_cannot_be_explained_have_no_cause() -> None:
    assert pixel_causes(X / 255, X / 255) == []
    assert pixel_causes(X / 255, RNG.random(X.shape)) == []
    assert pixel_causes(X / 255, np.full(X.shape, np.nan)) == []
    assert pixel_causes(X / 255, X / 255 + RNG.random(X.shape) * 1e-3) == []
    assert pixel_causes(X / 255, X[:, :50]) == []
