"""This side of the divergence ladder: what a ``fit`` command line compiles, one step at a time."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
from jsonargparse import Namespace
from numpy.typing import NDArray

from keras_reference.cli import make_parser
from keras_reference.compilation import compile_
from keras_reference.data import load_digits
from keras_reference.instruments.settings import effective_settings
from keras_reference.network import build as build_network
from parity.keras import LockStep as AnyLockStep

Table = dict[str, NDArray[Any]]


def build(flags: list[str], precision: str) -> "LockStep":
    """What ``python -m keras_reference`` with these flags trains, in "float64" or "float32"."""
    keras.backend.clear_session()
    keras.config.set_floatx(precision)
    parser = make_parser()
    config = parser.instantiate(parser.parse_args(flags))["fit"]
    keras.utils.set_random_seed(config.seed_everything)
    # Only standardising over the training images asks what these are.
    measured = config.model.standardize == "dataset"
    x_train = load_digits(config.data.source).x_train if measured else np.zeros((1, 28, 28), "u1")
    network = build_network(config.model, x_train)
    compile_(network, config.optimizer, config.model)
    return LockStep(network, config)


class LockStep(AnyLockStep):
    """A compiled network, and the flags that it is made from."""

    def __init__(self, network: keras.Sequential, config: Namespace) -> None:
        super().__init__(network)
        self.config = config

    def read(self, path: Path) -> Table:
        """The raw arrays."""
        digits = load_digits(str(path))
        return {name: getattr(digits, name) for name in ("x_train", "y_train", "x_test", "y_test")}

    def settings(self) -> dict[str, Any]:
        """What has been compiled, for `parity audit`."""
        return effective_settings(self.config, self.model)
