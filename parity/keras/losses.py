"""What is known of the loss that a Keras model was compiled with."""

from typing import Any

import keras

from parity.keras.names import snake_case
from parity.watch.check import Loss

_KINDS: dict[str, Any] = {
    "categorical_crossentropy": ("categorical", "rows"),
    "categorical_focal_crossentropy": ("categorical", "rows"),
    "sparse_categorical_crossentropy": ("categorical", "numbers"),
    "binary_crossentropy": ("binary", ""),
    "binary_focal_crossentropy": ("binary", ""),
    "mean_squared_error": ("distance", ""),
    "mean_absolute_error": ("distance", ""),
    "huber": ("distance", ""),
    "log_cosh": ("distance", ""),
    "poisson": ("", ""),
    "mean_absolute_percentage_error": ("", ""),
    "mean_squared_logarithmic_error": ("", ""),
}
"""Kind of a loss and the targets that it takes, by Keras' name."""


def loss_of(given: Any, last: str) -> Loss | None:
    """The loss that a model was compiled with; None where it is none of Keras', or several."""
    given = given[0] if isinstance(given, list | tuple) and len(given) == 1 else given
    if isinstance(given, str):
        given = keras.losses.get(given)
    own = type(given) if isinstance(given, keras.losses.Loss) else given
    if not getattr(own, "__module__", "").startswith("keras."):
        return None
    name = snake_case(getattr(own, "__name__", ""))
    kind, targets = _KINDS.get(name, ("", ""))
    takes: Any = ""
    if kind in ("categorical", "binary"):
        takes = "logits" if getattr(given, "from_logits", False) else "probabilities"
    return Loss(name, kind, takes, targets, undoes=last in ("softmax", "sigmoid"))
