"""Where raw digits come from: MNIST's own files, a file of anyone's, or scikit-learn's digits."""

import hashlib
import os
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lightning_mnist.data.download import download_mnist
from lightning_mnist.data.idx import MNIST_SHA256, parse_idx, unpacked
from lightning_mnist.data.mnist_form import SIDE, fit_like_mnist
from lightning_mnist.errors import InputError
from parity.files import Like, read_npz
from parity.run_record import sha256_of_digits

CLASSES = 10
TESTED = 540
"""Of the embedded digits."""
NPZ = {
    "x_train": Like("u", (None, SIDE, SIDE), 1),
    "y_train": Like("iu", (None,)),
    "x_test": Like("u", (None, SIDE, SIDE), 1),
    "y_test": Like("iu", (None,)),
}
"""What a data set in Keras' ``mnist.npz`` format holds."""


@dataclass(frozen=True)
class RawDigits:
    """A data set as it was found: nothing scaled, shuffled or left out.

    Attributes:
        train_images: uint8 [N, 28, 28], ink 255 on paper 0.
        train_labels: int64 [N], 0 to 9.
        test_images: uint8 [M, 28, 28].
        test_labels: int64 [M].
        name: what it really is: "mnist", "digits" or a path.

    Raises:
        InputError: wrong shapes or dtypes, counts that differ, labels outside 0..9.
    """

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    name: str

    def __post_init__(self) -> None:
        for part in ("train", "test"):
            images: NDArray[Any] = getattr(self, f"{part}_images")
            labels: NDArray[Any] = getattr(self, f"{part}_labels")
            where = f"{self.name}: the {part} part"
            if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (SIDE, SIDE):
                raise InputError(
                    f"{where} has images of type {images.dtype} and shape {images.shape}; "
                    f"expected uint8 [N, {SIDE}, {SIDE}]"
                )
            if len(images) != len(labels) or len(images) == 0:
                raise InputError(
                    f"{where} has {len(images)} images and {len(labels)} labels; "
                    "expected as many of one as of the other, at least 1"
                )
            if labels.min() < 0 or labels.max() >= CLASSES:
                raise InputError(
                    f"{where} has labels from {labels.min()} to {labels.max()}; "
                    f"expected 0 to {CLASSES - 1}"
                )

    @cached_property
    def sha256(self) -> str:
        """The digest that both sides of a comparison record (see `parity.run_record`)."""
        return sha256_of_digits(
            self.train_images, self.train_labels, self.test_images, self.test_labels
        )


def check_source(source: str) -> None:
    """Raise `InputError` where `source` is not auto, mnist, digits, a file or a folder."""
    if source in ("auto", "mnist", "digits"):
        return
    if not os.path.exists(source):  # noqa: PTH110 - a name may be too long for a Path
        raise InputError(
            f"{source}: no such file or data set; expected auto, mnist, digits, a file or a folder "
            f"of images and labels, as an .npz file with the arrays {', '.join(NPZ)}"
        )


def root_folder(root: str | None) -> Path:
    """Where MNIST's files are looked for: `root`, else LIGHTNING_MNIST_DATA, else "data"."""
    return Path(root or os.environ.get("LIGHTNING_MNIST_DATA") or "data").expanduser()


def prepare(source: str, root: Path) -> None:
    """Download MNIST into `root` if `source` wants it and it is not there.

    `auto` goes on without it, and says so on standard error.

    Raises:
        InputError: `mnist` was asked for by name and cannot be had, or `root` holds a part of it.
    """
    if source not in ("auto", "mnist") or find_mnist(root) is not None:
        return
    try:
        download_mnist(root)
    except InputError as error:
        if source == "mnist":
            raise
        print(
            f"\n*** NOT MNIST: {error}.\n*** Going on with the embedded digits instead: "
            "scikit-learn's 1,797 handwritten digits, 8x8 pixels resized to 28x28.\n",
            file=sys.stderr,
        )


def obtain(source: str, root: str | None) -> RawDigits:
    """Check, download where need be, and read: all at once, for a single process.

    Raises:
        InputError: see `check_source`, `prepare` and `load`.
    """
    check_source(source)
    prepare(source, root_folder(root))
    return load(source, root_folder(root))


