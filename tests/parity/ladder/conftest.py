"""What the pairs of the ladder are trained on."""

from pathlib import Path

import numpy as np
import pytest

from tests.parity.ladder.foreign import CLASSES, TRAIN


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of 4 x 4 pixels."""
    rng = np.random.default_rng(3)
    path = tmp_path_factory.mktemp("foreign") / "tiny.npz"
    np.savez(
        path,
        x_train=rng.integers(0, 256, (TRAIN, 4, 4)).astype(np.uint8),
        y_train=rng.integers(0, CLASSES, TRAIN),
        x_test=rng.integers(0, 256, (12, 4, 4)).astype(np.uint8),
        y_test=rng.integers(0, CLASSES, 12),
    )
    return path
