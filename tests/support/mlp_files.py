"""Networks to exchange, with weights that are all different, and ways to spoil the file."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save

from lightning_mnist.checkpoint import WholeCheckpointIO
from lightning_mnist.module import DigitClassifier

ARCHITECTURES: dict[str, dict[str, Any]] = {
    "softmax regression": {"hidden": [], "batch_norm": False, "dropout": 0.0},
    "plain": {"hidden": [16], "batch_norm": False, "dropout": 0.0},
    "gelu": {"hidden": [7], "activation": "gelu", "batch_norm": True, "dropout": 0.3},
    "silu": {"hidden": [9, 5], "activation": "silu", "batch_norm": "keras", "dropout": 0.0},
    "elu": {"hidden": [13], "activation": "elu", "batch_norm": False, "invert": True},
    "tanh": {"hidden": [3, 2], "activation": "tanh", "standardize": "dataset"},
    "sigmoid": {"hidden": [11], "activation": "sigmoid", "standardize": "image", "invert": True},
    "four layers": {"hidden": [17, 13, 11, 7], "batch_norm": True, "dropout": 0.5},
    "one unit": {"hidden": [1], "batch_norm": "keras", "dropout": 0.1},
    "all at once": {
        "hidden": [65, 33], "activation": "gelu", "batch_norm": "keras", "dropout": 0.25,
        "invert": True, "standardize": "dataset",
    },
}  # fmt: skip


def random_module(name: str, seed: int = 0) -> DigitClassifier:
    """A network of `ARCHITECTURES` in which no two weights and no two statistics are alike."""
    torch.manual_seed(seed)
    module = DigitClassifier(**ARCHITECTURES[name], init="torch")
    for key, tensor in module.network.state_dict().items():
        if key.endswith("running_var"):
            tensor.uniform_(0.5, 2)
        elif tensor.ndim == 1 and tensor.is_floating_point():
            tensor.uniform_(-1, 1)
    if module.preprocessing.standardize == "dataset":
        module.preprocessing.fit(torch.randint(0, 256, (10, 28, 28)).to(torch.uint8))
    return module.eval()


def save_checkpoint(module: DigitClassifier, path: Path) -> Path:
    """What a checkpoint needs in order to be tested."""
    checkpoint = {"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams)}
    WholeCheckpointIO().save_checkpoint(checkpoint, path)
    return path


def same_numbers(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    """Whether two sets of tensors have the same names and the same bits."""
    return list(a) == list(b) and all(
        a[name].dtype == b[name].dtype
        and a[name].shape == b[name].shape
        and a[name].tobytes() == b[name].tobytes()
        for name in a
    )


class Contents:
    """A ``.safetensors`` taken apart, to be changed and put together again."""

    def __init__(self, path: Path) -> None:
        with safe_open(path, framework="np") as file:
            self.metadata: dict[str, str] = file.metadata()
            self.tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        self.order = sorted(self.tensors, key=_place)

    def save(self, path: Path) -> None:
        """With a checksum that is right, so that the change itself must be noticed."""
        digest = hashlib.sha256(self.metadata.get("config", "").encode())
        for name in self.order:
            digest.update(self.tensors.get(name, np.zeros(0)).tobytes())
        path.write_bytes(save(self.tensors, {**self.metadata, "sha256": digest.hexdigest()}))

    def configure(self, **changes: Any) -> None:
        """Change the config; None for a key takes it away."""
        config = json.loads(self.metadata["config"]) | changes
        self.metadata["config"] = json.dumps({k: v for k, v in config.items() if v != "gone"})


def _place(name: str) -> tuple[int, bool, int]:
    """Where a tensor stands in the network."""
    layer, _, kind = name.rpartition(".")
    kinds = ("kernel", "bias", "scale", "offset", "mean", "variance")
    return int(layer.rpartition("_")[2]), layer.startswith("batch"), kinds.index(kind)


def changed(change: Callable[[Contents], object]) -> Callable[[Path], None]:
    """A way to spoil a file: change its contents, not its soundness as a file."""

    def spoil(path: Path) -> None:
        contents = Contents(path)
        change(contents)
        contents.save(path)

    return spoil


def cut(at: float) -> Callable[[Path], None]:
    """A way to spoil a file: keep only the first `at` of it."""
    return lambda path: void(path.write_bytes(path.read_bytes()[: int(path.stat().st_size * at)]))


def flip(path: Path) -> None:
    """Change one bit in the middle of a weight."""
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)


def zipped(path: Path) -> None:
    """A zip, like a .keras or a .ckpt, in the place of the file."""
    with path.open("wb") as file:
        np.savez(file, a=np.zeros(3))


def void(_: object) -> None:
    """Nothing."""


def _set(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    return changed(lambda c: c.tensors.update({name: change(c.tensors[name])}))


def _broken(value: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda array: np.concatenate([array[:-1], np.full_like(array[-1:], value)])


def _config(**changes: Any) -> Callable[[Path], None]:
    return changed(lambda c: c.configure(**changes))


def _metadata(**changes: str) -> Callable[[Path], None]:
    return changed(lambda c: c.metadata.update(changes))


DAMAGE: dict[str, Callable[[Path], None]] = {
    "empty": cut(0),
    "cut in the header": cut(0.001),
    "cut in a tensor": cut(0.5),
    "last byte missing": lambda path: void(path.write_bytes(path.read_bytes()[:-1])),
    "one byte more": lambda path: void(path.write_bytes(path.read_bytes() + b"\0")),
    "random bytes": lambda path: void(path.write_bytes(np.random.default_rng(0).bytes(5000))),
    "zip": zipped,
    "text": lambda path: void(path.write_text("weights")),
    "flipped bit": flip,
    "no metadata": lambda path: void(path.write_bytes(save({"a": np.zeros(3, np.float32)}))),
    "other format": _metadata(format="pt"),
    "later version": _metadata(version="2"),
    "config of no JSON": _metadata(config="{"),
    "config of no object": _metadata(config="[1]"),
    "config nested for ever": _metadata(config="[" * 100_000),
    "unknown key": _config(stride=2),
    "missing key": _config(hidden="gone"),
    "hidden of no list": _config(hidden=7),
    "width of 0": _config(hidden=[0]),
    "width of 7.0": _config(hidden=[7.0]),
    "another width": _config(hidden=[8]),
    "a width of 10**12": _config(hidden=[10**12]),
    "unknown activation": _config(activation="relu6"),
    "activation of no word": _config(activation=["relu"]),
    "dropout of 1": _config(dropout=1.0),
    "dropout of NaN": _config(dropout=float("nan")),
    "other epsilon": _config(batch_norm={"epsilon": 0.1, "momentum": 0.9}),
    "no batch norm": _config(batch_norm=None),
    "invert of 1": _config(invert=1),
    "unknown standardisation": _config(standardize="pixel"),
    "mean of infinity": _config(mean=float("inf")),
    "mean of 1e300": _config(mean=1e300),
    "mean of no float32": _config(mean=0.1),
    "deviation of 0": _config(std=0.0),
    "deviation of a word": _config(std="1"),
    "missing tensor": changed(lambda c: c.tensors.pop("dense_2.bias")),
    "extra tensor": changed(lambda c: c.tensors.update({"dense_3.bias": np.zeros(1, "f4")})),
    "transposed": _set("dense_1.kernel", lambda array: np.ascontiguousarray(array.T)),
    "float64": _set("dense_1.bias", lambda array: array.astype(np.float64)),
    "float16": _set("dense_1.kernel", lambda array: array.astype(np.float16)),
    "int32": _set("dense_1.bias", lambda array: array.astype(np.int32)),
    "NaN": _set("dense_1.kernel", _broken(float("nan"))),
    "infinity": _set("batch_norm_1.offset", _broken(float("inf"))),
    "negative variance": _set("batch_norm_1.variance", _broken(-1.0)),
}
"""Ways to spoil the file of the architecture "gelu", which no reader may believe."""
