"""The interchange format: a ``.safetensors`` that holds a multilayer perceptron and nothing else.

A file contract, like `parity.run_record`: both sides write and read it here, and what they make of
its tensors is their own.

Its tensors are float32, under the names ``dense_1.kernel`` [in, out], ``dense_1.bias`` [out],
``batch_norm_1.scale``, ``.offset``, ``.mean`` and ``.variance`` [out], ``dense_2.kernel``, ...; its
metadata say what rebuilds the network (`Plan`, as JSON) and, since the format has no checksum of
its own, the SHA-256 of that JSON and of the tensors in the order of the network.
"""

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from parity.errors import ParityError
from parity.files import opened
from parity.writing import write_file

Activation = Literal["relu", "gelu", "silu", "elu", "tanh", "sigmoid"]
Standardize = Literal["none", "dataset", "image"]
Weights = dict[str, NDArray[np.float32]]
SIDE, CLASSES, MOST_LAYERS = 28, 10, 1_000
FORMAT = {"format": "mlp", "version": "1"}
BATCH_NORMS = ({"epsilon": 1e-5, "momentum": 0.9}, {"epsilon": 1e-3, "momentum": 0.99})
"""torch's and Keras' own: momentum is the share that the moving statistics keep at each step."""
MOST_BYTES, MOST_HEADER = 2**31, 2**21
"""Of a file, and of its list of tensors: a thousand layers have a few hundred thousand."""
NARROWEST = 1e-7
"""The smallest standard deviation that Keras divides by."""


class MLPFileError(ParityError):
    """A network that the format cannot say, or a file that cannot be believed."""


