"""The reference: the same network in Keras, written independently of `lightning_mnist`.

The two packages share files, flags and what watches a training (`parity`), and nothing that
computes a model: a bug that both had could not be seen by comparing them. Importing the package is
cheap; TensorFlow loads with the modules that need it.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

import parity  # noqa: F401 - it sees to it that Lightning can be imported beside Keras

if TYPE_CHECKING:
    from keras_reference.errors import InputError
    from parity.watch.alarm import CollapsedError

    __version__: str

# TensorFlow prints its build options and the absence of a GPU on every start.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # the same result on every processor

_HOMES = {"CollapsedError": "parity.watch.alarm", "InputError": "keras_reference.errors"}
__all__ = ["CollapsedError", "InputError", "__version__"]


def __getattr__(name: str) -> Any:
    """Import what is asked for."""
    if name == "__version__":
        from importlib.metadata import version

        return version("lightning-mnist")
    if name not in _HOMES:
        raise AttributeError(f"module 'keras_reference' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
