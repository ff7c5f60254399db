"""Where digits come from: what is sound is read, what is damaged is named."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from lightning_mnist.data import sources
from lightning_mnist.data.idx import MNIST_SHA256
from lightning_mnist.data.sources import RawDigits
from lightning_mnist.errors import InputError

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = MNIST_SHA256


def idx(array: np.ndarray) -> bytes:
    """An IDX file of unsigned bytes."""
    dimensions = np.array(array.shape, ">u4").tobytes()
    return bytes((0, 0, 8, array.ndim)) + dimensions + array.astype(np.uint8).tobytes()


def write_idx_folder(digits: RawDigits, folder: Path, *, zipped: bool) -> None:
    arrays: tuple[np.ndarray, ...] = (
        digits.train_images, digits.train_labels, digits.test_images, digits.test_labels,
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in zip(MNIST_SHA256, arrays, strict=True):
        if zipped:
            (folder / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
        else:
            (folder / name).write_bytes(idx(array))


@pytest.fixture
def idx_folder(tiny_digits: RawDigits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The four files, gzipped, that pass for MNIST."""
    import hashlib

    write_idx_folder(tiny_digits, tmp_path, zipped=True)
    for name in MNIST_SHA256:
        content = gzip.decompress((tmp_path / f"{name}.gz").read_bytes())
        monkeypatch.setitem(MNIST_SHA256, name, hashlib.sha256(content).hexdigest())
    return tmp_path


def assert_same(loaded: RawDigits, expected: RawDigits) -> None:
    for name in ("train_images", "train_labels", "test_images", "test_labels"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(expected, name))
    assert loaded.sha256 == expected.sha256


@pytest.mark.parametrize("zipped", [True, False], ids=["gzipped", "plain"])
@pytest.mark.parametrize("below", [".", "MNIST/raw"])
def test_mnist_is_found_in_the_folder_or_where_torchvision_puts_it(
    zipped: bool, below: str, idx_folder: Path, tiny_digits: RawDigits, tmp_path: Path
) -> None:
    root = tmp_path / "other"
    write_idx_folder(tiny_digits, root / below, zipped=zipped)
    loaded = sources.load("mnist", root)
    assert loaded.name == "mnist"
    assert_same(loaded, tiny_digits)
    assert sources.load("auto", root).name == "mnist"


def damage_truncated_gzip(folder: Path) -> None:
    path = folder / f"{TRAIN_IMAGES}.gz"
    path.write_bytes(path.read_bytes()[:-100])


def damage_corrupt_gzip(folder: Path) -> None:
    path = folder / f"{TRAIN_IMAGES}.gz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


def damage_not_gzip(folder: Path) -> None:
    (folder / f"{TRAIN_IMAGES}.gz").write_text("<html>not found</html>")


def damage_longer_idx(folder: Path) -> None:
    (folder / f"{TEST_IMAGES}.gz").write_bytes(gzip.compress(idx(np.zeros((80, 28, 28))) + b"\0"))


def damage_truncated_idx(folder: Path) -> None:
    (folder / f"{TEST_IMAGES}.gz").write_bytes(gzip.compress(idx(np.zeros((80, 28, 28)))[:-1]))


def damage_wrong_magic(folder: Path) -> None:
    (folder / f"{TEST_IMAGES}.gz").write_bytes(gzip.compress(idx(np.zeros(80))))


def damage_empty(folder: Path) -> None:
    (folder / f"{TEST_LABELS}.gz").write_bytes(gzip.compress(b""))


def damage_counts(folder: Path) -> None:
    (folder / f"{TEST_LABELS}.gz").write_bytes(gzip.compress(idx(np.zeros(79))))


def damage_labels(folder: Path) -> None:
    (folder / f"{TEST_LABELS}.gz").write_bytes(gzip.compress(idx(np.full(80, 200))))


def damage_image_size(folder: Path) -> None:
    (folder / f"{TEST_IMAGES}.gz").write_bytes(gzip.compress(idx(np.zeros((80, 32, 32)))))


def damage_missing(folder: Path) -> None:
    (folder / f"{TEST_LABELS}.gz").unlink()


