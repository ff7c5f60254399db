"""Sides for the judge's tests, from what real models of ours predicted for MNIST."""

from functools import cache

import numpy as np

from parity.judge.answers import Run, Side
from tests.conftest import ROOT

Ints = np.ndarray


@cache
def healthy() -> tuple[Ints, Ints, Ints]:
    """Labels [10000], then what 15 Lightning and 15 Keras models predicted, [15, 10000]."""
    with np.load(ROOT / "tests" / "data" / "healthy_seeds.npz") as file:
        labels = file["labels"].astype(np.int64)
        return labels, *((labels + file[side]) % 10 for side in ("lightning", "keras"))


def side(name: str, predicted: list[Ints] | Ints, labels: Ints | None = None) -> Side:
    """A side of prediction files; the labels are MNIST's unless others are given."""
    labels = healthy()[0] if labels is None else labels
    ids = np.arange(len(labels))
    runs = [Run(f"seed{n}", p.astype(np.int64), labels, ids) for n, p in enumerate(predicted)]
    return Side(name, runs)


def worse(predicted: Ints, accuracy: float, rng: np.random.Generator) -> Ints:
    """The same predictions with right ones spoilt at random until `accuracy` is left."""
    labels = healthy()[0]
    right = np.flatnonzero(predicted == labels)
    spoilt = rng.choice(right, len(right) - round(accuracy * len(labels)), replace=False)
    result = predicted.copy()
    result[spoilt] = (result[spoilt] + rng.integers(1, 10, len(spoilt))) % 10
    return result


def swapped(predicted: Ints, first: int, second: int) -> Ints:
    """Two classes taken for each other."""
    table = np.arange(10)
    table[[first, second]] = second, first
    return np.asarray(table[predicted])


def leaking(predicted: Ints, share: float, into: int, rng: np.random.Generator) -> Ints:
    """A share of the predictions replaced by one class."""
    return np.where(rng.random(len(predicted)) < share, into, predicted)
