"""Own pictures: whatever the size, polarity, format or place, the network sees an MNIST digit."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from lightning_mnist.data import sources
from lightning_mnist.data.mnist_form import fit_like_mnist
from lightning_mnist.errors import InputError
from lightning_mnist.own_images import find_picture, read_digit
from lightning_mnist.pictures.digit import SOFT
from lightning_mnist.pictures.paper import ink_of
from lightning_mnist.pictures.pen import softer_than_strokes
from tests.support.pictures import SIDE, grey, hand_drawn, page


def a_seven(side: int = 200, width: int = 18) -> Image.Image:
    """A seven drawn in black on white, off-centre."""
    picture = Image.new("L", (side, side), 255)
    points = [(0.45, 0.35), (0.8, 0.35), (0.6, 0.85)]
    ImageDraw.Draw(picture).line([(x * side, y * side) for x, y in points], fill=0, width=width)
    return picture


@pytest.fixture
def seven(tmp_path: Path) -> np.ndarray:
    """The seven in MNIST's form."""
    path = tmp_path / "reference.png"
    a_seven().save(path)
    return read_digit(path)


def assert_close(image: np.ndarray, reference: np.ndarray, tolerance: float = 6) -> None:
    assert image.shape == (28, 28)
    assert image.dtype == np.uint8
    assert np.abs(image.astype(float) - reference).mean() < tolerance


def test_the_digit_fits_20_pixels_with_its_mass_in_the_centre(seven: np.ndarray) -> None:
    rows, columns = np.nonzero(seven)
    assert np.ptp(rows) + 1 == 20
    assert np.ptp(columns) + 1 < 20  # proportions kept
    assert seven.max() == 255
    weights = seven / seven.sum()
    assert abs(weights.sum(axis=1) @ np.arange(28) - 14) <= 0.5
    assert abs(weights.sum(axis=0) @ np.arange(28) - 14) <= 0.5


def test_what_is_in_mnists_form_comes_back_to_the_last_bit() -> None:
    seven = np.zeros((20, 12), np.uint8)
    seven[:3] = seven[:, 9:] = 255
    moved = np.zeros((28, 28), np.uint8)
    moved[1:21, 9:21] = seven
    fitted = fit_like_mnist(moved)
    rows, columns = np.nonzero(fitted)
    np.testing.assert_array_equal(
        fitted[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1], seven
    )
    np.testing.assert_array_equal(fit_like_mnist(fitted), fitted)


