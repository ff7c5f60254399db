"""From what a side has measured to what it says: one reading for both sides (NumPy only)."""

import math
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from parity.audit.initializers import initializer
from parity.audit.optimizer_readings import read_optimizer

Settings = dict[str, Any]
_ERF = np.vectorize(math.erf)
ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "relu": lambda x: np.maximum(x, 0),
    "gelu, exact": lambda x: x * (1 + _ERF(x / np.sqrt(2))) / 2,
    "gelu, approximated by tanh": lambda x: (
        x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2
    ),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "linear": lambda x: x,
}


def read(settings: Settings) -> Settings:
    """What `settings` of a side say: numbers, texts and lists of them, by canonical names."""
    values: Settings = {}
    for key, value in settings.items():
        reader = next((found for pattern, found in _READERS if fnmatchcase(key, pattern)), None)
        values |= {key: value} if reader is None else reader(key, value, settings)
    return read_optimizer(values)


def _init(key: str, value: Any, settings: Settings) -> Settings:
    kernel = settings.get(f"{key.rpartition('.')[0]}.kernel", value)["shape"]
    return {key: initializer(value, kernel[0], kernel[-1])}


def _he_normal(key: str, value: float, _: Settings) -> Settings:
    # Of 40,000 normal numbers one lies beyond 3.5 deviations, but for once in a million times.
    return {key: "cut off at 2 deviations" if value < 3 else "not cut off"}


def _activation(key: str, value: Any, _: Settings) -> Settings:
    at, found = np.array(value["at"]), np.array(value["values"])
    for name, function in ACTIVATIONS.items():
        if np.allclose(found, function(at), rtol=1e-5, atol=1e-6):
            return {key: name}
    shown = ", ".join(f"f({x:g}) = {np.interp(x, at, found):.4g}" for x in (-1, 0, 1))
    return {key: f"unknown: {shown}"}


def _dropout(key: str, value: Any, _: Settings) -> Settings:
    rate = 1 - 1 / value["survivors"]
    if abs(rate - value["zeros"]) < 0.01:
        return {f"{key}.rate": round(rate, 6)}
    text = f"drops {value['zeros']:.2f} and multiplies the others by {value['survivors']:.4g}"
    return {f"{key}.rate": text}


def _moving_variance(key: str, value: float, _: Settings) -> Settings:
    known = {1.0: "of the population", 4 / 3: "of the sample"}
    return {key: next((text for x, text in known.items() if math.isclose(x, value)), value)}


def _pixels(_: str, value: list[float], __: Settings) -> Settings:
    """The formula that leads from grey level to network input, and how it is rounded."""
    pixels = np.array(value)
    black, white = pixels[0], pixels[-1]
    exact = black + (white - black) * np.arange(256) / 255
    spacing = float(np.spacing(np.float32(np.abs(pixels).max())))
    if np.abs(pixels - exact).max() > 8 * spacing:
        return {"preprocessing.formula": f"from {black:.4g} to {white:.4g}, not in a line"}
    names = {(0.0, 1.0): "x / 255", (1.0, 0.0): "1 - x / 255", (0.0, 255.0): "x"}
    name = names.get((black, white))
    if name is None:
        ends = {"preprocessing.black": float(black), "preprocessing.white": float(white)}
        return {"preprocessing.formula": "in a line from black to white", **ends}
    wrong = pixels.astype(np.float32) != exact.astype(np.float32)
    rounding = "correctly rounded"
    if wrong.any():
        off = np.abs(pixels - exact)[wrong].max()
        rounding = f"{wrong.sum()} of 256 levels off by up to {off:.0e}"
    return {"preprocessing.formula": name, "preprocessing.rounding": rounding}


def _loss(key: str, value: Any, _: Settings) -> Settings:
    """Function, label smoothing and reduction, from a batch and from the same batch twice."""
    logits, labels = np.array(value["logits"]), np.array(value["labels"])
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    entropy = -log_p[np.arange(len(labels)), labels].mean()
    once, twice = value["once"], value["twice"]
    reduction = {1: "mean of the batch", 2: "sum of the batch"}.get(round(twice / once, 4))
    mean = once / len(labels) if reduction == "sum of the batch" else once
    smoothing = (mean - entropy) / (-log_p.mean() - entropy)
    plausible = -1e-4 < smoothing < 1
    name = "softmax cross-entropy" if plausible else f"unknown: {once:.6g}"
    return {
        f"{key}.function": name,
        f"{key}.label_smoothing": abs(round(smoothing, 4)) if plausible else None,
        f"{key}.reduction": reduction or "unknown",
    }


def _shown(key: str, value: Any, _: Settings) -> Settings:
    known = {
        "the mean of the epoch so far": np.mean(value["batches"]),
        "the latest batch's": value["batches"][-1],
    }
    found = (text for text, x in known.items() if math.isclose(x, value["shown"], rel_tol=1e-5))
    return {key: next(found, "unknown")}


def _factors(_: str, value: Any, __: Settings) -> Settings:
    """The schedule without the rate that it begins with, which is the optimiser's."""
    if value[0]:
        value = [round(rate / value[0], 6) for rate in value]
    return {"schedule.factors": value}


_READERS: tuple[tuple[str, Callable[[str, Any, Settings], Settings]], ...] = (
    ("init.he_normal", _he_normal),
    ("init.*", _init),
    ("activation_*", _activation),
    ("dropout_*", _dropout),
    ("batch_norm_*.moving_variance", _moving_variance),
    ("preprocessing.pixels", _pixels),
    ("loss", _loss),
    ("metric.train_loss.shown", _shown),
    ("schedule.learning_rate", _factors),
)
"""By a pattern of the name; the first that fits. What no pattern fits speaks for itself."""
