"""A model and its files: read in safe mode, weights from them and into them, what it may be fed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
from numpy.typing import NDArray

from parity.errors import line_of
from parity.keras import private
from parity.keras.calls import as_array, unchanged, watch
from parity.keras.names import named_calls

Array = NDArray[Any]

_UNNAMED = ("vars", "layers")

CALLED = "name"
"""What the program calls a layer: this attribute of it."""


def read_model(path: Path) -> keras.Model:
    """Read a whole model, which cannot bring code of its own.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        model = keras.models.load_model(path, safe_mode=True, compile=False)
    except Exception as error:  # zipfile, h5py and Keras raise a dozen kinds on damaged files
        said = " ".join(str(error).split())[:300]
        if "No model config" in said:
            said = f"weights only: give the program that builds it, as MODULE:FUNCTION@{path.name}"
        raise ValueError(f"{path}: cannot be read as a model ({said})") from error
    return model


def load_weights(model: keras.Model, path: Path) -> None:
    """Take the weights of a file.

    Raises:
        ValueError: they are not those of the model.
    """
    try:
        if path.suffix == ".keras":
            model.set_weights(read_model(path).get_weights())
        else:
            model.load_weights(path)
    except Exception as error:  # of many kinds, as above
        said = " ".join(str(error).split())[:300]
        raise ValueError(f"{path}: not the weights of {model.name} ({said})") from error


def read_weights(path: Path) -> dict[str, Array]:
    """The arrays of a ``.weights.h5`` by ``layer.number``, in Keras' layout.

    Raises:
        ValueError: it cannot be read.
    """
    found: dict[str, Array] = {}

    def visit(name: str, thing: Any) -> None:
        if isinstance(thing, h5py.Dataset) and not name.startswith("optimizer"):
            if thing.nbytes > size or thing.external or thing.is_virtual:
                raise ValueError(f"{name} has shape {thing.shape} and is not within the file")
            *around, number = name.split("/")
            layer = "/".join(part for part in around if part not in _UNNAMED)
            found[f"{layer}.{number}"] = np.asarray(thing)

    size = path.stat().st_size
    try:
        with h5py.File(path) as file:
            file.visititems(visit)
    except Exception as error:  # h5py raises a dozen kinds on damaged files
        raise ValueError(f"{path}: cannot be read ({' '.join(str(error).split())[:200]})") from None
    return found


def write(model: keras.Model, path: Path) -> None:
    """Write the model, or its weights, as the ending says."""
    if path.name.endswith(".weights.h5"):
        model.save_weights(path)
    else:
        model.save(path)


def takes(model: keras.Model) -> tuple[tuple[int, ...], str] | None:
    """Shape of one sample, and "float32" or "int64"; None for a subclass that does not tell.

    Raises:
        ValueError: the model takes several inputs.
    """
    given: Any = getattr(model, "inputs", None)
    if given and len(given) > 1:
        raise ValueError(f"{model.name} takes {len(given)} inputs; expected one")
    shape = given[0].shape if given else (model.get_build_config() or {}).get("input_shape")
    if not shape or not all(size is None or isinstance(size, int) for size in shape):
        return None
    sizes = tuple(size or (16 if len(shape) < 4 else 64) for size in shape[1:])
    flat = private.layers_within(model)
    embeds = any(isinstance(layer, keras.layers.Embedding) for layer in flat)
    return sizes, "int64" if embeds else "float32"


def ways(x: Array) -> Iterator[tuple[str, Array]]:
    """How a batch may be given to a model, the likeliest first, in words."""
    yield "as it is", x
    if x.ndim == 4:
        yield "channels last", np.moveaxis(x, 1, -1).copy()
        if 1 in x.shape[1:]:
            yield "without the channel", np.squeeze(x, x.shape[1:].index(1) + 1)
    if x.ndim == 3:
        yield "with a channel", x[..., None]
        yield "with a channel first", x[:, None]
    if x.ndim > 2:
        yield "flattened", x.reshape(len(x), -1)
    side = round(x.shape[-1] ** 0.5) if x.ndim == 2 else 0
    if side > 1 and side * side == x.shape[-1]:
        yield "as images", x.reshape(len(x), side, side)
        yield "as images with a channel", x.reshape(len(x), side, side, 1)


def complaint(model: keras.Model, x: Array) -> str:
    """Why the model does not take such a batch; empty where it does."""
    known = takes(model)
    if known is not None and getattr(model, "inputs", None):
        shape = model.inputs[0].shape[1:]
        fits = len(shape) == x.ndim - 1 and all(
            n in (None, m) for n, m in zip(shape, x.shape[1:], strict=True)
        )
        return "" if fits else f"its input is {[None, *shape]}"
    try:
        with unchanged(model):
            model(x)
    except Exception as error:  # a model is anyone's code
        return line_of(error)
    return ""


def answer(model: keras.Model, x: Array) -> dict[str, Array]:
    """What each layer gives, and last what the model gives, as ``answer``."""
    with unchanged(model, x):
        outputs, calls = watch(model, x)
    named = {name: as_array(call.outputs) for name, call in named_calls(calls)}
    return named | {"answer": as_array(outputs)}
