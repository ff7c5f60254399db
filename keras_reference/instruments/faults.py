"""Known mistakes, made on purpose.

Each is a patch of the real code for the length of one command, so that the catalogue of
`parity.faults` can prove that the alarms go off. Training itself knows nothing of this file.
"""

import contextlib
import dataclasses
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from keras_reference import __main__, model_file, train
from keras_reference.data import Digits, load_digits
from keras_reference.network import build

Fault = Callable[[], AbstractContextManager[Any]]
Ints = NDArray[np.int64]

PIXELS: dict[str, Callable[[Any], Any]] = {
    "raw pixels": lambda x: x * 255,
    "255 - x": lambda x: 255 - x * 255,
    "1 - x": lambda x: 1 - x,
    "x / 255 / 255": lambda x: x / 255,
    "1 - x / 255 / 255": lambda x: 1 - x / 255,
    "x * 255": lambda x: x * 255**2,
    "-1 to 1": lambda x: 2 * x - 1,
    "standardised": lambda x: (x - 0.13) / 0.31,
    "half contrast": lambda x: x / 2,
    "blank": lambda x: x * 0,
    "NaN pixels": lambda x: x / ops.sign(ops.sum(x, axis=(1, 2), keepdims=True) * 0),
    "cut to integers": ops.floor,
    "wrapped uint8": lambda x: (1 - ops.round(x * 255)) % 256 / 255,
    "half size": lambda x: ops.pad(
        ops.average_pool(x[..., None], 2, strides=2)[..., 0], [[0, 0], [7, 7], [7, 7]]
    ),
    "transposed": lambda x: ops.transpose(x, (0, 2, 1)),
    "mirrored": lambda x: ops.flip(x, axis=2),
    "upside down": lambda x: ops.flip(x, axis=1),
}
"""What happens to images float [N, 28, 28] in [0, 1] before the network gets them."""


