"""Fingerprints of images: every known change of the pixels is named, and nothing else is."""

import re
from collections.abc import Callable
from functools import cache
from typing import Literal

import numpy as np
import pytest
import torch

from lightning_mnist.preprocessing import Preprocessing
from parity.watch.fingerprint import GRID, SAMPLE, Fingerprint, intended, sample
from parity.watch.pixels.change import change
from parity.watch.pixels.warp import blurred
from tests.conftest import embedded_digits, mostly_slow

DIGITS = embedded_digits()
EXPECTED = (DIGITS.train_images / 255).astype(np.float32)
OTHERS = (DIGITS.test_images / 255).astype(np.float32)
"""Images of the same kind that are no training images."""

Images = np.ndarray
Change = Callable[[Images], Images]


def thick(x: Images) -> Images:
    """A pen that is a pixel wider on each side."""
    near = [np.roll(x, (r, c), axis=(1, 2)) for r in (-1, 0, 1) for c in (-1, 0, 1)]
    return np.asarray(np.max(near, axis=0))


def half_size(x: Images) -> Images:
    small = x.reshape(len(x), 14, 2, 14, 2).mean(axis=(2, 4))
    return np.pad(small, ((0, 0), (7, 7), (7, 7)))


def enlarged(x: Images) -> Images:
    near = 5 + np.arange(28) * 18 // 28  # the middle 18 pixels, stretched
    return x[:, near][:, :, near]


def one_nan(x: Images) -> Images:
    x = x.copy()
    x[:, 14, 14] = np.nan
    return x


def wrapped(x: Images) -> Images:
    """``1 - x``, in uint8, then scaled."""
    return (1 - (x * 255).round().astype(np.uint8)) / 255


# What is done to images float [N, 28, 28] in [0, 1], and what it must be called: the whole of it.
GREY_LEVELS: dict[str, tuple[Change, str]] = {
    "raw": (lambda x: x * 255, "were not scaled"),
    "scaled twice": (lambda x: x / 255, "were scaled twice"),
    "1 - x": (lambda x: 1 - x, "were inverted: ink and paper have changed places"),
    "255 - x": (lambda x: 255 - x * 255, "were inverted and not scaled"),
    "1 - x / 255 / 255": (lambda x: 1 - x / 255, "were inverted and scaled twice"),
    "(255 - x) / 255 / 255": (lambda x: (1 - x) / 255, "were inverted and scaled twice"),
    "x * 255": (lambda x: x * 255**2, "were multiplied by 255 instead of divided"),
    "1 - x * 255": (lambda x: 1 - x * 255**2, "were inverted and multiplied by 255"),
    "-1 to 1": (lambda x: 2 * x - 1, "were scaled to -1 to 1"),
    "1 to -1": (lambda x: 1 - 2 * x, "were inverted and scaled to -1 to 1"),
    "standardised": (
        lambda x: (x - 0.13) / 0.31,
        r"were standardised differently: 3\.2\d x -0\.4\d+",
    ),
    "inverted and standardised": (
        lambda x: (1 - x - 0.87) / 0.31,
        r"were inverted and standardised differently: -3\.2\d x \+0\.4\d+",
    ),
    "half contrast": (lambda x: x / 2, r"were scaled by 0\.(49\d|50\d|5)"),
    "half contrast and inverted": (
        lambda x: 1 - x / 2,
        r"were inverted and scaled by 0\.(49\d|50\d|5) and moved by \+1",
    ),
    "brighter": (lambda x: x + 0.5, r"were scaled by (1|1\.01) and moved by \+0\.5"),
    "cut to integers": (np.floor, "were cut to integers: a few values are left"),
    "wrapped uint8": (
        wrapped,
        "wrapped around in uint8: ink and grey have changed places",
    ),
    "black": (np.zeros_like, "are blank: every pixel has the same value"),
    "white": (np.ones_like, "are blank: every pixel has the same value"),
    "NaN": (one_nan, r"hold values that are not finite \(0\.13%\)"),
    "nothing but NaN": (lambda x: x * np.nan, r"hold values that are not finite \(100\.00%\)"),
    "infinite": (
        lambda x: np.where(x > 0.99, np.inf, x),
        r"hold values that are not finite \(\d\.\d+%\)",
    ),
}
PLACES: dict[str, tuple[Change, str]] = {
    "half size": (half_size, r"show smaller digits: 0\.(49|5\d) times the size"),
    "enlarged": (
        enlarged,
        r"(.*nearest that is known: they .*)?show larger digits.*",
    ),
    "3 pixels to the right": (
        lambda x: np.roll(x, 3, axis=2),
        r"were moved by \+[23]\.\d pixels to the right and [+-]0\.\d down",
    ),
    "3 pixels up": (
        lambda x: np.roll(x, -3, axis=1),
        r"were moved by [+-]0\.\d pixels to the right and -[23]\.\d down",
    ),
    "transposed": (lambda x: x.transpose(0, 2, 1), "were transposed"),
    "mirrored": (lambda x: x[:, :, ::-1], "were mirrored left to right"),
    "upside down": (lambda x: x[:, ::-1], "were turned upside down"),
    "turned by 180": (
        lambda x: np.rot90(x, 2, axes=(1, 2)),
        "were turned by 180 degrees",
    ),
    "turned by 90 to the left": (
        lambda x: np.rot90(x, axes=(1, 2)),
        "were turned by 90 degrees anticlockwise",
    ),
    "turned by 90 to the right": (
        lambda x: np.rot90(x, -1, axes=(1, 2)),
        "were turned by 90 degrees clockwise",
    ),
}
CHANGES = GREY_LEVELS | PLACES


