"""A ``.keras`` file before Keras sees it: whole, and no larger than it says.

Keras makes the layers that its configuration names before it looks at their weights, and HDF5 may
promise arrays that it does not hold, or those of other files. Needs no framework.
"""

import json
import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import h5py

from keras_reference.errors import InputError
from parity.files import opened
from parity.seal import check_seal

HDF5 = b"\x89HDF"
CONFIG, WEIGHTS = "config.json", "model.weights.h5"
MOST_BYTES = 2**31
"""Of a file, and of what is in it."""
MOST_CONFIG_BYTES = 2**22
MOST_LAYERS = 1_000
FEW = 2**16
"""Weights of a layer that need no proof."""


def check_model_file(path: Path) -> None:
    """Refuse what is no ``.keras``, is damaged, or promises more weights than it holds.

    Raises:
        InputError: it is, or is not a file.
    """
    if not path.is_file():
        raise InputError(f"--model_file {path}: no such file; expected a .keras")
    try:
        with opened(path, MOST_BYTES) as file:
            if file.read(len(HDF5)) == HDF5:
                raise InputError(
                    "is HDF5, Keras' older format, which cannot be read safely; load it in a "
                    "program that you trust and save it as .keras"
                )
            check_seal(file)
            with zipfile.ZipFile(file) as archive:
                _check(archive)
    except InputError as error:
        raise InputError(f"--model_file {path}: {error}") from None
    except Exception as error:  # zipfile, zlib, json and h5py raise a dozen kinds on damaged files
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(
            f"--model_file {path}: cannot be read ({reason}); expected a .keras, as fit writes it"
        ) from None


def _check(archive: zipfile.ZipFile) -> None:
    members = archive.infolist()
    names = [member.filename for member in members]
    if len(set(names)) != len(names) or not {CONFIG, WEIGHTS} <= set(names):
        raise ValueError(f"holds {', '.join(names)[:100]}")
    sizes = {member.filename: member.file_size for member in members}
    if sum(sizes.values()) > MOST_BYTES or sizes[CONFIG] > MOST_CONFIG_BYTES:
        raise ValueError(f"{sum(sizes.values()):,} bytes, {sizes[CONFIG]:,} of {CONFIG}")
    if damaged := archive.testzip():
        raise ValueError(f"{damaged} fails its CRC")
    with archive.open(WEIGHTS) as file:
        held = _weights_in(file)
    layers = list(_layers(json.loads(archive.read(CONFIG))))
    if len(layers) > MOST_LAYERS:
        raise ValueError(f"{len(layers):,} layers; expected at most {MOST_LAYERS:,}")
    for layer in layers:
        if (promised := _promised(layer)) > max(held, FEW):
            name = str(layer["config"].get("name"))[:60]
            raise ValueError(f"{name} has {promised:,} weights, and the file {held:,}")


def _weights_in(file: IO[bytes]) -> int:
    """How many values an HDF5 file holds; refuses what it only promises, or has elsewhere."""
    held = 0

    def see(group: Any) -> None:
        nonlocal held
        for name in group:
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise ValueError(f"{name[:60]} of {WEIGHTS} is a link")
            item = group[name]
            if isinstance(item, h5py.Group):
                see(item)
            elif item.nbytes > item.id.get_storage_size() or item.external or item.is_virtual:
                raise ValueError(
                    f"{name[:60]} of {WEIGHTS} is {item.shape}, which it does not hold"
                )
            else:
                held += item.size

    with h5py.File(file, "r") as weights:
        see(weights)
    return held


def _layers(config: Any) -> Iterator[dict[str, Any]]:
    """Every layer in a configuration, within models within models too."""
    if isinstance(config, dict):
        if isinstance(config.get("config"), dict):
            yield config
        for value in config.values():
            yield from _layers(value)
    elif isinstance(config, list):
        for value in config:
            yield from _layers(value)


def _promised(layer: dict[str, Any]) -> int:
    """Weights that a layer has at least, by what its configuration says."""
    config = layer["config"]
    counts = [config.get(key) for key in ("units", "filters", "output_dim", "input_dim")]
    shape = (layer.get("build_config") or {}).get("input_shape")
    last = shape[-1] if isinstance(shape, list) and shape else 1
    if "units" not in config and "filters" not in config:
        last = 1
    window = config.get("kernel_size")
    counts += [last, *(window if isinstance(window, list) else [window])]
    return math.prod(count for count in counts if type(count) is int)