def test_polarity_size_and_place_make_no_difference(seven: np.ndarray, tmp_path: Path) -> None:
    black = a_seven()
    white = Image.eval(black, lambda level: 255 - level)
    faint = Image.eval(black, lambda level: 120 + level // 4)
    wide = Image.new("L", (640, 300), 255)
    wide.paste(black, (400, 80))
    large = a_seven(side=1600, width=144)
    for picture in (black, white, faint, wide, large):
        path = tmp_path / "seven.png"
        picture.save(path)
        assert_close(read_digit(path), seven)


@pytest.mark.parametrize(
    ("mode", "ending"),
    [
        *((mode, "png") for mode in ("L", "RGB", "RGBA", "P", "1", "LA", "I;16")),
        *((mode, "jpg") for mode in ("L", "RGB", "CMYK")),
    ],
)
def test_every_kind_of_picture(mode: str, ending: str, seven: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / f"seven.{ending}"
    if mode == "I;16":
        levels = np.asarray(a_seven()).astype(np.uint16) * 257
        Image.fromarray(levels).save(path)
    else:
        a_seven().convert(mode).save(path)
    assert_close(read_digit(path), seven)


@pytest.mark.parametrize("ink", [0, 255])
def test_a_transparent_background_contrasts_with_the_ink(
    ink: int, seven: np.ndarray, tmp_path: Path
) -> None:
    alpha = Image.eval(a_seven(), lambda level: 255 - level)
    picture = Image.new("LA", alpha.size, (ink, 0))
    picture.putalpha(alpha)
    path = tmp_path / "seven.png"
    picture.save(path)
    assert_close(read_digit(path), seven)


def test_grainy_paper_is_not_ink(seven: np.ndarray, tmp_path: Path) -> None:
    grain = np.random.default_rng(0).normal(0, 6, (200, 200))
    grey = np.clip(np.asarray(a_seven()) * 0.7 + 40 + grain, 0, 255).astype(np.uint8)
    path = tmp_path / "photo.png"
    Image.fromarray(grey).save(path)
    assert_close(read_digit(path), seven)


def test_a_rotated_photo_is_read_upright(seven: np.ndarray, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees
    path = tmp_path / "phone.jpg"
    a_seven().rotate(90).save(path, exif=exif)
    assert_close(read_digit(path), seven)


def test_the_paper_is_what_most_of_the_border_shows() -> None:
    grey = np.full((50, 50), 200, np.uint8)
    grey[:, 20:28] = 10  # a stroke that crosses the border
    assert np.array_equal(ink_of(grey) > 0, grey == 10)


@pytest.mark.parametrize("digit", range(0, 10, 3))
def test_a_lamp_that_a_board_reflects_is_neither_ink_nor_grain(digit: int) -> None:
    strokes = hand_drawn(digit, np.random.default_rng(digit), height=90, width=0.05)
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    lamp = 60 * np.exp(-10 * ((x - 0.3) ** 2 + (y - 0.3) ** 2))
    found = find_picture(np.asarray(grey(page(strokes, 216 + 16 * x, 90) + lamp)))
    assert found is not None
    assert found.warnings == ()


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_picture_without_ink_is_refused(level: int, tmp_path: Path) -> None:
    path = tmp_path / "empty.png"
    Image.new("L", (50, 40), level).save(path)
    with pytest.raises(InputError, match="empty.png: no ink"):
        read_digit(path)


def test_a_picture_without_pixels_or_sense_is_refused(tmp_path: Path) -> None:
    one_pixel, text, cut = (tmp_path / name for name in ("one.png", "text.png", "cut.jpg"))
    Image.new("L", (1, 1), 0).save(one_pixel)
    text.write_text("not a picture")
    a_seven().save(cut)
    cut.write_bytes(cut.read_bytes()[:400])
    for path, said in (
        (one_pixel, "no ink"),
        (text, "cannot be read as a picture"),
        (cut, "cannot be read as a picture"),
        (tmp_path / "gone.png", "no such file"),
        (tmp_path, "no such file"),
    ):
        with pytest.raises(InputError, match=f"{path.name}: {said}"):
            read_digit(path)


@pytest.mark.slow
def test_mnist_survives_the_treatment_of_own_images(mnist_root: Path) -> None:
    """The same crop, size and centre as MNIST's makers chose: most images come back whole."""
    images = sources.load("mnist", mnist_root).test_images[:2000]
    inks = [np.clip(np.round(ink_of(image)), 0, 255).astype(np.uint8) for image in images]
    fitted = np.stack([fit_like_mnist(ink) for ink in inks])
    assert (fitted == images).all(axis=(1, 2)).mean() > 0.7
    assert np.abs(fitted.astype(float) - images).mean() < 2.5


@pytest.mark.parametrize("digit", range(10))
def test_a_printed_box_that_is_lighter_than_the_digit_is_none_of_its_strokes(digit: int) -> None:
    levels = page(hand_drawn(digit, np.random.default_rng(digit)))
    alone = find_picture(np.asarray(grey(levels)))
    cv2.rectangle(levels, (50, 50), (270, 270), 60, 1)
    found = find_picture(np.asarray(grey(levels)))
    assert alone is not None
    assert found is not None
    assert np.abs(found.pixels.astype(int) - alone.pixels).mean() < 2


@pytest.mark.parametrize("blur", [0, 4, 10])
def test_a_blurred_digit_is_sharper_than_a_shadow(blur: int) -> None:
    for digit in range(10):
        strokes = hand_drawn(digit, np.random.default_rng(digit))
        levels = cv2.GaussianBlur(page(strokes), (0, 0), blur) if blur else page(strokes)
        found = find_picture(np.asarray(grey(np.asarray(levels, np.float64))))
        assert found is not None
        assert SOFT not in found.warnings


@pytest.mark.parametrize("side", ["left", "bottom"])
def test_a_shadow_is_said_to_be_none_of_a_pen(side: str) -> None:
    y, x = np.mgrid[0:320, 0:320] / 320
    into, along = (x, y) if side == "left" else (1 - y, x)
    dark = np.clip(1 - into / 0.35, 0, 1) * np.exp(-(((along - 0.5) / 0.25) ** 2))
    assert softer_than_strokes(np.asarray(200 * dark, np.float32))
    shadow = grey(page(dark, 230, 120))
    found = find_picture(np.asarray(shadow))
    assert found is None or found.doubtful
