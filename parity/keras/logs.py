"""What Keras tells its callbacks."""

from typing import Any

import numpy as np

Logs = dict[str, Any] | None


def number(logs: Logs, name: str) -> float:
    """A figure; NaN where it is not told."""
    return float((logs or {}).get(name, np.nan))


def accuracy_of(logs: dict[str, Any]) -> float | None:
    """The accuracy that the program has compiled, under one of Keras' names for it."""
    names = (n for n in logs if n.endswith(("accuracy", "acc")) and not n.startswith("val_"))
    return next((float(logs[name]) for name in names), None)
