"""What may be done to each row: divided by its size, standardised, made a distribution (NumPy)."""

from collections.abc import Iterator

import numpy as np

from parity.arrays import Floats


def log_softmax(x: Floats) -> Floats:
    """Natural logarithms of the softmax of each row."""
    shifted = x - x.max(axis=1, keepdims=True)
    y: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return y


def softmax(x: Floats) -> Floats:
    """Of each row."""
    return np.exp(log_softmax(x))


def fit(x: Floats, seen: Floats, axis: int | None) -> tuple[Floats, Floats]:
    """Factors and offsets of the lines from `x` to `seen`; factor 0 where `x` does not vary."""
    mean, middle = x.mean(axis=axis, keepdims=True), seen.mean(axis=axis, keepdims=True)
    power = ((x - mean) ** 2).sum(axis=axis, keepdims=True)
    product = ((x - mean) * seen).sum(axis=axis, keepdims=True)
    factor: Floats = np.where(power > 0, product / np.where(power > 0, power, 1), 0)
    return factor, middle - factor * mean


def normalised(x: Floats, seen: Floats, unit: float = 1) -> Iterator[tuple[str, Floats]]:
    """Rows [B, F] by their size or their mean and deviation, with how that is said.

    Args:
        x: What was given.
        seen: What a side made of it; an added epsilon is solved from it.
        unit: In which deviations and epsilons are said: 255 for grey levels.
    """
    said = "x" if unit == 1 else f"x / {unit:g}"
    low, high = x.min(axis=1, keepdims=True), x.max(axis=1, keepdims=True)
    yield "x / max", x / _or_one(high)
    yield "(x - min) / (max - min)", (x - low) / _or_one(high - low)
    power = (x**2).sum(axis=1, keepdims=True)
    through = (x * seen).sum(axis=1, keepdims=True)
    for name, size in {
        "norm": np.sqrt(power),
        "sum of magnitudes": np.abs(x).sum(axis=1, keepdims=True),
    }.items():
        yield f"x / {name}", x / _or_one(size)
        added = float(np.median((power / through - size)[through[:, 0] != 0]))
        yield f"{said} / ({name} + {added / unit:.4g})", x / (size + added)
    centred = x - x.mean(axis=1, keepdims=True)
    yield "x - mean", centred / unit
    factor, _ = fit(x, seen, 1)
    telling = centred.any(axis=1) & (factor[:, 0] != 0)
    if not telling.any():
        return
    wider = 1 / np.where(factor == 0, np.inf, factor)
    for name, ddof in {"deviation": 0, "sample deviation": 1}.items():
        deviation = centred.std(axis=1, keepdims=True, ddof=ddof)
        yield f"(x - mean) / {name}", centred / _or_one(deviation)
        added = float(np.median((wider - deviation)[telling]))
        inside = float(np.median((wider**2 - deviation**2)[telling]))
        yield f"({said} - mean) / ({name} + {added / unit:.4g})", centred / (deviation + added)
        yield (
            f"({said} - mean) / sqrt({name}² + {inside / unit**2:.4g})",
            centred / np.sqrt(deviation**2 + inside),
        )


def _or_one(size: Floats) -> Floats:
    """Sizes, 1 where they are 0."""
    return np.where(size > 0, size, 1.0)
