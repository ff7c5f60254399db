"""What a dense layer does: kernel upright or transposed, bias or none, an activation after it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.readings.activations import activations
from parity.readings.cause import Cause
from parity.readings.readings import Names, Reading, compare
from parity.readings.rounding import Floats, Table, noise

ADVICE = {
    "transposed kernel": (
        "transpose it on one side: torch's Linear keeps [out, in], Keras' Dense [in, out]"
    ),
    "bias not added": "add it on both: bias=True (torch), use_bias=True (Keras)",
    "extra activation": (
        "apply it on both or neither; the logits take none (activation=None), for the loss has "
        "its own softmax: from_logits=True in Keras"
    ),
    "temperature": "divide both by the same temperature, or by none",
}


def explain(
    layer: str,
    x: Floats,
    sides: tuple[NDArray[Any], NDArray[Any]],
    weights: Table,
    names: Names,
) -> list[Cause]:
    """Why two dense layers differ on the same input.

    Args:
        layer: Its name; "logits" is the last dense layer of `weights`.
        x: Input, float64 [B, I].
        sides: Outputs of A and B, [B, O].
        weights: `kernel` [I, O] and, where there is one, `bias` [O].
        names: Of A and B.
    """
    tensors = _tensors(layer, x, weights)
    if tensors is None:
        return []
    kernel, bias = tensors
    size = np.abs(x).max() * np.abs(kernel).sum(axis=0).max() + np.abs(bias).max()
    square = kernel.shape[0] == kernel.shape[1]

    def readings(seen: NDArray[Any]) -> Iterator[Reading]:
        for turned in (False, True) if square else (False,):
            product = x @ (kernel.T if turned else kernel)
            for added in (True, False):
                before = product + bias if added else product
                traits = {
                    "transposed kernel": "multiplies by kernel" + (".T" if turned else ""),
                    "bias not added": "adds the bias" if added else "leaves out the bias",
                    "temperature": "divides by 1",
                }
                for activation, after in activations(before, seen):
                    applied = f"applies {activation}" if after is not before else activation
                    yield Reading({**traits, "extra activation": applied}, after)
                yield _tempered({**traits, "extra activation": "no activation"}, before, seen)

    allowed = noise(x, *sides, scale=float(size))
    return compare(layer, sides, readings, ADVICE, allowed, names)


def _tensors(layer: str, x: Floats, weights: Table) -> tuple[Floats, Floats] | None:
    """Kernel [I, O] and bias [O], zeros where there is none; None where they do not fit."""
    if layer == "logits":
        dense = [name for name in weights if name.endswith(".kernel")]
        layer = dense[-1].removesuffix(".kernel") if dense else layer
    if f"{layer}.kernel" not in weights:
        return None
    kernel = np.asarray(weights[f"{layer}.kernel"], np.float64)
    bias = np.asarray(weights.get(f"{layer}.bias", np.zeros(kernel.shape[-1])), np.float64)
    fits = kernel.ndim == 2 and x.ndim == 2 and kernel.shape[0] == x.shape[1]
    return (kernel, bias) if fits and bias.shape == kernel.shape[1:] else None


def _tempered(traits: dict[str, str], before: Floats, seen: NDArray[Any]) -> Reading:
    """The same divided by the one figure that may lead to what was seen."""
    factor = float((before * seen).sum() / (before**2).sum()) if before.any() else 1.0
    return Reading({**traits, "temperature": f"divides by {1 / factor:.6g}"}, factor * before)
