"""The file in which weights are exchanged with other frameworks: a checked ``.safetensors``.

What it holds: float32 tensors named after their layers in order, ``dense_1.kernel`` [in, out],
``dense_1.bias`` [out], ``batch_norm_1.scale|offset|mean|variance`` [out], ``dense_2.kernel``, ...,
and as metadata ``format``, ``version``, ``config`` (JSON, see `CONFIG`) and ``sha256``, of config
and tensors in this order: nothing else in the file would notice a flipped bit.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from keras_reference.config import MOST_LAYERS, Function, ModelConfig
from keras_reference.errors import InputError
from parity.files import opened
from parity.writing import written_whole

MOST_BYTES, MOST_HEADER = 2**31, 2**21
"""Of a file, and of its list of tensors: a thousand layers have a few hundred thousand."""
Config = dict[str, Any]
Tensors = dict[str, NDArray[np.float32]]
NORMALIZATIONS = [{"epsilon": 1e-3, "momentum": 0.99}, {"epsilon": 1e-5, "momentum": 0.9}]
"""Of batch norm, as Keras and as torch have it; momentum in Keras' sense."""
_TYPES = get_type_hints(ModelConfig)
ACTIVATIONS: tuple[str, ...] = get_args(Function)
STANDARDIZATIONS: tuple[str, ...] = _TYPES["standardize"].__args__


def _single(value: Any) -> bool:
    with np.errstate(over="ignore"):
        return isinstance(value, float) and abs(value) < 1e30 and float(np.float32(value)) == value


CONFIG: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "hidden": (
        f"a list of at most {MOST_LAYERS:,} widths, each at least 1",
        lambda v: (
            isinstance(v, list)
            and len(v) <= MOST_LAYERS
            and all(type(item) is int and item >= 1 for item in v)
        ),
    ),
    "activation": (
        f"one of {', '.join(ACTIVATIONS)}, or a list of one for each layer where they differ",
        lambda v: (
            v in ACTIVATIONS
            or (isinstance(v, list) and all(n in ACTIVATIONS for n in v) and len(set(v)) > 1)
        ),
    ),
    "dropout": ("at least 0.0, below 1.0", lambda v: isinstance(v, float) and 0 <= v < 1),
    "batch_norm": (
        " or ".join(["null", *map(json.dumps, NORMALIZATIONS)]),
        lambda v: v is None or v in NORMALIZATIONS,
    ),
    "invert": ("true or false", lambda v: isinstance(v, bool)),
    "standardize": (f"one of {', '.join(STANDARDIZATIONS)}", lambda v: v in STANDARDIZATIONS),
    "mean": ("a float32; what dataset subtracts", _single),
    "std": (
        "a float32 of at least 1e-07; what dataset divides by",
        lambda v: _single(v) and v >= 1e-7,
    ),
}
"""Every key of the config: what is expected of it, in words and as a test."""


