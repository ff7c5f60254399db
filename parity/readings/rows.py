"""What may be done to each row: divided by its size, standardised, made a distribution (NumPy)."""

from collections.abc import Iterator

import numpy as np

from parity.arrays import Floats

Said = tuple[str, Floats]
"""How something is said, and what it gives."""


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


def line(x: Floats, seen: Floats) -> tuple[float, float]:
    """Factor and offset of the one line from `x` to `seen`."""
    factor, offset = fit(x, seen, None)
    return float(factor.item()), float(offset.item())


EPSILONS = (1e-3, 1e-5, 1e-6, 1e-7, 1e-8, 1e-12)
"""Those that frameworks add by default."""


def normalised(x: Floats, seen: Floats | None = None, unit: float = 1) -> Iterator[Said]:
    """Rows [B, F] by their size or their mean and deviation, with how that is said.

    Args:
        x: What was given.
        seen: What a side made of it, from which an added epsilon is solved; without it the usual
            ones are tried.
        unit: In which deviations and epsilons are said: 255 for grey levels.
    """
    low, high = x.min(axis=1, keepdims=True), x.max(axis=1, keepdims=True)
    centred = x - x.mean(axis=1, keepdims=True)
    yield "x / max", x / _or_one(high)
    yield "(x - min) / (max - min)", (x - low) / _or_one(high - low)
    yield "x - mean", centred / unit
    said = "x" if unit == 1 else f"x / {unit:g}"
    for name, top, size in (
        ("norm", x, np.sqrt((x**2).sum(axis=1, keepdims=True))),
        ("sum of magnitudes", x, np.abs(x).sum(axis=1, keepdims=True)),
        ("deviation", centred, centred.std(axis=1, keepdims=True)),
        ("sample deviation", centred, centred.std(axis=1, keepdims=True, ddof=1)),
    ):
        plain, scaled = ("x", said) if top is x else ("(x - mean)", f"({said} - mean)")
        yield f"{plain} / {name}", top / _or_one(size)
        for words, divisor in _widened(name, top, size, seen, unit):
            yield f"{scaled} / {words}", top / divisor


def _widened(
    name: str, top: Floats, size: Floats, seen: Floats | None, unit: float
) -> Iterator[Said]:
    """Sizes [B, 1] to which an epsilon is added, outside or inside a root."""
    added = inside = [epsilon * unit for epsilon in EPSILONS]
    if seen is not None:
        product = (top * seen).sum(axis=1, keepdims=True)
        telling = product[:, 0] != 0
        if not telling.any():
            return
        divisor = (top**2).sum(axis=1, keepdims=True)[telling] / product[telling]
        added = [float(np.median(divisor - size[telling]))]
        inside = [float(np.median(divisor**2 - size[telling] ** 2))]
    for epsilon in added:
        yield f"({name} + {epsilon / unit:.4g})", size + epsilon
    for epsilon in inside:
        yield f"sqrt({name}² + {epsilon / unit**2:.4g})", np.sqrt(size**2 + epsilon)


def _or_one(size: Floats) -> Floats:
    """Sizes, 1 where they are 0."""
    return np.where(size > 0, size, 1.0)
