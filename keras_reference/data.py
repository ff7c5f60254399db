"""Raw digits as Keras has them: four NumPy arrays."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_reference.errors import InputError
from parity.files import Like, read_npz
from parity.run_record import sha256_of_digits

KEYS = ("x_train", "y_train", "x_test", "y_test")
IMAGES, LABELS = Like("u", (None, 28, 28), 1), Like("iu", (None,))
EXPECTED = {key: IMAGES if key.startswith("x") else LABELS for key in KEYS}


@dataclass(frozen=True)
class Digits:
    """Images uint8 [N, 28, 28] and labels int64 [N], for training and for testing."""

    x_train: NDArray[np.uint8]
    y_train: NDArray[np.int64]
    x_test: NDArray[np.uint8]
    y_test: NDArray[np.int64]
    name: str

    def describe(self, val_size: int) -> dict[str, Any]:
        """What a run record says of the data."""
        return {
            "name": self.name,
            "sha256": sha256_of_digits(self.x_train, self.y_train, self.x_test, self.y_test),
            "train": len(self.y_train) - val_size,
            "val": val_size,
            "test": len(self.y_test),
        }


def load_digits(source: str) -> Digits:
    """Read `source`: a file or folder, or "mnist" for Keras' own copy.

    Raises:
        InputError: the file is missing, damaged or of another kind, or MNIST cannot be had.
    """
    arrays = _load_mnist() if source == "mnist" else _load_file(Path(source))
    for part in ("train", "test"):
        _check(source, part, arrays[f"x_{part}"], arrays[f"y_{part}"])
    return Digits(
        x_train=arrays["x_train"],
        y_train=arrays["y_train"].astype(np.int64),
        x_test=arrays["x_test"],
        y_test=arrays["y_test"].astype(np.int64),
        name=source,
    )


def _load_mnist() -> dict[str, NDArray[Any]]:
    import keras

    try:
        (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
    except Exception as error:  # get_file raises a bare Exception
        raise InputError(
            f"Keras cannot download MNIST ({error}); give --data.source FILE.npz instead"
        ) from error
    return dict(zip(KEYS, (x_train, y_train, x_test, y_test), strict=True))


def _load_file(path: Path) -> dict[str, NDArray[Any]]:
    """Read Keras' own format, or whatever else holds images and labels, and say so."""
    try:
        arrays = read_npz(path, EXPECTED)
        if np.ptp(arrays["y_train"]) == 9 != arrays["y_train"].max():
            raise ValueError("labels from 1 to 10: how they are read is said")
        return arrays
    except ValueError:
        from parity.data_sets import read_data_set  # takes SciPy a while to import

        try:
            arrays, said = read_data_set(path)
        except ValueError as error:
            raise InputError(f"--data.source {path}: {error}") from error
    print(f"{path}: {said}", file=sys.stderr)
    return arrays


def _check(source: str, part: str, x: NDArray[Any], y: NDArray[Any]) -> None:
    if len(y) != len(x) or len(y) == 0:
        raise InputError(f"{source}: y_{part} has {len(y)}; expected {len(x)} integers, at least 1")
    if y.min() < 0 or y.max() > 9:
        raise InputError(f"{source}: y_{part} goes from {y.min()} to {y.max()}; expected 0 to 9")
