"""A sound file of every kind that is read, its reader, and the errors that mean "not this one"."""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from lightning.pytorch import Trainer
from PIL import Image

from keras_reference.data import load_digits
from keras_reference.errors import InputError as KerasError
from keras_reference.instruments import mlp_file as keras_mlp_file
from keras_reference.kept import EXPECTED
from keras_reference.model_archive import check_model_file
from lightning_mnist import idx, sources
from lightning_mnist.checkpoint import WholeCheckpointIO, read_checkpoint
from lightning_mnist.errors import InputError
from lightning_mnist.instruments import mlp_file
from lightning_mnist.module import DigitClassifier
from lightning_mnist.own_images import read_picture
from parity import flags
from parity.errors import ParityError
from parity.files import read_npz
from parity.judge.loading import load_run
from parity.run_record import Predictions, RunRecord
from parity.watch.symptoms import Symptoms
from tests import test_parity_fuzz as parity_files
from tests.conftest import make_digits, write_npz
from tests.test_parity_run_record import a_record


@dataclass(frozen=True)
class Reader:
    """A kind of file.

    Attributes:
        ending: Of its name.
        write: Writes a sound one.
        read: Gives what it holds, as something that can be compared.
        errors: What it raises where a file is not sound.
        checked: Whether a checksum must tell.
    """

    ending: str
    write: Callable[[Path], object]
    read: Callable[[Path], Any]
    errors: tuple[type[Exception], ...]
    checked: bool = False


def write_checkpoint(path: Path) -> None:
    torch.manual_seed(0)
    trainer = Trainer(
        accelerator="cpu", plugins=WholeCheckpointIO(), logger=False, enable_checkpointing=False
    )
    trainer.strategy.connect(DigitClassifier(hidden=[2]))
    trainer.save_checkpoint(path)


def weights_of(path: Path) -> Any:
    return torch.cat([t.double().flatten() for t in read_checkpoint(path)["state_dict"].values()])


def write_keras(path: Path) -> None:
    import keras

    from parity.seal import seal

    keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(10)]).save(
        path
    )
    seal(path)


def read_keras(path: Path) -> int:
    """Whether it may be opened: what is sealed holds what it held."""
    check_model_file(path)
    return len(path.read_bytes())


PLAN = mlp_file.Plan([3], "relu", 0.0, None, False, "none", 0.0, 1.0)


def write_safetensors(path: Path) -> None:
    rng = np.random.default_rng(0)
    shapes = PLAN.shapes().items()
    mlp_file.save(path, PLAN, {name: rng.normal(size=s).astype(np.float32) for name, s in shapes})


def write_picture(path: Path) -> None:
    digit = make_digits(1, 1).train_images[3]
    Image.fromarray(255 - digit).resize((56, 56)).save(path)


def write_predictions(path: Path) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(50, 4)).astype(np.float32)
    Predictions(rng.integers(0, 4, 50), logits, np.arange(50)).save(path.parent, path.name)


def write_record(path: Path) -> None:
    a_record().save(path.parent)
    (path.parent / "record.json").replace(path)


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
    "safetensors, Lightning": Reader(
        ".safetensors",
        write_safetensors,
        lambda path: np.concatenate([v.ravel() for v in mlp_file.load(path)[1].values()]),
        OURS,
        checked=True,
    ),
    "safetensors, Keras": Reader(
        ".safetensors",
        write_safetensors,
        lambda path: np.concatenate([v.ravel() for v in keras_mlp_file.read(path)[1].values()]),
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
    **{
        f"picture {ending}": Reader(ending, write_picture, lambda p: read_picture(p).pixels, OURS)
        for ending in (".png", ".jpg", ".gif", ".bmp", ".tif", ".webp", ".pgm", ".tga", ".jp2")
    },
}
