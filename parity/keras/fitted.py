"""What layers that are fitted to data before a training make of it: vocabularies, scalings."""

from typing import Any

import keras
import numpy as np
from keras import layers as kl

from parity.keras.calls import Call, as_array
from parity.keras.names import kind_of
from parity.keras.outputs import kernel, untrained
from parity.watch.check.adapting import WORDS
from parity.watch.check.parts import Fitted

LOOKING_UP = (kl.TextVectorization, kl.StringLookup, kl.IntegerLookup)


def fitted(calls: list[Call]) -> Fitted:
    """As a `Program` tells it."""
    return Fitted(_least_known(calls), _unadapted(calls), *_varies(calls))


def _least_known(calls: list[Call]) -> float | None:
    """Share of words that are not in the vocabulary of the layer that knows least of them.

    Where none looks words up, it is the share that one number has of all that the first embedding
    is asked for, without padding.
    """
    shares = [_unknown(call) for call in calls if isinstance(call.layer, LOOKING_UP)]
    known = [share for share in shares if share is not None]
    if known:
        return max(known)
    first = next((call for call in calls if kind_of(call) == "embedding"), None)
    table = None if first is None else kernel(first)
    if first is None or table is None or table.shape[0] < WORDS:
        return None
    return _share(as_array(first.inputs), 1)


def _unknown(call: Call) -> float | None:
    words = list(call.layer.get_vocabulary())
    own = -1 if isinstance(call.layer, kl.IntegerLookup) else "[UNK]"
    config = call.layer.get_config()  # `TextVectorization` has no attribute for its mode
    if own not in words or config.get("invert"):
        return None
    place, values = words.index(own), as_array(call.outputs)
    if config["output_mode"] == "int":
        return _share(values, place)
    counted = np.abs(values.reshape(-1, values.shape[-1])).sum(axis=0)
    return float(counted[place] / counted.sum()) if counted.sum() else None


def _share(numbers: Any, of: int) -> float | None:
    """Of one number among those that are not 0, which is padding unless it is that number."""
    words = numbers if of == 0 else numbers[numbers != 0]
    return float((words == of).mean()) if words.size else None


def _unadapted(calls: list[Call]) -> bool:
    """Whether a `Normalization` was never fitted."""
    for call in calls:
        own = call.layer
        if not isinstance(own, keras.layers.Normalization) or own.input_mean is not None:
            continue
        mean, variance = as_array(own.mean), as_array(own.variance)
        if not mean.any() and (variance == 1).all():
            return True
    return False


def _varies(calls: list[Call]) -> tuple[float | None, bool]:
    """What `Fitted` says of the first batch normalisation; those behind it follow from it."""
    first = next((c for c in calls if isinstance(c.layer, kl.BatchNormalization)), None)
    if first is None or untrained(first.layer):
        return None, False
    values, known = as_array(first.inputs), as_array(first.layer.moving_variance)
    if first.layer.axis not in (-1, values.ndim - 1) or values.dtype.kind != "f":
        return None, False
    own = values.reshape(-1, values.shape[-1]).astype(np.float64).var(axis=0)
    ratio = float(np.median(np.sqrt(own / (known + first.layer.epsilon))))
    return ratio, not first.layer.trainable
