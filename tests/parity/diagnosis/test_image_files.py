"""Images are read from any file in which people keep them, or refused in one sentence."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from parity.judge.pictures import load_images
from parity.run_record import RunRecordError

SIDE = 9
GREY = np.random.default_rng(0).integers(0, 256, (12, SIDE, SIDE), dtype=np.uint8)
GREY[:, 0, 0] = 0
LABELS = np.arange(12) % 10
FLAT = GREY.reshape(12, -1)
NAMES = [f"pixel{n}" for n in range(SIDE**2)]
HEADER = struct.pack(">4B3I", 0, 0, 8, 3, *GREY.shape)

Write = Callable[[Path], object]


def npy(array: np.ndarray) -> Write:
    return lambda path: np.save(path, array)


def npz(**arrays: np.ndarray) -> Write:
    return lambda path: np.savez(path, **arrays)  # type: ignore[arg-type]


def text(*columns: np.ndarray, names: list[str] | None = None) -> Write:
    rows = np.column_stack(columns).astype(int).astype(str).tolist()
    lines = [",".join(row) for row in ([names] if names else []) + rows]
    return lambda path: path.write_text("\n".join(lines))


FORMS: dict[str, tuple[str, Write]] = {
    "flat": ("x.npy", npy(FLAT)),
    "channels last": ("x.npy", npy(GREY[..., None])),
    "channels first": ("x.npy", npy(GREY[:, None])),
    "grey in three colours": ("x.npy", npy(GREY[..., None].repeat(3, -1))),
    "of no name": ("x.npz", npz(arr_0=GREY)),
    "with labels": ("x.npz", npz(X=FLAT, y=LABELS)),
    "beside those of training": ("x.npz", npz(train_images=GREY[:5], test_images=GREY)),
    "IDX": ("t10k-images-idx3-ubyte", lambda path: path.write_bytes(HEADER + GREY.tobytes())),
    "IDX, packed": (
        "x.gz", lambda path: path.write_bytes(gzip.compress(HEADER + GREY.tobytes())),
    ),
    "bare table": ("x.csv", text(FLAT)),
    "label first": ("x.csv", text(LABELS, FLAT)),
    "label last": ("x.csv", text(FLAT, LABELS)),
    "label first, with names": ("x.csv", text(LABELS, FLAT, names=["label", *NAMES])),
    "label last, with names": ("x.csv", text(FLAT, LABELS, names=[*NAMES, "class"])),
    "rows numbered by pandas": (
        "x.csv", text(np.arange(12), LABELS, FLAT, names=["", "label", *NAMES]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_the_same_images_are_read_from_every_form(form: str, tmp_path: Path) -> None:
    name, write = FORMS[form]
    write(tmp_path / name)
    np.testing.assert_array_equal(load_images([tmp_path / name]), GREY)


def test_a_single_image_and_a_mask_are_images(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", GREY[0])
    np.save(tmp_path / "mask.npy", GREY > 127)
    np.testing.assert_array_equal(load_images([tmp_path / "one.npy"]), GREY[:1])
    np.testing.assert_array_equal(load_images([tmp_path / "mask.npy"]), GREY > 127)


def test_scaled_pixels_of_a_table_stay_what_the_network_gets(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "x.csv", FLAT / 255, delimiter=",")
    read = load_images([tmp_path / "x.csv"])
    np.testing.assert_allclose(read, GREY / 255)
    assert read.dtype.kind == "f"


def test_a_folder_is_all_pictures_in_it(tmp_path: Path) -> None:
    """By class, as torchvision and Keras want them, with whatever else lies there."""
    digits = GREY.repeat(4, axis=1).repeat(4, axis=2)[:, :28, :28]
    for number, (digit, label) in enumerate(zip(digits, LABELS, strict=True)):
        (tmp_path / str(label)).mkdir(exist_ok=True)
        Image.fromarray(digit).save(tmp_path / str(label) / f"{number:02}.png")
    (tmp_path / "labels.csv").write_text("a,b\n")
    (tmp_path / "0" / "._00.png").write_text("a trace of another system")
    by_class = [0, 10, 1, 11, *range(2, 10)]
    np.testing.assert_array_equal(load_images([tmp_path]), digits[by_class])


REFUSED: dict[str, tuple[str, Write, str]] = {
    "colours": ("x.npy", npy(np.stack([GREY, GREY.T.reshape(GREY.shape)], -1)[..., [0, 1, 1]]),
                "uint8 of shape (12, 9, 9, 3); expected grey images, [N, H, W]"),
    "none": ("x.npy", npy(GREY[:0]), "of shape (0, 9, 9); expected"),
    "no square": ("x.npy", npy(FLAT[:, :50]), "of shape (12, 50); expected"),
    "two sets": ("x.npz", npz(a=GREY, b=GREY), "arrays a, b; expected one called images or x_test"),
    "cut off": ("x-idx3-ubyte", lambda path: path.write_bytes(HEADER + b"1"),
                "holds 1 bytes of data; its header promises 972 (12x9x9)"),
    "no square table": ("x.csv", text(FLAT[:, :60]), "60 columns; expected one for each pixel"),
    "empty folder": ("x", lambda path: path.mkdir(), "a folder without pictures"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_are_no_images_is_refused_with_the_reason(name: str, tmp_path: Path) -> None:
    file, write, said = REFUSED[name]
    write(tmp_path / file)
    with pytest.raises(RunRecordError) as refused:
        load_images([tmp_path / file])
    assert said in str(refused.value)
