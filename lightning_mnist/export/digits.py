"""The raw digits for other programs, without torch."""

from pathlib import Path

import numpy as np

from lightning_mnist.data import sources
from lightning_mnist.sentences import writing
from parity.writing import written_whole


def write_digits(folder: Path, source: str, root: str | None) -> Path:
    """Write ``FOLDER/<what it really is>.npz`` in the format of Keras' mnist.npz; give its path.

    Raises:
        InputError: the digits cannot be had, or the folder cannot be written.
    """
    digits = sources.obtain(source, root)
    path = folder / f"{Path(digits.name).stem}.npz"
    with writing(str(folder)):
        folder.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as temporary:
            np.savez(
                temporary,
                x_train=digits.train_images,
                y_train=digits.train_labels,
                x_test=digits.test_images,
                y_test=digits.test_labels,
            )
    return path