@cache
def said_of(name: str) -> str:
    do, _ = CHANGES[name]
    return str(change(Fingerprint.of(EXPECTED), Fingerprint.of(do(OTHERS))))


FAST = (
    "raw", "scaled twice", "1 - x", "255 - x", "-1 to 1", "standardised", "black", "NaN",
    "half size", "transposed",
)  # fmt: skip


@pytest.mark.parametrize("name", mostly_slow(CHANGES, *FAST))
def test_every_change_is_named(name: str) -> None:
    assert re.fullmatch(CHANGES[name][1], said_of(name)), said_of(name)


@pytest.mark.parametrize("name", mostly_slow(CHANGES, "1 - x", "mirrored", "cut to integers"))
def test_every_change_of_the_same_images_is_named(name: str) -> None:
    do, words = CHANGES[name]
    named = change(Fingerprint.of(EXPECTED), Fingerprint.of(do(EXPECTED)))
    assert named is not None
    assert re.fullmatch(words, str(named)), str(named)


COMPOSED: dict[str, tuple[Change, str]] = {
    "inverted and cut to two levels": (
        lambda x: 1.0 - (x > 0.5), "were inverted and were cut to two levels",
    ),
    "a thicker pen": (lambda x: thick(x), "show thicker strokes"),
    "a thicker pen, moved": (
        lambda x: np.roll(thick(x), (-3, -3), axis=(1, 2)),
        r"were moved by -[23]\.\d pixels .* and -[23]\.\d down and show thicker strokes",
    ),
    "moved by (4, 4)": (
        lambda x: np.roll(x, (4, 4), axis=(1, 2)),
        r"were moved by \+[34]\.\d pixels to the right and \+[34]\.\d down",
    ),
    "blurred": (lambda x: blurred(x, 1.5), "were blurred"),
    "inverted and blurred": (lambda x: 1 - blurred(x, 1.5), "were inverted and were blurred"),
    "noisy": (
        lambda x: (x + np.random.default_rng(3).normal(0, 0.2, x.shape)).clip(0, 1),
        "were made noisy",
    ),
    "inverted and upside down": (
        lambda x: 1 - x[:, ::-1], "were inverted and were turned upside down",
    ),
    "specks": (
        lambda x: np.where(np.random.default_rng(3).random(x.shape) < 0.04, 1.0, x),
        "were speckled|were made noisy",
    ),
    "a frame": (
        lambda x: np.pad(x[:, 3:-3, 3:-3], ((0, 0), (3, 3), (3, 3)), constant_values=1),
        "have a frame around them, 3 pixels wide",
    ),
    "nothing but noise": (
        lambda x: np.random.default_rng(3).random(x.shape),
        "differ, and I do not know how it came about: .*",
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPOSED)
def test_what_is_composed_is_named_whole_or_not_at_all(name: str) -> None:
    do, words = COMPOSED[name]
    named = change(Fingerprint.of(EXPECTED), Fingerprint.of(do(OTHERS)))
    assert named is not None
    assert re.fullmatch(words, str(named)), str(named)


@pytest.mark.slow
def test_no_two_changes_share_a_name() -> None:
    """But for two ways of scaling inverted pixels twice, and two kinds of blank."""
    assert len({said_of(name) for name in CHANGES}) == len(CHANGES) - 2


@pytest.mark.parametrize(
    ("count", "draws"), mostly_slow([(100, 10), (100, 50), (500, 50)], (100, 10))
)
def test_other_images_of_the_same_kind_are_no_change(count: int, draws: int) -> None:
    rng = np.random.default_rng(count)
    every = np.concatenate([EXPECTED, OTHERS])
    whole = Fingerprint.of(EXPECTED)
    for _ in range(draws):
        order = rng.permutation(len(every))
        first, second = (Fingerprint.of(every[ids]) for ids in np.split(order[: 2 * count], 2))
        assert change(first, second) is None
        assert change(whole, first) is None


@pytest.mark.parametrize("digit", mostly_slow(range(10), 0, 1, 8))
def test_the_images_of_one_digit_are_no_change(digit: int) -> None:
    """Other ink in other places, and yet neither turned nor moved."""
    whole = Fingerprint.of(EXPECTED)
    one = Fingerprint.of(OTHERS[DIGITS.test_labels == digit])
    assert change(whole, one) is None


def one_by_one(x: Images) -> Images:
    """Each image standardised by its own mean and deviation: the extremes are by chance."""
    x = x - x.mean(axis=(1, 2), keepdims=True)
    return np.asarray(x / x.std(axis=(1, 2), keepdims=True))


@pytest.mark.slow
def test_images_that_are_standardised_one_by_one_are_no_change_among_themselves() -> None:
    rng = np.random.default_rng(0)
    every = one_by_one(np.concatenate([EXPECTED, OTHERS]))
    for _ in range(50):
        first, second = np.split(rng.permutation(len(every))[:400], 2)
        assert change(Fingerprint.of(every[first]), Fingerprint.of(every[second])) is None


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (one_by_one(1 - OTHERS), "were inverted"),
        (one_by_one(OTHERS) * 255, "were not scaled"),
        (one_by_one(OTHERS.transpose(0, 2, 1)), "were transposed"),
    ],
    ids=["1 - x", "255 x", "transposed"],
)
def test_changes_of_images_that_are_standardised_one_by_one_are_named(
    seen: Images, said: str
) -> None:
    """Also those that leave the mean and the deviation as they are."""
    named = change(Fingerprint.of(one_by_one(EXPECTED)), Fingerprint.of(seen))
    assert named is not None
    assert str(named).startswith(said), str(named)