@keras.saving.register_keras_serializable(package="faults")
class ChangedPixels(keras.layers.Layer):
    """Changes raw pixels so that the network gets ``PIXELS[change](x / 255)``."""

    def __init__(self, change: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.change = change

    def call(self, images: Any) -> Any:
        """Images float [N, 28, 28] from 0 to 255 to whatever the mistake makes of them."""
        return PIXELS[self.change](images / 255) * 255

    def get_config(self) -> dict[str, Any]:
        """For the saved model."""
        return {**super().get_config(), "change": self.change}


@contextlib.contextmanager
def _built(change: Callable[[keras.Sequential], keras.Sequential]) -> Iterator[None]:
    """The network is changed when it is built."""
    with mock.patch.object(train, "build", lambda *args: change(build(*args))):
        yield


@contextlib.contextmanager
def _loaded(change: Callable[[keras.Sequential], keras.Sequential]) -> Iterator[None]:
    """The network is changed when it is loaded."""
    right = model_file.load_model
    with mock.patch.object(train, "load_model", lambda path: change(right(path))):
        yield


def _pixels(change: str) -> Fault:
    """In training the saved network has the mistake in it, at test the loaded one gets it."""

    def changed(network: keras.Sequential) -> keras.Sequential:
        return keras.Sequential([keras.Input((28, 28)), ChangedPixels(change), *network.layers])

    return lambda: (_loaded if "predict" in sys.argv else _built)(changed)


@dataclasses.dataclass(frozen=True)
class Mistaken(Digits):
    """Digits whose training part is wrong, and which do not know it."""

    right: Digits

    def describe(self, val_size: int) -> dict[str, Any]:
        """What is believed of the data."""
        return self.right.describe(val_size)


def _data(change: Callable[[Digits], tuple[NDArray[np.uint8], Ints]]) -> Fault:
    """Training images and labels are changed once they have been read."""

    def load(source: str) -> Mistaken:
        right = load_digits(source)
        x_train, y_train = change(right)
        return Mistaken(x_train, y_train, right.x_test, right.y_test, right.name, right)

    return lambda: mock.patch.object(train, "load_digits", load)


def _labels(change: Callable[[Ints], Ints]) -> Fault:
    return _data(lambda digits: (digits.x_train, change(digits.y_train)))


def _without_sevens(digits: Digits) -> tuple[NDArray[np.uint8], Ints]:
    kept = digits.y_train != 7
    return digits.x_train[kept], digits.y_train[kept]


@contextlib.contextmanager
def _sorted() -> Iterator[None]:
    """The training part of the file is sorted, and `fit` is told not to shuffle."""
    right = keras.Model.fit

    def in_order(digits: Digits) -> tuple[NDArray[np.uint8], Ints]:
        count = len(digits.y_train)
        order = np.arange(count)
        part = count - round(count / 12)
        order[:part] = np.argsort(digits.y_train[:part], kind="stable")
        return digits.x_train[order], digits.y_train[order]

    def fit(self: keras.Model, *args: Any, **kwargs: Any) -> Any:
        return right(self, *args, **{**kwargs, "shuffle": False})

    with _data(in_order)(), mock.patch.object(keras.Model, "fit", fit):
        yield


def _last_layer(activation: str) -> Fault:
    """The logits go through one more layer."""

    def changed(network: keras.Sequential) -> keras.Sequential:
        network.add(keras.layers.Activation(activation))
        return network

    return lambda: _built(changed)


def _dense(change: Callable[[keras.layers.Dense], Any]) -> Callable[[Any], keras.Sequential]:
    def changed(network: keras.Sequential) -> keras.Sequential:
        for layer in network.layers:
            if isinstance(layer, keras.layers.Dense):
                change(layer)
        return network

    return changed


def _reversed_columns(network: keras.Sequential) -> keras.Sequential:
    last = network.layers[-1]
    last.kernel.assign(np.asarray(last.kernel)[:, ::-1])
    last.bias.assign(np.asarray(last.bias)[::-1])
    return network


def _steps(factor: float) -> Fault:
    """The optimiser gets the gradients times `factor`."""
    right = keras.optimizers.Optimizer.apply

    def apply(self: Any, grads: Any, trainable_variables: Any = None) -> Any:
        return right(self, [factor * grad for grad in grads], trainable_variables)

    return lambda: mock.patch.object(keras.optimizers.Optimizer, "apply", apply)


@contextlib.contextmanager
def _training_mode() -> Iterator[None]:
    right = keras.layers.Dropout.call

    def call(self: Any, inputs: Any, training: bool = False) -> Any:
        return right(self, inputs, training=True)

    with mock.patch.object(keras.layers.Dropout, "call", call):
        yield


@contextlib.contextmanager
def _stale() -> Iterator[None]:
    """The model that is tested has the weights of the start."""
    initial: list[Any] = []

    def keep(network: keras.Sequential) -> keras.Sequential:
        initial.extend(network.get_weights())
        return network

    def put_back(network: keras.Sequential) -> keras.Sequential:
        network.set_weights(initial)
        return network

    with _built(keep), _loaded(put_back):
        yield


FAULTS: dict[str, Fault] = {
    "none": contextlib.nullcontext,
    **{name: _pixels(name) for name in PIXELS},
    "labels shuffled": _labels(np.random.default_rng(0).permutation),
    "labels one image off": _labels(lambda y: np.roll(y, 1)),
    "labels plus one": _labels(lambda y: (y + 1) % 10),
    "4 and 9 swapped": _labels(lambda y: np.array([0, 1, 2, 3, 9, 5, 6, 7, 8, 4])[y]),
    "labels all 0": _labels(np.zeros_like),
    "no sevens": _data(_without_sevens),
    "sorted": _sorted,
    "softmax twice": _last_layer("softmax"),
    "sigmoid": _last_layer("sigmoid"),
    "ReLU on logits": _last_layer("relu"),
    "zero weights": lambda: _built(_dense(lambda layer: layer.kernel.assign(layer.kernel * 0))),
    "biases of -10": lambda: _built(_dense(lambda layer: layer.bias.assign(layer.bias - 10))),
    "no update": _steps(0.0),
    "gradient ascent": _steps(-1.0),
    "dropout on": _training_mode,
    "initial weights tested": _stale,
    "columns reversed": lambda: _loaded(_reversed_columns),
}
"""By name; the catalogue in `parity.faults.catalogue` says what each must lead to."""


def main() -> int:
    """Run the rest of the command line with the fault in place."""
    fault = sys.argv.pop(1)
    with FAULTS[fault]():
        return __main__.main()


if __name__ == "__main__":
    sys.exit(main())