def damage_other_digits(folder: Path) -> None:
    (folder / f"{TEST_IMAGES}.gz").write_bytes(gzip.compress(idx(np.zeros((80, 28, 28)))))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (damage_truncated_gzip, "train-images.*cannot be read .*expected a whole gzip"),
        (damage_corrupt_gzip, "train-images.*cannot be read"),
        (damage_not_gzip, "train-images.*Not a gzipped file"),
        (damage_longer_idx, "t10k-images.*62,721 bytes of data; its header promises 62,720"),
        (damage_truncated_idx, "t10k-images.*62,719 bytes of data; its header promises 62,720"),
        (damage_wrong_magic, "t10k-images.*not an IDX file of unsigned bytes with 3 dimensions"),
        (damage_empty, "t10k-labels.*starts with nothing"),
        (damage_counts, "test part has 80 images and 79 labels"),
        (damage_labels, "test part has labels from 200 to 200; expected 0 to 9"),
        (damage_image_size, r"test part has images .*32, 32.*expected uint8 \[N, 28, 28\]"),
        (damage_missing, "a part of MNIST is missing .t10k-labels"),
        (damage_other_digits, "t10k-images.*not MNIST's"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_damaged_mnist_is_named_and_nothing_else_is_used(
    damage: Callable[[Path], None], said: str, idx_folder: Path
) -> None:
    damage(idx_folder)
    for source in ("mnist", "auto"):
        with pytest.raises(InputError, match=said):
            sources.load(source, idx_folder)


def test_an_npz_in_keras_format_is_read(tiny_npz: Path, tiny_digits: RawDigits) -> None:
    loaded = sources.load(str(tiny_npz), Path("nowhere"))
    assert loaded.name == str(tiny_npz)
    assert loaded.train_labels.dtype == np.int64
    assert_same(loaded, tiny_digits)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"y_train": None, "y_test": None}, "no labels beside x_train"),
        ({"x_train": np.zeros((400, 700), np.uint8)}, r"x_train: uint8 of shape \(400, 700\)"),
        ({"x_train": np.zeros((400, 28, 28))}, "different ranges .*: 0 to 0 and 0 to 255"),
        ({"y_train": np.full(400, 0.5)}, "labels that are no whole numbers"),
        ({"y_train": np.zeros((400, 10), int)}, "no labels beside x_train"),
        ({"y_train": np.zeros(399, int)}, "400 images and 399 labels"),
        ({"y_train": np.full(400, 10)}, "labels from 10 to 10"),
        ({"y_train": np.array([{}] * 400, dtype=object)}, "without pickles"),
        ({"x_test": np.zeros((0, 28, 28), np.uint8), "y_test": np.zeros(0, int)}, "at least 1"),
    ],
)
def test_an_npz_of_another_kind_is_refused(
    change: dict[str, np.ndarray | None], said: str, tiny_npz: Path
) -> None:
    with np.load(tiny_npz) as file:
        arrays = {k: v for k, v in ({**file} | change).items() if v is not None}
    np.savez(tiny_npz, **arrays)
    with pytest.raises(InputError, match=f"tiny.npz: .*{said}"):
        sources.load(str(tiny_npz), Path("nowhere"))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"text"])
def test_a_file_that_is_no_npz_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match="broken.npz: .*expected images and labels"):
        sources.load(str(path), tmp_path)


def test_an_unknown_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cifar: no such file or data set; expected auto"):
        sources.check_source("cifar")
    with pytest.raises(InputError, match="gone.npz: no such file"):
        sources.check_source(str(tmp_path / "gone.npz"))


def test_the_embedded_digits_look_like_mnist_and_are_always_split_alike() -> None:
    digits = sources.load("digits", Path("nowhere"))
    assert digits.name == "digits"
    assert digits.train_images.shape == (1257, 28, 28)
    assert digits.test_images.shape == (540, 28, 28)
    for labels in (digits.train_labels, digits.test_labels):
        share = np.bincount(labels, minlength=10) / len(labels)
        assert np.all(np.abs(share - 0.1) < 0.005)
    images = np.concatenate([digits.train_images, digits.test_images])
    assert np.all(images.max(axis=(1, 2)) == 255)
    for image in images:
        extents = [np.ptp(np.flatnonzero(image.any(axis=axis))) + 1 for axis in (0, 1)]
        assert max(extents) <= 20
    weights = images / images.sum(axis=(1, 2), keepdims=True)
    for axis in (1, 2):
        centres = weights.sum(axis=axis) @ np.arange(28)
        assert abs(centres - 14).max() < 1
    assert digits.sha256 == sources.load("digits", Path("nowhere")).sha256


def test_auto_without_mnist_is_the_embedded_digits(tmp_path: Path) -> None:
    assert sources.load("auto", tmp_path).name == "digits"
    with pytest.raises(InputError, match="no MNIST there"):
        sources.load("mnist", tmp_path)


@pytest.mark.slow
def test_the_real_mnist(mnist_root: Path) -> None:
    digits = sources.load("mnist", mnist_root)
    assert digits.train_images.shape == (60000, 28, 28)
    assert digits.test_images.shape == (10000, 28, 28)
    assert np.bincount(digits.test_labels)[1] == 1135  # the most frequent class: 11.35 %


def test_the_embedded_digits_are_those_of_scikit_learn() -> None:
    """All of them, and its split with ``random_state=0``, by which the file was made."""
    theirs = load_digits()
    parts = train_test_split(
        theirs.images, theirs.target, test_size=0.3, stratify=theirs.target, random_state=0
    )
    with np.load(Path(sources.__file__).with_name("digits.npz")) as file:
        np.testing.assert_array_equal(file["images"], np.concatenate(parts[:2]))
        np.testing.assert_array_equal(file["labels"], np.concatenate(parts[2:]))
    assert len(parts[1]) == sources.TESTED
