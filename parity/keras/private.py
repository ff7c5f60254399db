"""The one place that asks TensorFlow and Keras for what they give no public name."""

import inspect
import random
from importlib import import_module
from typing import Any

SEEDS = "global_seed_generator"
"""What Keras keeps for operations that are given no seed."""
FRAMES = 12
"""Callers among which ``fit`` is looked for: a guard may be called by one derived from it."""


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


def given_to_fit(callback: Any) -> dict[str, Any]:
    """Arguments of the ``fit`` that calls this callback now, by its own names for them.

    ``callbacks`` is a sequence; nothing is given in a loop of one's own.
    """
    frame = inspect.currentframe()
    for _ in range(FRAMES):
        frame = None if frame is None else frame.f_back
        if frame is None or frame.f_code.co_name != "fit":
            continue
        beside = getattr(frame.f_locals.get("callbacks"), "callbacks", ())
        if frame.f_locals.get("self") is callback.model and callback in beside:
            return {**frame.f_locals, "callbacks": beside}
    return {}


def layers_within(model: Any) -> list[Any]:
    """A model and all its layers, also those within layers; else the outer ones."""
    flatten = getattr(model, "_flatten_layers", None)
    return [model, *getattr(model, "layers", ())] if flatten is None else list(flatten())


def given_to_compile(model: Any) -> dict[str, Any]:
    """Arguments of a model's ``compile`` as they were given: its public config serialises them."""
    return getattr(getattr(model, "_compile_config", None), "config", None) or {}


def _keras() -> Any:
    return _private("keras.src.backend.common.global_state", "GLOBAL_STATE_TRACKER")


def _private(module: str, name: str) -> Any:
    """None where another version has it no more: its state is then left as it is after a look."""
    try:
        return getattr(import_module(module), name, None)
    except ImportError:
        return None