@dataclass(frozen=True)
class Plan:
    """What rebuilds the network around its weights.

    Attributes:
        hidden: Width of each hidden layer.
        activation: After each hidden layer, or one for each.
        dropout: Probability of dropping a hidden unit while training.
        batch_norm: ``epsilon`` and ``momentum``, one of `BATCH_NORMS`; None without batch norm.
        invert: The network is fed 1 - x.
        standardize: Fed pixels have mean 0 and deviation 1, over the training images or in each.
        mean: Float32: what "dataset" subtracts; 0 otherwise.
        std: Float32: what "dataset" divides by; 1 otherwise.

    Raises:
        MLPFileError: a value of another kind or outside its range.
    """

    hidden: list[int]
    activation: Activation | list[Activation]
    dropout: float
    batch_norm: dict[str, float] | None
    invert: bool
    standardize: Standardize
    mean: float
    std: float

    def __post_init__(self) -> None:
        widths = self.hidden if isinstance(self.hidden, list) else [0]
        expected = {
            "hidden": (
                len(widths) <= MOST_LAYERS and all(type(w) is int and w > 0 for w in widths),
                f"a list of at most {MOST_LAYERS:,} widths",
            ),
            "activation": _activations(self.activation, len(widths)),
            "dropout": (
                type(self.dropout) is float and 0 <= self.dropout < 1,
                "a probability, at least 0, below 1",
            ),
            "batch_norm": _one_of(self.batch_norm, (None, *BATCH_NORMS)),
            "invert": _one_of(self.invert, (True, False)),
            "standardize": _one_of(self.standardize, get_args(Standardize)),
            "mean": (_is_float32(self.mean), "a float32"),
            "std": (_is_float32(self.std) and self.std >= NARROWEST, "a float32, at least 1e-07"),
        }
        for name, (met, expectation) in expected.items():
            if not met:
                given = repr(getattr(self, name))[:80]
                raise MLPFileError(f"its {name} is {given}; expected {expectation}")

    def size(self, weights: Weights) -> str:
        """Layers and numbers that are learned, in words."""
        learned = (w for name, w in weights.items() if not name.endswith((".mean", ".variance")))
        parameters = sum(values.size for values in learned)
        return f"{len(self.hidden) + 1} layers, {parameters:,} parameters"

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each tensor by its name, in the order of the network."""
        shapes: dict[str, tuple[int, ...]] = {}
        widths = [SIDE * SIDE, *self.hidden, CLASSES]
        for number, (fan_in, width) in enumerate(pairwise(widths), start=1):
            shapes[f"dense_{number}.kernel"] = (fan_in, width)
            shapes[f"dense_{number}.bias"] = (width,)
            if self.batch_norm is not None and number <= len(self.hidden):
                for name in ("scale", "offset", "mean", "variance"):
                    shapes[f"batch_norm_{number}.{name}"] = (width,)
        return shapes


def save(path: Path, plan: Plan, weights: Weights) -> None:
    """Write `plan` and `weights`; `path` is written whole or stays as it was.

    Raises:
        MLPFileError: the weights are not those of `plan`, or not finite.
    """
    _check_tensors({name: (str(w.dtype), w.shape) for name, w in weights.items()}, plan)
    _check_values(weights)
    config = json.dumps(dataclasses.asdict(plan))
    ordered = {name: np.ascontiguousarray(weights[name]) for name in plan.shapes()}
    metadata = FORMAT | {"config": config, "sha256": _digest(config, ordered)}
    # safetensors' own save_file keeps everyone but the owner from reading.
    write_file(path, to_bytes(ordered, metadata))


def load(path: Path) -> tuple[Plan, Weights]:
    """Read what `save` has written.

    Raises:
        MLPFileError: the file, which the message does not name, is missing, cut off, damaged or of
            another kind.
    """
    if not path.is_file():
        raise MLPFileError("no such file; expected a .safetensors")
    try:
        _check_header(path)
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            plan = _plan(metadata)
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            kinds = {
                name: (part.get_dtype().replace("F32", "float32"), tuple(part.get_shape()))
                for name, part in slices.items()
            }
            _check_tensors(kinds, plan)
            weights = {name: file.get_tensor(name) for name in plan.shapes()}
    except (SafetensorError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise MLPFileError(f"not a whole .safetensors ({reason})") from error
    if metadata.get("sha256") != _digest(metadata["config"], weights):
        raise MLPFileError("damaged: its SHA-256 is another; convert the model again")
    _check_values(weights)
    return plan, weights


def _check_header(path: Path) -> None:
    """Look at the length of the header, which comes first: a million tensors take a minute."""
    with opened(path, MOST_BYTES) as file:
        length = int.from_bytes(file.read(8), "little")
    if length > MOST_HEADER:
        raise MLPFileError(f"a header of {length:,} bytes; expected at most {MOST_HEADER:,}")


def _plan(metadata: dict[str, str]) -> Plan:
    if {name: metadata.get(name) for name in FORMAT} != FORMAT or "config" not in metadata:
        found = ", ".join(f"{name} {metadata[name]!r}"[:60] for name in FORMAT if name in metadata)
        raise MLPFileError(
            f"holds another kind of model (its metadata say {found or 'nothing of it'}); expected "
            "the format mlp, version 1"
        )
    names = [field.name for field in dataclasses.fields(Plan)]
    try:
        config = json.loads(metadata["config"])
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, dict) or sorted(config) != sorted(names):
        raise MLPFileError(f"its config is not a JSON object of {', '.join(names)}")
    return Plan(**config)


def _check_tensors(found: dict[str, tuple[str, tuple[int, ...]]], plan: Plan) -> None:
    shapes = plan.shapes()
    for word, names in (("lacks", shapes.keys() - found), ("also holds", found.keys() - shapes)):
        if names:
            listed = ", ".join(sorted(names)[:4]) + (", ..." if len(names) > 4 else "")
            widths = [*plan.hidden, CLASSES]
            raise MLPFileError(f"{word} {listed}; expected the tensors of layers of {widths}")
    for name, shape in shapes.items():
        if found[name] != ("float32", shape):
            dtype, other = found[name]
            raise MLPFileError(
                f"{name} is {dtype} {list(other)}; expected float32 {list(shape)}: weights are "
                "exchanged in float32 only"
            )


def _check_values(weights: Weights) -> None:
    for name, values in weights.items():
        if not np.isfinite(values).all():
            raise MLPFileError(f"{name} holds values that are not finite; such a model is broken")
        if name.endswith(".variance") and values.min() < 0:
            raise MLPFileError(f"{name} goes down to {values.min():g}; expected none below 0")


def _digest(config: str, weights: Weights) -> str:
    digest = hashlib.sha256(config.encode())
    for values in weights.values():
        digest.update(values.astype("<f4", order="C", copy=False).tobytes())
    return digest.hexdigest()


def _one_of(value: object, known: tuple[Any, ...]) -> tuple[bool, str]:
    met = any(type(value) is type(item) and value == item for item in known)
    return met, "one of " + ", ".join(map(repr, known))


def _activations(value: object, hidden: int) -> tuple[bool, str]:
    """One for all hidden layers, or one for each."""
    met, expected = _one_of(value, get_args(Activation))
    each = value if isinstance(value, list) and len(value) == hidden else []
    listed = all(_one_of(name, get_args(Activation))[0] for name in each)
    several = listed and len(set(each)) > 1
    return met or several, f"{expected}, or a list of one for each layer where they differ"


def _is_float32(value: object) -> bool:
    with np.errstate(over="ignore"):
        return type(value) is float and math.isfinite(value) and float(np.float32(value)) == value
