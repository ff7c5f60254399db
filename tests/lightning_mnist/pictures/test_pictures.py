"""Pictures of every kind: the digit is found, what else is there is said, and MNIST's bars hold."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import tests.support.picture_light
import tests.support.picture_marks
import tests.support.picture_paper
import tests.support.picture_pens  # noqa: F401 - they enter their kinds
from lightning_mnist.data.mnist_form import fit_like_mnist
from lightning_mnist.errors import InputError
from lightning_mnist.own_images import Picture, find_picture, read_picture
from lightning_mnist.pictures import file as picture_file
from lightning_mnist.pictures.digit import (
    BROKEN,
    DOTTED,
    FRAME,
    HIDDEN,
    LINES,
    PALER,
    SECOND,
    UNDERLINE,
)
from lightning_mnist.pictures.page import find_page
from lightning_mnist.pictures.pen import filled, joined
from tests.conftest import embedded_digits
from tests.support.pictures import KINDS, Levels, grey, hand_drawn, noise, page
from tests.support.strangers import ENDS, SEGMENTS

WARNED = {
    "lined": LINES,
    "lined_in_black": LINES,
    "lined_and_tilted": LINES,
    "squared_and_tilted": LINES,
    "on_a_line": LINES,
    "black_frame": FRAME,
    "paper_on_a_dark_table": FRAME,
    "turned_paper_on_wood": FRAME,
    "torn_paper": FRAME,
    "box_around": FRAME,
    "box_that_the_digit_touches": FRAME,
    "box_by_hand": FRAME,
    "in_perspective_on_a_table": FRAME,
    "shadow_of_a_pen": PALER,
    "underlined": UNDERLINE,
    "on_newsprint": PALER,
    "hatched": BROKEN,
    "of_dots": BROKEN,
    "on_a_round_plate": FRAME,
}


def read(name: str, strokes: Levels, seed: int, folder: Path) -> Picture:
    """A picture of a kind, saved and read."""
    drawn = KINDS[name](strokes, np.random.default_rng(seed))
    path = folder / f"{name}.{drawn.ending}"
    drawn.picture.save(path, **(drawn.options or {}))
    return read_picture(path)


@pytest.mark.parametrize("name", KINDS)
def test_the_digit_is_found_in_every_kind_of_picture(name: str, tmp_path: Path) -> None:
    """What the network would see is what it would see of the strokes alone."""
    strokes = hand_drawn(5, np.random.default_rng(5))
    found = read(name, strokes, 5, tmp_path)
    alone = find_picture(np.asarray(grey(255 * strokes)))
    assert alone is not None
    seen, ideal = found.pixels > 80, alone.pixels > 80
    near = np.pad(ideal, 1)
    near = np.any([near[y : y + 28, x : x + 28] for y in range(3) for x in range(3)], axis=0)
    assert (seen & near).sum() > 0.9 * seen.sum(), "something else was taken for strokes"
    assert (seen & ideal).sum() > 0.6 * ideal.sum(), "strokes are missing"
    if name in WARNED:
        assert WARNED[name] in found.warnings


@pytest.mark.parametrize("name", ["plain", "inverted", "specks", "low_contrast", "gif", "vignette"])
def test_a_clear_digit_gets_no_warning(name: str, tmp_path: Path) -> None:
    for digit in range(10):
        random = np.random.default_rng(digit)
        assert read(name, hand_drawn(digit, random), digit, tmp_path).warnings == ()


@pytest.mark.parametrize("apart", [130, 150])
@pytest.mark.parametrize("across", [True, False], ids=["side by side", "one above the other"])
def test_a_second_digit_is_never_passed_over(apart: int, across: bool) -> None:
    random = np.random.default_rng(0)
    for digit in range(10):
        first, second = (
            np.roll(hand_drawn(number, random, height=90), shift, axis=int(across))
            for number, shift in ((digit, -apart // 2), (3, apart // 2))
        )
        found = find_picture(np.asarray(grey(page(np.maximum(first, second)))))
        assert found is not None
        assert SECOND in found.warnings
        assert found.doubtful


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_second_digit_at_the_border_is_said_and_the_rest_of_one_is_not(side: str) -> None:
    random = np.random.default_rng(0)
    for digit in range(10):
        strokes = hand_drawn(digit, random, height=110)
        other = hand_drawn(2, random, height=110)
        left = int(np.flatnonzero(other.any(axis=0))[0])
        for cut, said in ((0, True), (55, False)):
            second = np.roll(other, -left, axis=1)
            second = np.pad(second[:, cut:], ((0, 0), (0, cut)))
            second[:, 110:] = 0
            both = np.maximum(np.roll(strokes, 60, axis=1), second)
            seen = both if side == "left" else both[:, ::-1]
            found = find_picture(np.asarray(grey(page(seen))))
            assert found is not None
            assert (SECOND in found.warnings) == said


def test_paler_marks_are_left_out_only_where_there_are_two_inks() -> None:
    """Pencil of many shades, and soft edges, are one ink."""
    random = np.random.default_rng(0)
    for digit in range(10):
        strokes = hand_drawn(digit, random)
        shades = page(strokes * np.clip(0.75 + noise(random, 0.2, 0.8), 0, 1), 225, 60)
        soft = cv2.GaussianBlur(page(strokes), (0, 0), 4)
        for levels in (shades, np.asarray(soft, np.float64), page(strokes)):
            found = find_picture(np.asarray(grey(levels)))
            assert found is not None
            assert PALER not in found.warnings


def dotted(strokes: Levels, *dots: tuple[int, int]) -> Picture:
    """Strokes of a pen, and round dots of it at columns and rows."""
    image = np.asarray(255 * strokes, np.uint8)
    for dot in dots:
        cv2.circle(image, dot, 12, 255, -1, cv2.LINE_AA)
    found = find_picture(np.asarray(grey(page(image / 255))))
    assert found is not None
    return found


def test_a_dot_above_or_below_makes_another_sign_of_it() -> None:
    """As in i, ! and ?, which are a 1 or a 7 without it."""
    for digit in (1, 7):
        strokes = hand_drawn(digit, np.random.default_rng(0))
        rows, columns = np.nonzero(strokes > 0.3)
        leaning = int(columns.min()) - 3
        for column in (int(columns.mean()), leaning):
            for row in (int(rows.max()) + 28, int(rows.min()) - 28):
                found = dotted(strokes, (column, row))
                assert DOTTED in found.warnings
                assert found.doubtful


def test_a_full_stop_a_dotted_zero_and_a_dirty_sheet_are_no_sign() -> None:
    seven, zero = (hand_drawn(digit, np.random.default_rng(0)) for digit in (7, 0))
    rows, columns = np.nonzero(seven > 0.3)
    stop = (int(columns.max()) + 10, int(rows.max()) - 12)
    assert DOTTED not in dotted(seven, stop).warnings
    down, across = np.nonzero(zero > 0.3)
    inside = (int(across.mean()), int(down.mean()))
    assert DOTTED not in dotted(zero, inside).warnings
    below = (int(columns.mean()), int(rows.max()) + 28)
    spots = [(20, 20), (300, 20), (20, 300), (300, 300)]
    assert DOTTED not in dotted(seven, below, *spots).warnings


def test_the_foot_of_a_1_is_no_line_under_it() -> None:
    levels = page(hand_drawn(1, np.random.default_rng(0)))
    rows, columns = np.nonzero(levels < 100)
    foot = (int(columns[rows.argmax()]), int(rows.max()) - 6)
    cv2.line(levels, (foot[0] - 35, foot[1]), (foot[0] + 35, foot[1]), 40, 13)
    found = find_picture(np.asarray(grey(levels)))
    assert found is not None
    assert found.warnings == ()
    assert (found.pixels[22:25] > 128).any(axis=0).sum() > 8


@pytest.mark.parametrize("angle", range(0, 360, 30))
def test_the_edge_of_a_shadow_through_the_digit_is_no_edge_of_a_sheet(angle: int) -> None:
    y, x = np.mgrid[-160:160, -160:160]
    lit = np.cos(np.radians(angle)) * x + np.sin(np.radians(angle)) * y > 0
    strokes = hand_drawn(5, np.random.default_rng(5))
    alone = find_picture(np.asarray(grey(page(strokes))))
    found = find_picture(np.asarray(grey(page(strokes) * np.where(lit, 1, 0.5))))
    assert alone is not None
    assert found is not None
    assert np.abs(found.pixels.astype(int) - alone.pixels).mean() < 12


def test_strokes_that_hardly_stand_out_are_said_to() -> None:
    random = np.random.default_rng(0)
    strokes = hand_drawn(2, random, width=0.05)
    grain = random.normal(0, 45, strokes.shape)
    found = find_picture(np.asarray(grey(page(strokes, 150, 130) + grain)))
    assert found is None or HIDDEN in found.warnings


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (300, 2), (5, 5)], ids=str)
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "I;16", "F", "1", "P"])
def test_odd_sizes_are_read_or_refused(size: tuple[int, int], mode: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.tiff"
    Image.new(mode, size).save(path)
    with pytest.raises(InputError, match="no ink"):
        read_picture(path)


def test_heic_is_read_or_its_reader_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "phone.heic"
    path.write_bytes(b"no picture")
    with monkeypatch.context() as patched:
        patched.setattr(picture_file, "find_spec", lambda name: None)
        with pytest.raises(InputError, match=r"phone.heic: .* pip install pillow-heif"):
            read_picture(path)
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    strokes = hand_drawn(4, np.random.default_rng(4))
    grey(page(strokes)).convert("RGB").save(path)
    assert read_picture(path).pixels.max() == 255


def test_what_is_in_mnists_form_keeps_every_bit(mnist_like: np.ndarray) -> None:
    for image in mnist_like:
        found = find_picture(image)
        assert found is not None
        np.testing.assert_array_equal(found.pixels, fit_like_mnist(image))


@pytest.fixture(scope="module")
def mnist_like() -> np.ndarray:
    """Embedded digits, 28 by 28."""
    return embedded_digits().test_images[:60]


@pytest.mark.parametrize("shape", ["zero", "ring", "squares", "crossing"])
def test_what_is_enclosed_by_anything_but_an_outline_is_not_filled(shape: str) -> None:
    mask = np.zeros((200, 200), np.uint8)
    if shape == "zero":  # narrow, and upright
        cv2.ellipse(mask, (100, 100), (16, 80), 0, 0, 360, 1, 5)
    elif shape == "ring":  # a 1 in it leaves a strip on both sides
        cv2.ellipse(mask, (100, 100), (30, 90), 0, 0, 360, 1, 4)
        cv2.line(mask, (100, 40), (100, 160), 1, 8)
    elif shape == "crossing":  # two bows, thicker than what they enclose
        cv2.ellipse(mask, (80, 100), (30, 60), 0, -85, 85, 1, 20)
        cv2.ellipse(mask, (60, 100), (22, 60), 0, -85, 85, 1, 20)
    else:
        mask[::25] = mask[:, ::25] = 1
        cv2.line(mask, (60, 60), (110, 110), 1, 9)
    assert not filled(mask, mask * np.float32(200), 200).any()


@pytest.mark.parametrize("text", ["3141", "27"])
def test_digits_in_a_row_are_no_broken_stroke(text: str) -> None:
    mask = np.zeros((200, 320), np.uint8)
    cv2.putText(mask, text, (20, 140), cv2.FONT_HERSHEY_SIMPLEX, 3, 1, 8)
    assert joined(mask) is None


@pytest.mark.parametrize("digit", [0, 2, 3, 4, 5, 6, 7, 8, 9])
@pytest.mark.parametrize("apart", [3, 8])
def test_the_segments_of_a_display_are_one_digit(digit: int, apart: int) -> None:
    mask = np.zeros((320, 240), np.uint8)
    for name in SEGMENTS[digit]:
        start, end = np.reshape(ENDS[name], (2, 2)) * 110 + (65, 50)
        way = (end - start) // 110
        first, last, side = start + apart * way, end - apart * way, way[::-1]
        corners = [
            first, first + 9 * (way + side), last - 9 * (way - side),
            last, last - 9 * (way + side), first + 9 * (way - side),
        ]  # fmt: skip
        cv2.fillPoly(mask, [np.array(corners, np.int32)], 1)
    found = find_picture(np.asarray(grey(page(mask.astype(np.float64)))))
    assert found is not None
    assert SECOND not in found.warnings
    height = np.ptp(np.flatnonzero(mask.any(axis=1)))
    assert found.cutout.shape[0] == pytest.approx(height, abs=8), "segments are missing"


@pytest.mark.parametrize("digit", [0, 3])
def test_a_stencil_cuts_a_digit_and_not_two(digit: int) -> None:
    strokes = hand_drawn(digit, np.random.default_rng(0), width=0.2)
    middle = int(np.flatnonzero(strokes.any(axis=0)).mean())
    strokes[:, middle - 4 : middle + 4] = 0
    found = find_picture(np.asarray(grey(page(strokes))))
    assert found is not None
    assert found.warnings == ()
    assert found.cutout.shape[1] > 60


@pytest.mark.parametrize("digit", [0, 6, 8, 9])
def test_a_bold_digit_is_no_sheet(digit: int) -> None:
    for width in (0.15, 0.22, 0.28):
        strokes = hand_drawn(digit, np.random.default_rng(1), height=200, width=width)
        for levels in (page(strokes), 255 - page(strokes)):
            assert find_page(np.asarray(grey(levels))) is None
