"""What Keras tells its callbacks."""

from typing import Any

import numpy as np

Logs = dict[str, Any] | None


def number(logs: Logs, name: str) -> float:
    """A figure; NaN where it is not told."""
    return float((logs or {}).get(name, np.nan))


def accuracy_of(logs: dict[str, Any], *, held: bool = False) -> float | None:
    """The accuracy that the program has compiled, under one of Keras' names for it."""
    ends = (name for name in logs if name.endswith(("accuracy", "acc")))
    names = (name for name in ends if name.startswith("val_") == held)
    return next((float(logs[name]) for name in names), None)