def load(source: str, root: Path) -> RawDigits:
    """Read the digits that `source` names; call `prepare` first.

    Raises:
        InputError: the data is missing, damaged, or not what it claims to be.
    """
    check_source(source)
    if source == "digits":
        return _load_embedded_digits()
    if source not in ("auto", "mnist"):
        return _load_file(Path(source))
    folder = find_mnist(root)
    if folder is not None:
        return _load_mnist(folder)
    if source == "auto":
        return _load_embedded_digits()
    raise InputError(f"{root}: no MNIST there; expected the four IDX files, gzipped or not")


def find_mnist(root: Path) -> Path | None:
    """The folder that holds MNIST's four files: `root`, or torchvision's ``MNIST/raw`` below it.

    Raises:
        InputError: the folder holds some of the four files but not all.
    """
    for folder in (root, root / "MNIST" / "raw"):
        missing = [name for name in MNIST_SHA256 if _idx_file(folder, name) is None]
        if not missing:
            return folder
        if len(missing) < len(MNIST_SHA256):
            raise InputError(
                f"{folder}: a part of MNIST is missing ({', '.join(missing)}, plain or .gz); "
                "add it, or remove the rest to have all of it downloaded"
            )
    return None


def _idx_file(folder: Path, name: str) -> Path | None:
    return next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)


def _load_mnist(folder: Path) -> RawDigits:
    arrays, odd = {}, None
    for name, sha256 in MNIST_SHA256.items():
        path = _idx_file(folder, name)
        assert path is not None
        content = unpacked(path)
        arrays[name] = parse_idx(content, path, dimensions=3 if "images" in name else 1)
        if hashlib.sha256(content).hexdigest() != sha256:
            odd = odd or path
    train_images, train_labels, test_images, test_labels = arrays.values()
    digits = RawDigits(
        train_images, train_labels.astype(np.int64), test_images, test_labels.astype(np.int64),
        name="mnist",
    )  # fmt: skip
    if odd is not None:
        raise InputError(
            f"{odd}: a sound IDX file, but its content is not MNIST's; download it again, or give "
            "a data set of your own as --data.source FILE.npz"
        )
    return digits


def _load_file(path: Path) -> RawDigits:
    """Read Keras' ``mnist.npz`` format, or whatever else holds images and labels, and say so."""
    try:
        arrays = read_npz(path, NPZ)
        if np.ptp(arrays["y_train"]) == CLASSES - 1 != arrays["y_train"].max():
            raise ValueError("labels from 1 to 10: how they are read is said")
    except ValueError:
        from parity.data_sets import read_data_set  # takes SciPy a while to import

        try:
            arrays, said = read_data_set(path)
        except ValueError as error:
            raise InputError(f"{path}: {error}") from error
        print(f"{path}: {said}", file=sys.stderr)
    x_train, y_train, x_test, y_test = (arrays[key] for key in NPZ)
    return RawDigits(
        x_train, y_train.astype(np.int64), x_test, y_test.astype(np.int64), name=str(path)
    )


def _load_embedded_digits() -> RawDigits:
    """scikit-learn's digits, 8x8 pixels, in MNIST's form; 30 % of each class for testing.

    The split is fixed, so that every run on every machine is scored on the same 540 images. The
    file holds them as scikit-learn has them, which takes a second to import, those for testing
    last: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
    Repository, 1998, licence CC BY 4.0.
    """
    with np.load(Path(__file__).with_name("digits.npz")) as file:
        small, labels = file["images"], file["labels"].astype(np.int64)
    images = np.stack([_enlarged(np.round(image * (255 / 16))) for image in small])
    return RawDigits(
        images[:-TESTED], labels[:-TESTED], images[-TESTED:], labels[-TESTED:], name="digits"
    )


def _enlarged(small: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Grey levels [8, 8] to MNIST's form, smoothed before the ink is cropped, not after."""
    large = Image.fromarray(small.astype(np.uint8)).resize((80, 80), Image.Resampling.BICUBIC)
    return fit_like_mnist(np.asarray(large))
