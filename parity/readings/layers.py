"""Why a layer gives two outputs for one input, by the kind of layer that its name tells."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.readings import batch_norm, dense, dropout
from parity.readings.activations import activations
from parity.readings.cause import Cause
from parity.readings.readings import Names, Reading, compare
from parity.readings.rounding import Floats, Table, closes, noise, usable, worst

ADVICE = {
    "activation": (
        "take the same function with the same figure: gelu has approximate=, leaky_relu "
        "negative_slope=, elu alpha= in both frameworks, with other defaults (TensorFlow's gelu "
        "rounds its constants to float32, which no flag changes)"
    )
}


def explain(
    layer: str,
    inputs: NDArray[Any],
    a: NDArray[Any],
    b: NDArray[Any],
    weights: Table,
    training: bool,
    names: Names,
) -> list[Cause]:
    """Name what the sides do differently in the first layer whose outputs differ.

    Args:
        layer: ``dense_N``, ``batch_norm_N``, ``activation_N``, ``dropout_N``, "logits" (the last
            dense layer) or any other name, of which less can be said.
        inputs: What both feed it, float [B, I].
        a: What side A's gives, float [B, O].
        b: What side B's gives.
        weights: Of the whole network, the same on both sides, by canonical names.
        training: Whether the sides were asked for what they do in training.
        names: Of A and B.

    Returns:
        The causes that close the gap; empty where none does.
    """
    if a.shape != b.shape or not usable(inputs, a, b) or worst(a, b) == 0:
        return []
    x, sides = np.asarray(inputs, np.float64), (a, b)
    if layer.startswith("dense_") or layer == "logits":
        causes = dense.explain(layer, x, sides, weights, names)
    elif layer.startswith("batch_norm_"):
        fits = x.ndim == 2 and x.shape == a.shape
        causes = batch_norm.explain(layer, x, sides, weights, names) if fits else []
    elif layer.startswith("dropout_"):
        causes = dropout.explain(layer, x, sides, training, names) if x.shape == a.shape else []
    else:
        causes = _activation(layer, x, sides, names) if x.shape == a.shape else []
    return causes or _affine(layer, a, b, names)


def _activation(
    layer: str, x: Floats, sides: tuple[NDArray[Any], NDArray[Any]], names: Names
) -> list[Cause]:
    def readings(seen: NDArray[Any]) -> Iterator[Reading]:
        for name, values in activations(x, seen):
            yield Reading({"activation": f"applies {name}" if values is not x else name}, values)

    return compare(layer, sides, readings, ADVICE, noise(*sides, scale=_size(x, sides)), names)


def _size(x: Floats, sides: tuple[NDArray[Any], NDArray[Any]]) -> float:
    """Largest magnitude on the way: of the input or of an output."""
    return float(max(np.abs(values).max() for values in (x, *sides)))


def _affine(layer: str, a: NDArray[Any], b: NDArray[Any], names: Names) -> list[Cause]:
    """Whether B gives A times one figure plus another: all that can be said of unknown layers."""
    left, right = np.asarray(a, np.float64), np.asarray(b, np.float64)
    spread = left - left.mean()
    if left.size < 8 or not spread.any():
        return []
    factor = float((spread * right).sum() / (spread**2).sum())
    offset = float(right.mean() - factor * left.mean())
    gap = worst(factor * left + offset, right)
    if factor == 0 or not closes(worst(a, b), gap, noise(a, b)):
        return []
    moved = abs(offset) > noise(a, b)
    what = f"{factor:.6g} times" + (f" and {offset:+.6g}" if moved else "")
    text = (
        f"{layer}: {names[1]} gives {what} what {names[0]} gives; to align them, look for a scale "
        "or an offset that only one side has in this layer"
    )
    return [Cause("scaled output", gap, text)]
