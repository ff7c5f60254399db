"""A sound file of every kind that is read, its reader, and the errors that mean "not this one"."""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
import yaml

from keras_reference.data import load_digits
from keras_reference.errors import InputError as KerasError
from keras_reference.kept import EXPECTED
from keras_reference.model_archive import check_model_file
from lightning_mnist.checkpoint import read_checkpoint
from lightning_mnist.data import idx, sources
from lightning_mnist.errors import InputError
from lightning_mnist.own_images import read_picture
from lightning_mnist.search.spec import read_spec
from parity import flags, mlp_file
from parity.arrays import Table
from parity.errors import ParityError
from parity.files import read_npz
from parity.judge.loading import load_run
from parity.ladder.bundle import Recorder, Replay
from parity.run_record import RunRecord
from parity.sides.models import Models
from parity.watch.symptoms import Symptoms
from tests.conftest import make_digits, write_npz
from tests.parity.judge import test_fuzz as parity_files
from tests.support.mutated import mutated, remade
from tests.support.sound import (
    SEARCH,
    write_checkpoint,
    write_keras,
    write_picture,
    write_predictions,
    write_record,
    write_safetensors,
)


@dataclass(frozen=True)
class Reader:
    """A kind of file.

    Attributes:
        ending: Of its name.
        write: Writes a sound one.
        read: Gives what it holds, as something that can be compared.
        errors: What it raises where a file is not sound.
        checked: Whether a checksum must tell.
        by: What happens to it.
    """

    ending: str
    write: Callable[[Path], object]
    read: Callable[[Path], Any]
    errors: tuple[type[Exception], ...]
    checked: bool = False
    by: Callable[[bytes, np.random.Generator], bytes] = mutated


def weights_of(path: Path) -> Any:
    return torch.cat([t.double().flatten() for t in read_checkpoint(path)["state_dict"].values()])


def read_keras(path: Path) -> int:
    """Whether it may be opened: what is sealed holds what it held."""
    check_model_file(path)
    return len(path.read_bytes())


def write_weights(path: Path) -> None:
    torch.save({"0.weight": torch.ones(3, 4), "0.bias": torch.zeros(3)}, path)


def write_h5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["layers/dense/vars/0"] = np.ones((4, 3), np.float32)
        file["layers/dense/vars/1"] = np.zeros(3, np.float32)


def read_model(path: Path) -> Any:
    tensors = Models().open(str(path))
    return np.concatenate([np.ravel(v) for name, v in tensors.items() if name != "about"])


def write_bundle(path: Path) -> None:
    recorder = Recorder(Side())
    recorder.ask("weights", seed=1)
    recorder.save(path, 8, beside=False)


class Side:
    """Gives the same arrays whatever it is asked."""

    name = "a"

    def send(self, call: str, table: Table | None = None, **arguments: Any) -> None:
        pass

    def receive(self) -> Table:
        return {"x": np.arange(20.0), "y": np.eye(3, dtype=np.float32)}

    def ask(self, call: str, table: Table | None = None, **arguments: Any) -> Table:
        return self.receive()


def read_bundle(path: Path) -> str:
    bundle = Replay(path)
    return repr((bundle.about, bundle.answers))


def read_run(read: Callable[[Path], object]) -> Callable[[Path], str]:
    return lambda path: repr(read(path))


def read_yaml(path: Path) -> str:
    return repr(flags.load(flags.read_text(path)))


def tiny(path: Path) -> None:
    write_npz(make_digits(2, 1), path)


def write_idx(path: Path) -> None:
    images = make_digits(1, 1).train_images
    header = bytes((0, 0, 8, 3)) + np.array(images.shape, ">u4").tobytes()
    content = header + images.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def read_idx(path: Path) -> Any:
    return idx.parse_idx(idx.unpacked(path), path, 3)


def write_state(path: Path) -> None:
    from parity.seal import seal

    np.savez(path, values=np.arange(99, dtype=np.uint8), about=np.arange(9, dtype=np.uint8))
    seal(path)