def write(path: Path, config: Config, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Write a network; the file is whole or not there.

    Raises:
        InputError: config and tensors are not those of one network in float32, all finite.
    """
    _check_config(config)
    _check_kinds({name: (array.dtype.name, array.shape) for name, array in tensors.items()}, config)
    arrays = {name: np.asarray(tensors[name], np.float32, order="C") for name in _shapes(config)}
    _check_numbers(arrays)
    text = json.dumps(config)
    metadata = {"format": "mlp", "version": "1", "config": text, "sha256": _sha256(text, arrays)}
    with written_whole(path) as temporary:
        temporary.write_bytes(save(arrays, metadata))  # save_file would shut out other users


def read(path: Path) -> tuple[Config, Tensors]:
    """Read a network.

    Raises:
        InputError: there is none, or the file is not whole, not sound, or of something else.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected a .safetensors of a network")
    try:
        with opened(path, MOST_BYTES) as start:  # a million tensors take a minute
            if (length := int.from_bytes(start.read(8), "little")) > MOST_HEADER:
                raise InputError(f"a header of {length:,} bytes; expected at most {MOST_HEADER:,}")
        with safe_open(path, framework="numpy") as file:
            metadata: dict[str, str] = file.metadata() or {}
            config = _config(metadata)
            _check_kinds(dict(_kinds(file)), config)
            arrays = {name: file.get_tensor(name) for name in _shapes(config)}
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (OSError, ValueError, SafetensorError) as error:
        said = " ".join(str(error).split())
        raise InputError(f"{path}: cannot be read as .safetensors, cut off? ({said})") from error
    try:
        if _sha256(metadata["config"], arrays) != metadata.get("sha256"):
            raise InputError("damaged, or changed by hand: it does not have the SHA-256 it names")
        _check_numbers(arrays)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return config, arrays


def _config(metadata: Mapping[str, str]) -> Config:
    kind = metadata.get("format"), metadata.get("version")
    if kind != ("mlp", "1"):
        said = " version ".join(str(part)[:40] for part in kind)
        raise InputError(f"a file of another kind (format {said}); expected format mlp version 1")
    try:
        config = json.loads(metadata.get("config", ""))
    except (ValueError, RecursionError) as error:
        raise InputError(f"its config is not JSON ({str(error)[:80]})") from None
    if not isinstance(config, dict):
        raise InputError("its config is JSON, but no object")
    _check_config(config)
    return config


def _check_config(config: Config) -> None:
    if odd := sorted(set(config) ^ set(CONFIG)):
        raise InputError(f"its config has missing or unknown keys: {', '.join(odd)[:100]}")
    for key, (expected, test) in CONFIG.items():
        if not test(config[key]):
            raise InputError(f"its config says {key} {config[key]!r:.80}; expected {expected}")
    functions, hidden = config["activation"], config["hidden"]
    if isinstance(functions, list) and len(functions) != len(hidden):
        raise InputError(
            f"its config says activation {functions!r:.80} for {len(hidden)} hidden layers"
        )


def _shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """What each tensor's shape must be, from the first layer to the last."""
    shapes: dict[str, tuple[int, ...]] = {}
    inputs = 28 * 28
    for place, units in enumerate([*config["hidden"], 10], 1):
        shapes |= {f"dense_{place}.kernel": (inputs, units), f"dense_{place}.bias": (units,)}
        if config["batch_norm"] and place <= len(config["hidden"]):
            names = ("scale", "offset", "mean", "variance")
            shapes |= {f"batch_norm_{place}.{name}": (units,) for name in names}
        inputs = units
    return shapes


def _kinds(file: Any) -> list[tuple[str, tuple[str, tuple[int, ...]]]]:
    """Name, type and shape of each tensor, before any of them is read."""
    slices = [(name, file.get_slice(name)) for name in file.keys()]  # noqa: SIM118
    return [
        (name, (part.get_dtype().replace("F32", "float32"), tuple(part.get_shape())))
        for name, part in slices
    ]


def _check_kinds(kinds: Mapping[str, tuple[str, tuple[int, ...]]], config: Config) -> None:
    shapes = _shapes(config)
    for name in [*shapes, *kinds]:
        if name not in kinds:
            raise InputError(f"has no tensor {name}, which a network of its config has")
        if name not in shapes:
            raise InputError(f"has a tensor {name[:60]}, which no network of its config has")
        dtype, shape = kinds[name]
        if dtype != "float32":
            raise InputError(f"{name} is {dtype}; only float32 is exchanged")
        if shape != shapes[name]:
            raise InputError(f"{name} has shape {shape}; expected {shapes[name]}")


def _check_numbers(arrays: Tensors) -> None:
    for name, array in arrays.items():
        if not np.all(np.isfinite(array)):
            raise InputError(f"{name} is not finite everywhere: the model is broken")
        if name.endswith(".variance") and np.any(array < 0):
            raise InputError(f"{name} is below 0 somewhere: the model is broken")


def _sha256(text: str, arrays: Tensors) -> str:
    parts = [text.encode(), *(array.astype("<f4").tobytes() for array in arrays.values())]
    return hashlib.sha256(b"".join(parts)).hexdigest()
