"""What an optimiser holds, and what it does with a single weight."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

Settings = dict[str, Any]
NOT_ARITHMETIC = {
    "name", "clipnorm", "global_clipnorm", "clipvalue", "gradient_accumulation_steps",
    "ema_momentum", "ema_overwrite_frequency",
}  # fmt: skip
"""What is told otherwise, or says nothing by itself."""
NEUTRAL: Settings = {
    "use_ema": False, "loss_scale_factor": None, "exclude_layers": [], "exclude_embeddings": True,
}  # fmt: skip
"""What torch does not have, and what means that Keras does not either."""
OFF = {
    "weight_decay": 0.0, "momentum": 0.0, "nesterov": False, "centered": False, "amsgrad": False,
}  # fmt: skip
"""What would hide what a measurement is after."""


def optimizer_settings(
    optimizer: keras.optimizers.Optimizer, variables: Mapping[str, keras.Variable]
) -> Settings:
    """Numbers that the optimiser holds, and measurements on a weight of its own."""
    held = optimizer.get_config()
    kind = type(optimizer)
    values: Settings = {
        "family": kind.__name__.lower(),
        "implementation": f"keras.optimizers.{kind.__name__}",
        "clip": _clip(held),
        "accumulated_batches": held.get("gradient_accumulation_steps") or 1,
        **{
            name: value
            for name, value in held.items()
            if name not in NOT_ARITHMETIC and NEUTRAL.get(name, object()) != value
        },
        "weight_decay": held.get("weight_decay") or 0.0,
        "weight_decay_kind": _decay(optimizer),
        "weight_decay_on": _decayed(optimizer, variables),
    }
    if "epsilon" in held:
        values["epsilon_place"] = {
            "gradient": 0.1,
            "epsilon": 0.01,
            "with": _step(optimizer, 0.1, epsilon=0.01),
            "without": _step(optimizer, 0.1, epsilon=1e-30),
        }
        rate = 0.125  # exact in float32
        values["first_step"] = _step(optimizer, 1.0, epsilon=1e-30, learning_rate=rate) / rate
    if held.get("momentum"):
        values["momentum_rate"] = _coasts(optimizer)
    return {f"optimizer.{name}": value for name, value in values.items()}


def _clip(held: Settings) -> str:
    names = {"clipvalue": "value", "clipnorm": "each norm", "global_clipnorm": "global norm"}
    given = [f"{text} {held[name]:g}" for name, text in names.items() if held.get(name)]
    return " and ".join(given) or "none"


def _probe(
    optimizer: keras.optimizers.Optimizer, **changes: Any
) -> tuple[keras.Variable, keras.optimizers.Optimizer]:
    """A weight of 1 in float64, and an optimiser of the same kind for it."""
    held = optimizer.get_config()
    known = {name: value for name, value in changes.items() if name in held}
    weight = keras.Variable(np.ones(1), dtype="float64")
    return weight, type(optimizer).from_config(held | known)


def _move(
    weight: keras.Variable, optimizer: keras.optimizers.Optimizer, gradients: Sequence[float]
) -> list[float]:
    """The weight after each step."""
    values = []
    for gradient in gradients:
        optimizer.apply([keras.ops.full((1,), gradient, dtype="float64")], [weight])
        values.append(float(keras.ops.convert_to_numpy(weight)[0]))
    return values


def _step(optimizer: keras.optimizers.Optimizer, gradient: float, **changes: float) -> float:
    """How far the first step goes."""
    return 1 - _move(*_probe(optimizer, **(OFF | changes)), [gradient])[0]


def _decay(optimizer: keras.optimizers.Optimizer) -> Settings:
    """Two steps of a weight of 1 without a gradient."""
    rate, decay = 0.1, 0.2
    weights = _move(*_probe(optimizer, learning_rate=rate, weight_decay=decay), [0.0, 0.0])
    return {"rate": rate, "decay": decay, "weights": weights}


def _decayed(optimizer: keras.optimizers.Optimizer, variables: Mapping[str, keras.Variable]) -> str:
    """What weight decay shrinks, where there is any."""
    learned = {name: variable for name, variable in variables.items() if variable.trainable}
    spared = [name for name, each in learned.items() if not optimizer._use_weight_decay(each)]
    return f"all but {', '.join(spared)}" if spared and optimizer.weight_decay else "all"


def _coasts(optimizer: keras.optimizers.Optimizer) -> str:
    """Whether a rate of 0 stops the momentum that earlier steps have left."""
    weight, probe = _probe(optimizer, weight_decay=0.0)
    (before,) = _move(weight, probe, [1.0])
    probe.learning_rate = 0.0
    (after,) = _move(weight, probe, [0.0])
    return "multiplies what leaves it" if after == before else "multiplies what enters it"
