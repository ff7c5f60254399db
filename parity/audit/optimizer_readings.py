"""What measured steps of an optimiser say: epsilon's place, the kind of decay, the correction."""

import math
from typing import Any

import numpy as np

Settings = dict[str, Any]
PREFIX = "optimizer."
TOLERANCE = 1e-6
"""Relative; the rounding of beta_2 that is to be seen is 6e-6."""


def read_optimizer(settings: Settings) -> Settings:
    """`settings` with the optimiser's under its family's name, its measurements read."""
    family = settings.get("optimizer.family", "optimizer")
    own = {k.removeprefix(PREFIX): v for k, v in settings.items() if k.startswith(PREFIX)}
    values = {k: v for k, v in settings.items() if not k.startswith(PREFIX)}
    if not own:
        return values
    del own["family"]
    if "weight_decay_kind" in own:
        own["weight_decay_kind"] = _decay(**own["weight_decay_kind"])
    if "epsilon_place" in own:
        own["epsilon_place"] = _place(family, own)
    first = own.pop("first_step", None)
    if family in ("adam", "adamw"):
        own["bias_correction"] = _correction(first, own["beta_1"], own["beta_2"])
    elif family == "nadam":
        own["momentum_warm_up"] = _warm_up(first, own["beta_1"])
    return {
        **values,
        "optimizer.family": family,
        **{f"{PREFIX}{family}.{name}": value for name, value in own.items()},
    }


def _decay(rate: float, decay: float, weights: list[float]) -> str:
    """From two steps of a weight of 1 without a gradient."""
    for text, share in {
        "decoupled": rate * decay,
        "decoupled, without the learning rate": decay,
    }.items():
        if np.allclose(weights, [1 - share, (1 - share) ** 2], rtol=TOLERANCE, atol=0):
            return text
    return "L2, added to the gradient"


def _place(family: str, own: Settings) -> str:
    """From how much a large epsilon shortens the first step."""
    measured = own["epsilon_place"]
    gradient, epsilon = measured["gradient"], measured["epsilon"]
    if family == "rmsprop":
        root, correction = math.sqrt(1 - own["rho"]) * gradient, 1.0
    elif family == "adagrad":
        root, correction = math.sqrt(own["initial_accumulator_value"] + gradient**2), 1.0
    else:
        correction = math.sqrt(1 - own["beta_2"])
        root = correction * gradient
    corrected = correction != 1
    known = {
        "added to the root" + ", before the bias correction" * corrected: (root, epsilon),
        "added to the root" + ", after the bias correction" * corrected: (
            root, correction * epsilon,
        ),
    }  # fmt: skip
    shares = {text: root / (root + added) for text, (root, added) in known.items()}
    shares["inside the root"] = root / math.sqrt(root**2 + epsilon)
    found = measured["with"] / measured["without"]
    return _nearest(found, shares, 1e-4)


def _correction(first: float, beta_1: float, beta_2: float) -> str:
    """From the first step of a gradient of 1, as a multiple of the learning rate."""

    def step(b1: float, b2: float) -> float:
        return math.sqrt((1 - b2) / (1 - beta_2)) * (1 - beta_1) / (1 - b1)

    known = {
        "exact": 1.0,
        "betas rounded to float32": step(float(np.float32(beta_1)), float(np.float32(beta_2))),
        "none": (1 - beta_1) / math.sqrt(1 - beta_2),
    }
    return _nearest(first, known, TOLERANCE)


def _warm_up(first: float, beta_1: float) -> str:
    """The same of Nadam, whose momentum is ``beta_1 * (1 - 0.96 ** (t * decay) / 2)``."""
    known = {}
    for decay in (1.0, 0.004):
        now, following = (beta_1 * (1 - 0.96 ** (t * decay) / 2) for t in (1, 2))
        step = 1 + following * (1 - beta_1) / (1 - now * following)
        known[f"0.96 to the power of {'' if decay == 1 else f'{decay:g} * '}t"] = step
    return _nearest(first, known, TOLERANCE)


def _nearest(found: float, known: dict[str, float], tolerance: float) -> str:
    text = min(known, key=lambda name: abs(known[name] - found))
    return text if math.isclose(known[text], found, rel_tol=tolerance) else f"unknown: {found:.7g}"
