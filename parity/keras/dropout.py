"""Dropout in lock step: left off, since masks are drawn anew; the rates are told apart."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from parity.keras import private

RATES = ("rate", "dropout", "recurrent_dropout")
"""What layers call the share that they drop."""


@contextmanager
def undropped(model: keras.Model, training: bool = True) -> Iterator[None]:
    """Meanwhile nothing is dropped in training: by layers, in attention, in recurrent cells."""
    kept = [
        (layer, name, rate)
        for layer in (private.layers_within(model) if training else ())
        for name in RATES
        if isinstance(rate := vars(layer).get(name), float) and rate > 0
    ]
    try:
        for layer, name, _ in kept:
            setattr(layer, name, 0.0)
        yield
    finally:
        for layer, name, rate in kept:
            setattr(layer, name, rate)


def rate_of(inputs: NDArray[Any], outputs: NDArray[Any]) -> float:
    """The share that a dropout drops, by how much it enlarges what it keeps; 1 if it keeps none."""
    kept = (outputs != 0) & (inputs != 0)
    if not kept.any():
        return float((inputs != 0).any())
    return float(1 - np.median(inputs[kept] / outputs[kept]))