@pytest.mark.parametrize("do", [lambda x: x / 255, lambda x: x], ids=["x / 255", "x"])
def test_standardised_one_by_one_is_another_thing_than_what_was_not(do: Change) -> None:
    scaled, standardised = Fingerprint.of(do(EXPECTED)), Fingerprint.of(one_by_one(OTHERS))
    assert change(scaled, standardised) is not None
    assert change(standardised, scaled) is not None


@pytest.mark.parametrize("pairs", mostly_slow([5, 20], 5))
def test_images_without_contrast_are_not_inverted_by_chance(pairs: int) -> None:
    """Noise, whose mean is as far above its paper as below it."""
    rng = np.random.default_rng(0)
    noise = rng.random((pairs, 2, 100, 28, 28))
    said = {str(change(*map(Fingerprint.of, pair))) for pair in noise}
    assert not [words for words in said if "inverted" in words]


def test_the_figures_of_a_known_image() -> None:
    image = np.full((1, 14, 14), 10, np.uint8)
    image[0, 4:6, 2:4] = 250  # one block of 2 x 2 pixels: third row, second column
    image[0, 1, 8] = 100
    figures = Fingerprint.of(image)
    assert figures.dtype == "uint8"
    assert (figures.minimum, figures.maximum, figures.border) == (10, 250, 10)
    assert (figures.levels, figures.finite) == (3, 1)
    assert figures.ink == pytest.approx(4 / 196)  # 100 is nearer to the paper
    assert figures.mean == pytest.approx(image.mean())
    assert figures.deviation == pytest.approx(image.std())
    layout = np.full((GRID, GRID), 10.0)
    layout[2, 1], layout[0, 4] = 250, (3 * 10 + 100) / 4
    np.testing.assert_allclose(np.reshape(figures.layout, (GRID, GRID)), layout)
    assert figures.describe() == "10 to 250, mean 15.4, paper 10"


