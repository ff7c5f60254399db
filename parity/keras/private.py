"""The one place that asks TensorFlow and Keras for what they give no public name."""

import random
from importlib import import_module
from typing import Any

SEEDS = "global_seed_generator"
"""What Keras keeps for operations that are given no seed."""


def operation_seeds() -> random.Random | None:
    """What seeds of TensorFlow's operations are drawn from, after ``tf.random.set_seed``."""
    context = _private("tensorflow.python.eager.context", "context")
    return None if context is None else getattr(context(), "_rng", None)


def global_generator() -> Any:
    """TensorFlow's own ``tf.random.Generator``, which the public name makes where there is none."""
    return _private("tensorflow.python.ops.stateful_random_ops", "global_generator")


def global_seeds() -> Any:
    """Keras' own ``keras.random.SeedGenerator``."""
    return getattr(_keras(), SEEDS, None)


def forget_global_seeds() -> None:
    """As before Keras' own seed generator was made, of a seed that it draws from Python."""
    if (kept := _keras()) is not None:
        setattr(kept, SEEDS, None)


def _keras() -> Any:
    return _private("keras.src.backend.common.global_state", "GLOBAL_STATE_TRACKER")


def _private(module: str, name: str) -> Any:
    """None where another version has it no more: its state is then left as it is after a look."""
    try:
        return getattr(import_module(module), name, None)
    except ImportError:
        return None
