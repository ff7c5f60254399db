"""Small data sets of every kind: images, tables, sines, words (NumPy only)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.conftest import make_digits

Array = NDArray[Any]


def digits() -> tuple[Array, Array]:
    """Bytes uint8 [400, 28, 28] and classes; a bar whose height is the class."""
    made = make_digits(train_per_class=40, test_per_class=1)
    order = np.random.default_rng(0).permutation(len(made.train_labels))
    return made.train_images[order], made.train_labels[order].astype(np.int64)


def flowers() -> tuple[Array, Array]:
    """Like the irises: four lengths in centimetres float32 [150, 4], three classes, sorted."""
    rng = np.random.default_rng(1)
    means = np.array([[5.0, 3.4, 1.5, 0.2], [5.9, 2.8, 4.3, 1.3], [6.6, 3.0, 5.6, 2.0]])
    y = np.repeat(np.arange(3), 50)
    return (means[y] + rng.normal(0, 0.3, (150, 4))).astype(np.float32), y


def customers() -> tuple[Array, Array]:
    """Age, income and debts, float32 [400, 3]; whether they pay back."""
    rng = np.random.default_rng(2)
    x = rng.uniform([18, 10_000, 0], [80, 90_000, 40_000], (400, 3))
    score = (x[:, 1] - 50_000) / 20_000 - (x[:, 2] - 20_000) / 10_000 + (x[:, 0] - 49) / 20
    return x.astype(np.float32), (score > 0).astype(np.int64)


def houses() -> tuple[Array, Array]:
    """Standardised features float32 [400, 5] and prices in thousands, about 200."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal((400, 5))
    prices = 200 + 60 * x[:, 0] - 40 * x[:, 1] + 20 * x[:, 2] * x[:, 3]
    return x.astype(np.float32), prices.astype(np.float32)


def sines() -> tuple[Array, Array]:
    """Places float32 [300, 1] and their sines."""
    x = np.random.default_rng(4).uniform(-3, 3, (300, 1)).astype(np.float32)
    return x, np.sin(x[:, 0]).astype(np.float32)


def waves() -> tuple[Array, Array]:
    """Windows of a sine with noise, float32 [300, 20, 1], and what comes next."""
    rng = np.random.default_rng(5)
    start = rng.uniform(0, 6.28, 300)
    series = np.sin(start[:, None] + 0.3 * np.arange(21)) + rng.normal(0, 0.05, (300, 21))
    return series[:, :20, None].astype(np.float32), series[:, 20].astype(np.float32)


def xor() -> tuple[Array, Array]:
    """The four points, float32 [4, 2], and 0 or 1."""
    return np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32), np.array([0, 1, 1, 0])


def moons() -> tuple[Array, Array]:
    """Two half circles, float32 [300, 2], and 0 or 1."""
    rng = np.random.default_rng(6)
    y = rng.integers(0, 2, 300)
    angle = rng.uniform(0, np.pi, 300)
    x = np.stack([np.cos(angle) + y, np.sin(angle) * (1 - 2 * y) + 0.4 * y], axis=1)
    return (x + rng.normal(0, 0.08, x.shape)).astype(np.float32), y


def words() -> tuple[Array, Array]:
    """Numbers of words int64 [300, 12], from 0 to 49; whether more of them are above 25."""
    rng = np.random.default_rng(7)
    y = rng.integers(0, 2, 300)
    low = rng.integers(0, 30, (300, 12))
    return np.where(y[:, None] == 1, 49 - low, low), y


def tags() -> tuple[Array, Array]:
    """Standardised features float32 [300, 8]; five labels that exclude nothing, [300, 5]."""
    rng = np.random.default_rng(8)
    x = rng.standard_normal((300, 8)).astype(np.float32)
    return x, (x[:, :5] + 0.3 * x[:, 3:] > 0.3).astype(np.float32)


def rare() -> tuple[Array, Array]:
    """Standardised features float32 [400, 4]; one class in eight."""
    x = np.random.default_rng(9).standard_normal((400, 4)).astype(np.float32)
    return x, (x[:, 0] + 0.2 * x[:, 1] > 1.15).astype(np.int64)
