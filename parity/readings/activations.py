"""Activation functions by name, and which of them a side applies (NumPy; `scipy` has erf)."""

from collections.abc import Callable, Iterator

import numpy as np
from scipy.special import erf

from parity.arrays import Array, Floats
from parity.readings.rows import log_softmax, softmax

Function = Callable[[Floats], Floats]
NONE = "no activation"


def _sigmoid(x: Floats) -> Floats:
    y: Floats = 0.5 * (1 + np.tanh(x / 2))
    return y


def _softplus(x: Floats) -> Floats:
    return np.logaddexp(0, x)


def _relu6(x: Floats) -> Floats:
    return np.clip(x, 0, 6)


def _gelu(x: Floats, slope: float = 0.5**0.5) -> Floats:
    y: Floats = x / 2 * (1 + erf(slope * x))
    return y


def _gelu_tanh(x: Floats, cubic: float = 0.044715) -> Floats:
    y: Floats = x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + cubic * x**3)))
    return y


def _selu(x: Floats) -> Floats:
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    return np.where(x > 0, scale * x, scale * alpha * np.expm1(np.minimum(x, 0)))


FIXED: dict[str, Function] = {
    "relu": lambda x: np.maximum(x, 0),
    "gelu (exact)": _gelu,
    "gelu (exact, its constant rounded to float32)": lambda x: _gelu(
        x, float(np.float32(0.5**0.5))
    ),
    "gelu (tanh approximation)": _gelu_tanh,
    "gelu (tanh approximation, its constant rounded to float32)": (
        lambda x: _gelu_tanh(x, float(np.float32(0.044715)))
    ),
    "gelu (sigmoid approximation)": lambda x: x * _sigmoid(1.702 * x),
    "silu": lambda x: x * _sigmoid(x),
    "selu": _selu,
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "log-sigmoid": lambda x: -_softplus(-x),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "mish": lambda x: x * np.tanh(_softplus(x)),
    "relu6": _relu6,
    "hard tanh": lambda x: np.clip(x, -1, 1),
    "hard sigmoid, relu6(x + 3) / 6": lambda x: _relu6(x + 3) / 6,
    "hard sigmoid, clip(0.2 x + 0.5)": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    "hard silu": lambda x: x * _relu6(x + 3) / 6,
    "exponential": np.exp,
    "tanhshrink": lambda x: x - np.tanh(x),
    "square": lambda x: x**2,
    "sine": np.sin,
    "absolute value": np.abs,
}
"""Functions without a figure of their own; the usual ones first.

TensorFlow rounds the constants of gelu to float32, whatever the dtype of x.
"""
ROWS: dict[str, Function] = {"softmax": softmax, "log-softmax": log_softmax}
"""Functions of whole rows."""


NEAR_ONE = 1e-6
"""Of a slope: what is nearer to 1 is no function of its own."""
FIGURES = (0.1, 0.2, 0.25, 0.5, 2.0, 3.0, 4.0, 5.0, 10.0)
"""Round figures of functions that cannot be solved for theirs."""


def activations(x: Floats, seen: Array) -> Iterator[tuple[str, Floats]]:
    """Names of functions with what they make of `x`: identity, fixed ones, ones with a figure.

    Args:
        x: Input of any shape.
        seen: What a side made of it; slopes and alphas are solved from it.
    """
    yield NONE, x
    for name, function in FIXED.items():
        yield name, function(x)
    for axis in range(x.ndim - 1, -1, -1) if x.ndim > 1 else ():
        over = "" if axis == x.ndim - 1 else f" over axis {axis}" if axis else " over the batch"
        for name, function in ROWS.items():
            yield f"{name}{over}", _along(function, x, axis)
    yield from _solved(x, np.asarray(seen, np.float64))


def _along(function: Function, x: Floats, axis: int) -> Floats:
    """A function of rows along any axis."""
    turned = np.moveaxis(x, axis, -1)
    values = function(turned.reshape(-1, turned.shape[-1])).reshape(turned.shape)
    return np.moveaxis(values, -1, axis)


def written(figure: float) -> str:
    """In six digits; TensorFlow rounds some figures to float32, whatever the dtype."""
    near = 1e-11 * abs(figure)
    rounded = abs(figure - float(np.float32(figure))) <= near
    exact = any(abs(figure - plain) <= near for plain in (float(f"{figure:.6g}"), round(figure, 9)))
    return f"{figure:.6g} rounded to float32" if rounded and not exact else f"{figure:.6g}"


def _solved(x: Floats, seen: Floats) -> Iterator[tuple[str, Floats]]:
    """Functions whose negative side is a figure times something known."""
    negative = x < 0
    if not negative.any():
        return
    for name, side in (
        ("leaky_relu of slope", np.minimum(x, 0)),
        ("elu of alpha", np.expm1(np.minimum(x, 0))),
    ):
        figure = float((side * seen)[negative].sum() / (side[negative] ** 2).sum())
        if abs(figure - 1) > NEAR_ONE or "leaky" not in name:  # of a slope of 1 nothing is left
            yield f"{name} {written(figure)}", np.where(negative, figure * side, x)
    for figure in FIGURES:
        yield f"celu of alpha {figure:g}", np.where(negative, figure * np.expm1(x / figure), x)
        yield f"softplus of beta {figure:g}", np.logaddexp(0, figure * x) / figure