OURS: tuple[type[Exception], ...] = (InputError, KerasError, ParityError)
RECIPE = {"model": {"hidden": [64, 32], "dropout": 0.3}, "trainer": {"max_epochs": 3}}
READERS = {
    **{
        f"parity {name}": Reader(f".{name}", write, read_run(read), OURS)
        for name, (write, read) in parity_files.KINDS.items()
        if name not in ("predictions.npz", "record.json", "symptoms.json")
    },
    "symptoms.json": Reader(
        ".json", parity_files.write_symptoms, lambda path: Symptoms.load(path).text(), OURS
    ),
    "record.json": Reader(
        ".json",
        write_record,
        lambda path: repr(RunRecord.load(path)),
        OURS,
        checked=True,
    ),
    "predictions.npz": Reader(
        ".npz", write_predictions, lambda path: load_run(path).logits, OURS, checked=True
    ),
    "checkpoint": Reader(".ckpt", write_checkpoint, weights_of, OURS, checked=True),
    "keras model": Reader(".keras", write_keras, read_keras, OURS, checked=True),
    "safetensors": Reader(
        ".safetensors",
        write_safetensors,
        lambda path: np.concatenate([v.ravel() for v in mlp_file.load(path)[1].values()]),
        OURS,
        checked=True,
    ),
    "training.npz": Reader(
        ".npz", write_state, lambda path: read_npz(path, EXPECTED)["values"], (ValueError,), True
    ),
    "recipe": Reader(
        ".yaml", lambda path: path.write_text(yaml.safe_dump(RECIPE)), read_yaml, (yaml.YAMLError,)
    ),
    "recipe, JSON": Reader(
        ".yaml", lambda path: path.write_text(json.dumps(RECIPE)), read_yaml, (yaml.YAMLError,)
    ),
    "digits, Lightning": Reader(
        ".npz", tiny, lambda path: sources.load(str(path), path.parent).sha256, OURS
    ),
    "digits, Keras": Reader(
        ".npz", tiny, lambda path: load_digits(str(path)).describe(1)["sha256"], OURS
    ),
    "idx": Reader(
        "-ubyte", write_idx, lambda path: idx.parse_idx(idx.unpacked(path), path, 3), OURS
    ),
    "idx.gz": Reader(
        ".gz", write_idx, lambda path: idx.parse_idx(idx.unpacked(path), path, 3), OURS
    ),
    "search": Reader(
        ".yaml",
        lambda path: path.write_text(yaml.safe_dump(SEARCH)),
        lambda path: repr(read_spec(path, []).given),
        OURS,
    ),
    "bundle": Reader(".zip", write_bundle, read_bundle, OURS, checked=True),
    "bundle, remade": Reader(".zip", write_bundle, read_bundle, OURS, by=remade),
    "checkpoint, remade": Reader(".ckpt", write_checkpoint, weights_of, OURS, by=remade),
    "keras model, remade": Reader(".keras", write_keras, read_keras, OURS, by=remade),
    "predictions.npz, remade": Reader(
        ".npz", write_predictions, lambda path: load_run(path).logits, OURS, by=remade
    ),
    "training.npz, remade": Reader(
        ".npz",
        write_state,
        lambda path: read_npz(path, EXPECTED)["values"],
        (ValueError,),
        by=remade,
    ),
    **{
        f"model {ending}": Reader(ending, write, read_model, (ValueError,), checked, by)
        for ending, write, checked, by in (
            (".ckpt", write_checkpoint, True, mutated),
            (".pt", write_weights, True, mutated),
            (".pth", write_weights, False, remade),
            (".safetensors", write_safetensors, False, mutated),
            (".weights.h5", write_h5, False, mutated),
        )
    },
    **{
        f"picture {ending}": Reader(ending, write_picture, lambda p: read_picture(p).pixels, OURS)
        for ending in (".png", ".jpg", ".gif", ".bmp", ".tif", ".webp", ".pgm", ".tga", ".jp2")
    },
}
