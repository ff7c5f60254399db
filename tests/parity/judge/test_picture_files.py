"""Pictures are measured before they are decoded."""

import os
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFile

from lightning_mnist.errors import InputError
from lightning_mnist.own_images import read_picture
from parity.files import shown
from parity.picture_files import SHRUNK, open_picture
from tests.conftest import mostly_slow


def drawn(width: int, height: int, mode: str = "L") -> Image.Image:
    picture = Image.new("L", (width, height), 255)
    line = (width * 0.5, height * 0.2, width * 0.5, height * 0.8)
    ImageDraw.Draw(picture).line(line, fill=0, width=max(1, min(width, height) // 12))
    return picture.convert(mode)


@pytest.mark.parametrize(
    ("size", "said"),
    [((10_000, 7_000), "10,000 x 7,000 pixels"), ((178_000_000, 1), "178,000,000 x 1 pixels")],
)
def test_too_many_pixels_are_refused_before_they_are_decoded(
    size: tuple[int, int], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("1", size).save(tmp_path / "large.tif")
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(InputError, match=said):
        read_picture(tmp_path / "large.tif")


@pytest.mark.parametrize(
    ("mode", "ending"),
    mostly_slow(
        [("L", "png"), ("P", "png"), ("1", "png"), ("LA", "png"), ("I;16", "png"), ("RGB", "jpg")],
        ("P", "png"),
        ("RGB", "jpg"),
    ),
)
def test_large_pictures_are_shrunk_and_read(mode: str, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"large.{ending}"
    picture = drawn(4500, 4500, "L" if mode == "I;16" else mode)
    (picture.convert("I;16") if mode == "I;16" else picture).save(path)
    with open_picture(path) as opened:
        assert opened.width * opened.height <= SHRUNK
    drawn(450, 450).save(tmp_path / "small.png")
    small = read_picture(tmp_path / "small.png").pixels.astype(int)
    assert abs(read_picture(path).pixels - small).mean() < 5


def test_what_is_no_picture_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "empty.png").touch()
    (tmp_path / "program.eps").write_text("%!PS-Adobe-3.0\n%%BoundingBox: 0 0 9 9\nshowpage")
    for name in ("pipe.png", "empty.png", "program.eps", "."):
        with pytest.raises(InputError):
            read_picture(tmp_path / name)


@pytest.mark.parametrize("size", [(60_000, 1), (1, 60_000), (60_000, 40)])
def test_a_thin_picture_is_a_picture(size: tuple[int, int], tmp_path: Path) -> None:
    Image.new("L", size, 255).save(tmp_path / "thin.png")
    with pytest.raises(InputError, match="no ink"):
        read_picture(tmp_path / "thin.png")


def test_names_that_are_no_text_can_be_shown() -> None:
    assert shown(Path(os.fsdecode(b"d\xe9.png"))) == "d\\xe9.png"
    assert shown(Path("ok [x].png")) == "ok [x].png"
