"""What measured steps of an optimiser say, by the step functions and the words of its readings."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from parity.arrays import Floats
from parity.readings.optimizer.record import flat
from parity.readings.optimizer.rule import Rule, simulate
from parity.readings.optimizer.table import FAMILIES, SETTINGS
from parity.readings.optimizer.words import BIASES, DECAYS, PLACES
from parity.readings.trace import Trace

Settings = dict[str, Any]
PREFIX = "optimizer."
TOLERANCE = 1e-6
"""Relative; the rounding of beta_2 that is to be seen is 6e-6."""
FIELDS = {
    "beta_1": "beta_1", "beta_2": "beta_2", "adam_beta_1": "beta_1", "adam_beta_2": "beta_2",
    "rho": "beta_2", "initial_accumulator_value": "accumulator",
}  # fmt: skip
"""Keras' names of numbers, and the fields of a rule."""


def read_optimizer(settings: Settings) -> Settings:
    """`settings` with the optimiser's under its family's name, its measurements read."""
    family = settings.get("optimizer.family", "optimizer")
    own = {k.removeprefix(PREFIX): v for k, v in settings.items() if k.startswith(PREFIX)}
    values = {k: v for k, v in settings.items() if not k.startswith(PREFIX)}
    if not own:
        return values
    del own["family"]
    first = own.pop("first_step", None)
    # Keras' AdamW is its Adam in all that is measured, and so is Muon on what is no matrix.
    kind = "adam" if family == "muon" else family.removesuffix("w")
    known = next((name for name in FAMILIES if name.lower() == kind), None)
    if known is not None:
        numbers = {FIELDS[name]: value for name, value in own.items() if name in FIELDS}
        own |= _measured(Rule(known, rates=(1.0,)).having(numbers), own, first)
    return {
        **values,
        "optimizer.family": family,
        **{f"{PREFIX}{family}.{name}": value for name, value in own.items()},
    }


def _measured(rule: Rule, own: Settings, first: float | None) -> Settings:
    """What the measurements among `own` say, and the `first` step by a gradient of 1."""
    found: Settings = {}
    if "weight_decay_kind" in own:
        found["weight_decay_kind"] = _decay(rule, **own["weight_decay_kind"])
    if "epsilon_place" in own:
        found["epsilon_place"] = _place(rule, **own["epsilon_place"])
    tiny = replace(rule, epsilon=1e-30)
    if rule.family == "Adam" and first is not None:
        rules = (tiny.having({"bias": bias}) for bias in BIASES)
        found["bias_correction"] = _told("bias correction", first, rules, _step)
    elif rule.family == "Nadam" and first is not None:
        rules = (replace(tiny, momentum_decay=decay) for decay in (1.0, 0.004))
        found["momentum_warm_up"] = _told("momentum schedule", first, rules, _step)
    return found


def _decay(rule: Rule, rate: float, decay: float, weights: list[float]) -> str:
    """From two steps of a weight of 1 without a gradient."""
    for kind, text in DECAYS.items():
        tried = rule.having({"decay": decay, "decay_kind": kind, "rates": (rate, rate)})
        moves = _moves(tried, [1.0, weights[0]], [0.0, 0.0])
        decoupled = kind != "coupled"
        if decoupled and np.allclose(moves, np.diff([1.0, *weights]), rtol=TOLERANCE, atol=0):
            return text
    return DECAYS["coupled"]


def _place(rule: Rule, gradient: float, epsilon: float, **steps: float) -> str:
    """From how much a large epsilon shortens the first step."""

    def shortened(tried: Rule) -> float:
        large, none = (replace(tried, epsilon=size) for size in (epsilon, 1e-30))
        return _step(large, gradient) / _step(none, gradient)

    places = [at for family, at in PLACES if family == rule.family]
    rules = (rule.having({"epsilon_at": at}) for at in (*places, "inside"))
    return _told("epsilon's place", steps["with"] / steps["without"], rules, shortened, 1e-4)


def _told(
    name: str,
    measured: float,
    rules: Iterable[Rule],
    measure: Callable[[Rule], float],
    tolerance: float = TOLERANCE,
) -> str:
    """The words of a setting for the rule of which `measure` gives what was measured."""
    rule = min(rules, key=lambda rule: abs(measure(rule) - measured))
    if not math.isclose(measure(rule), measured, rel_tol=tolerance):
        return f"unknown: {measured:.7g}"
    return next(setting for setting in SETTINGS if setting.name == name).said(rule)


def _step(rule: Rule, gradient: float = 1.0) -> float:
    """How far the first step goes, as a multiple of the learning rate."""
    return -float(_moves(rule, [1.0], [gradient])[0])


def _moves(rule: Rule, weights: Sequence[float], gradients: Sequence[float]) -> Floats:
    """What each step adds to a single weight."""
    before, given = (
        [{"weight": np.array([value])} for value in values] for values in (weights, gradients)
    )
    moves: Floats = simulate(rule, flat(Trace(before, given, before)))[:, 0]
    return moves