def test_ink_is_what_is_far_from_the_paper_be_it_dark_or_light() -> None:
    dark, light = Fingerprint.of(OTHERS), Fingerprint.of(1 - OTHERS)
    assert dark.ink == pytest.approx(light.ink, abs=1e-3)
    assert 0.05 < dark.ink < 0.3
    assert Fingerprint.of(np.ones((1, 7, 7))).ink == 0


def test_values_that_are_not_finite_are_left_out_of_the_other_figures() -> None:
    figures = Fingerprint.of(one_nan(OTHERS))
    assert figures.finite == pytest.approx(1 - 1 / 784)
    assert (figures.minimum, figures.maximum) == (0, 1)
    assert np.isfinite([figures.mean, figures.deviation, *figures.layout]).all()


@pytest.mark.parametrize("size", [7, 10, 64])
def test_the_size_of_the_images_does_not_matter(size: int) -> None:
    nearest = np.arange(size) * 28 // size
    resized = EXPECTED[:, nearest][:, :, nearest]
    figures = Fingerprint.of(resized)
    assert len(figures.layout) == GRID**2
    assert figures.mean == pytest.approx(Fingerprint.of(EXPECTED).mean, abs=0.03)
    assert str(change(figures, Fingerprint.of(1 - resized))) == (
        "were inverted: ink and paper have changed places"
    )


def test_blank_expectations_tell_nothing() -> None:
    blank = Fingerprint.of(np.zeros_like(OTHERS))
    assert change(blank, Fingerprint.of(OTHERS)) is None
    assert change(blank, blank) is None


@pytest.mark.parametrize("drawing", ["chessboard", "dot"])
def test_images_whose_ink_has_no_extent_are_compared_all_the_same(drawing: str) -> None:
    """Even over all blocks, or within a single one: there is no radius to divide by."""
    image = np.indices((28, 28)).sum(axis=0) % 2 * 1.0
    if drawing == "dot":
        image = np.pad(np.ones((4, 4)), 12)
    images = np.stack([image] * 3)
    assert change(Fingerprint.of(images), Fingerprint.of(images)) is None
    named = change(Fingerprint.of(images), Fingerprint.of(images * 255))
    assert str(named) == "were not scaled"


@pytest.mark.parametrize(
    "shape", [(28, 28), (0, 28, 28), (5, 28, 28, 1), (5, 6, 28), (5, 28, 6), (5, 784)], ids=str
)
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=re.escape(f"images of shape {shape}; expected [N, H, W]")):
        Fingerprint.of(np.zeros(shape))


def test_the_smallest_images_that_are_accepted() -> None:
    assert len(Fingerprint.of(np.eye(GRID)[None]).layout) == GRID**2


@pytest.mark.parametrize(("count", "most"), [(1000, 256), (257, 256), (60_000, 256), (11, 3)])
def test_a_sample_is_evenly_spaced_from_the_first_to_the_last(count: int, most: int) -> None:
    ids = sample(count, most)
    assert len(ids) == most
    assert (ids[0], ids[-1]) == (0, count - 1)
    gaps = np.diff(ids)
    assert gaps.min() >= 1
    assert gaps.max() - gaps.min() <= 1


@pytest.mark.parametrize("count", [1, 2, 100, 256])
def test_a_sample_of_few_images_is_all_of_them(count: int) -> None:
    assert sample(count).tolist() == list(range(count))


def test_only_the_sample_is_looked_at() -> None:
    images = np.zeros((10 * SAMPLE, 7, 7))
    ids = sample(len(images))
    assert len(ids) == SAMPLE
    images[np.setdiff1d(np.arange(len(images)), ids)] = 5
    assert Fingerprint.of(images).maximum == 0
    images[ids[-1], 3, 3] = 1
    assert Fingerprint.of(images).maximum == 1


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("standardize", ["none", "dataset", "image"])
def test_what_a_recipe_intends_is_what_the_network_is_fed(
    invert: bool, standardize: Literal["none", "dataset", "image"]
) -> None:
    """Against the real preprocessing, which must be told from a wrong one by this."""
    images = torch.from_numpy(DIGITS.train_images[:60])
    preprocessing = Preprocessing(invert=invert, standardize=standardize)
    preprocessing.fit(images)
    fed = preprocessing(images).view(-1, 28, 28).numpy()
    expected = intended(images.numpy(), preprocessing.describe())
    np.testing.assert_allclose(expected, fed, atol=2e-3)
    assert change(Fingerprint.of(expected), Fingerprint.of(fed)) is None
