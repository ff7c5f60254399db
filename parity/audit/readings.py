"""From what a side has measured to what it says: one reading for both sides (NumPy only)."""

import math
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import numpy as np

from parity.audit.optimizer_readings import read_optimizer
from parity.readings.activations import activations
from parity.readings.dropout import rate_of
from parity.readings.grey import lines
from parity.readings.losses import MEAN, REDUCTION, USUAL, candidates
from parity.readings.readings import read as confirmed
from parity.readings.rounding import noise

Settings = dict[str, Any]
TRUNCATED = 0.87962566
"""Deviation of a standard normal that is cut off at 2."""
SURE = 4
"""Standard errors within which a measured deviation must lie."""


def read(settings: Settings) -> Settings:
    """What `settings` of a side say: numbers, texts and lists of them, by canonical names."""
    values: Settings = {}
    for key, value in settings.items():
        reader = next((found for pattern, found in _READERS if fnmatchcase(key, pattern)), None)
        values |= {key: value} if reader is None else reader(key, value, settings)
    return read_optimizer(values)


class Distribution(NamedTuple):
    """What weights may have been drawn from, with mean 0."""

    text: str
    deviation: float
    limit: float


def initializer(measured: Settings, fan_in: int, fan_out: int) -> str:
    """Which initialiser drew weights: the distribution that explains what was measured of them.

    That is "shape", "mean", "std", "min" and "max"; from the largest and the deviation it follows.
    """
    low, high, std = measured["min"], measured["max"], measured["std"]
    if low == high:
        return f"all {low:g}"
    count, largest = math.prod(measured["shape"]), max(-low, high)
    # A uniform's deviation has the smallest error of all; a normal's, at most this one.
    tolerance = SURE / math.sqrt(2 * count)
    fitting = [
        known
        for known in _known(fan_in, fan_out)
        if largest <= known.limit * (1 + 1e-6) and abs(std / known.deviation - 1) <= tolerance
    ]
    if abs(measured["mean"]) > SURE * std / math.sqrt(count) or not fitting:
        mean = measured["mean"]
        return f"unknown: mean {mean:.2g}, deviation {std:.2g}, from {low:.2g} to {high:.2g}"
    return min(fitting, key=lambda known: known.limit).text


def _known(fan_in: int, fan_out: int) -> Iterator[Distribution]:
    both = fan_in + fan_out
    for formula, limit in {
        "sqrt(6 / (in + out))": math.sqrt(6 / both),
        "1 / sqrt(in)": math.sqrt(1 / fan_in),
        "sqrt(6 / in)": math.sqrt(6 / fan_in),
        "0.05": 0.05,
    }.items():
        yield Distribution(f"uniform within {limit:.4g} = {formula}", limit / math.sqrt(3), limit)
    for formula, deviation in {
        "sqrt(2 / (in + out))": math.sqrt(2 / both),
        "sqrt(2 / in)": math.sqrt(2 / fan_in),
        "sqrt(1 / in)": math.sqrt(1 / fan_in),
    }.items():
        text = f"normal of deviation {deviation:.4g} = {formula}"
        yield Distribution(f"{text}, cut off", deviation, 2 * deviation / TRUNCATED)
        yield Distribution(text, deviation, math.inf)


def _init(key: str, value: Any, settings: Settings) -> Settings:
    kernel = settings.get(f"{key.rpartition('.')[0]}.kernel", value)["shape"]
    return {key: initializer(value, kernel[0], kernel[-1])}


def _he_normal(key: str, value: float, _: Settings) -> Settings:
    # Of 40,000 normal numbers one lies beyond 3.5 deviations, but for once in a million times.
    return {key: "cut off at 2 deviations" if value < 3 else "not cut off"}


def _activation(key: str, value: Any, _: Settings) -> Settings:
    at, found = np.array(value["at"], np.float64), np.array(value["values"])
    for name, values in activations(at, found):
        if np.allclose(found, values, rtol=1e-5, atol=1e-6):
            return {key: name}
    shown = ", ".join(f"f({x:g}) = {np.interp(x, at, found):.4g}" for x in (-1, 0, 1))
    return {key: f"unknown: {shown}"}


def _dropout(key: str, value: Any, _: Settings) -> Settings:
    zeros, survivors = value["zeros"], value["survivors"]
    rate = rate_of(survivors)
    if rate is not None and abs(rate - zeros) < 0.01:
        return {f"{key}.rate": round(rate, 6)}
    return {f"{key}.rate": f"drops {zeros:.2f} and multiplies the others by {survivors:.4g}"}


def _moving_variance(key: str, value: float, _: Settings) -> Settings:
    known = {1.0: "of the population", 4 / 3: "of the sample"}
    return {key: next((text for x, text in known.items() if math.isclose(x, value)), value)}


def _pixels(_: str, value: list[float], __: Settings) -> Settings:
    """The formula that leads from grey level to network input, and how it is rounded."""
    pixels = np.array(value)
    black, white = float(pixels[0]), float(pixels[-1])
    levels = np.arange(256.0)
    exact = black + (white - black) * levels / 255
    spacing = float(np.spacing(np.float32(np.abs(pixels).max())))
    if np.abs(pixels - exact).max() > 8 * spacing:
        return {"preprocessing.formula": f"from {black:.4g} to {white:.4g}, not in a line"}
    name = next((line.words for line in lines(levels) if np.allclose(line.values, exact)), None)
    if name is None:
        ends = {"preprocessing.black": black, "preprocessing.white": white}
        return {"preprocessing.formula": "in a line from black to white", **ends}
    wrong = pixels.astype(np.float32) != exact.astype(np.float32)
    rounding = "correctly rounded"
    if wrong.any():
        off = np.abs(pixels - exact)[wrong].max()
        rounding = f"{wrong.sum()} of 256 levels off by up to {off:.0e}"
    return {"preprocessing.formula": name, "preprocessing.rounding": rounding}


def _loss(key: str, value: Any, _: Settings) -> Settings:
    """What is computed of an image and how images become one number.

    Only what explains the loss of a batch and that of the same batch twice is believed.
    """
    logits, labels = np.array(value["logits"]), np.array(value["labels"])
    traits = []
    for times, name in ((1, "once"), (2, "twice")):
        seen = np.array(value[name], np.float32)
        known = candidates(np.tile(logits, (times, 1)), np.tile(labels, times), float(seen))
        found = confirmed(seen, known, noise(seen))
        traits.append({"": "unknown", REDUCTION: "unknown"} if found is None else found.traits)
    said, again = traits
    if said != again:
        said = {"": f"unknown: {value['once']:.6g}", REDUCTION: "unknown"}
    kind = next((words for name, words in said.items() if name != REDUCTION), USUAL)
    return {f"{key}.function": kind, f"{key}.reduction": said.get(REDUCTION, MEAN)}


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
