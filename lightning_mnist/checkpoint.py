"""Checkpoints that are whole or absent when written, and checked before they are believed."""

import errno
import os
import shutil
import zipfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import torch
import yaml
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.fabric.utilities.types import _PATH

from lightning_mnist.data.mnist_form import SIDE
from lightning_mnist.data.sources import CLASSES
from lightning_mnist.errors import InputError
from lightning_mnist.module import DigitClassifier
from parity.files import opened
from parity.flags import load
from parity.seal import check_seal, seal
from parity.writing import written_whole

PAGE = 4_096
"""Bytes that a file system gives out at a time."""
MOST_BYTES, MOST_VALUES = 2**33, 2**23
"""Of a checkpoint, and of what it holds besides tensors: 10,000 epochs of history."""


class WholeCheckpointIO(TorchCheckpointIO):
    """Writes beside the target, then renames; reads weights only, from this machine only.

    Lightning's own writer goes through the temporary folder: across devices its last step is a
    copy, which a kill cuts in half.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: _PATH, storage_options: Any | None = None
    ) -> None:
        """Write `checkpoint`; a process killed meanwhile leaves the former file as it was."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as temporary:
            try:
                torch.save(checkpoint, temporary)
            except RuntimeError as error:  # torch's word for a full disk too
                full = shutil.disk_usage(path.parent).free < PAGE
                reason = os.strerror(errno.ENOSPC) if full else _first_sentence(error)
                raise OSError(errno.ENOSPC if full else errno.EIO, reason, str(path)) from error
            seal(temporary)

    def load_checkpoint(
        self,
        path: _PATH,
        map_location: Callable[..., Any] | None = None,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Read a checkpoint through `read_checkpoint`, whatever `weights_only` says."""
        return read_checkpoint(Path(path))


def read_checkpoint(path: Path, flag: str = "--ckpt_path") -> dict[str, Any]:
    """Read a checkpoint of a `DigitClassifier` onto the CPU, which `flag` has named.

    Raises:
        InputError: the file is missing, cut off, damaged (``torch.load`` checks no CRC, so this
            does), holds more than weights and plain values, or is of another model.
    """
    if not path.is_file():
        raise InputError(f"{flag} {path}: no such file; expected a .ckpt written by fit")
    try:
        with opened(path, MOST_BYTES) as file:
            check_seal(file)
            damaged = _damaged(file)
            file.seek(0)
            checkpoint = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # zipfile, zlib and pickle raise a dozen kinds on damaged files
        raise InputError(
            f"{flag} {path}: not a whole checkpoint of weights and plain values "
            f"({_first_sentence(error)}); train again, or take another checkpoint"
        ) from error
    if damaged is not None:
        raise InputError(f"{flag} {path}: damaged ({damaged} fails its CRC); train again")
    try:
        _check_size(checkpoint, path.stat().st_size)
        model_of(checkpoint)
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(
            f"{flag} {path}: a checkpoint of another model ({_first_sentence(error)}); "
            "expected one written by python -m lightning_mnist fit"
        ) from error
    return dict(checkpoint)


def recorded(checkpoint: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Recipe and description of the data, as `RunRecorder` leaves them; None where it did not."""
    try:
        kept = checkpoint["callbacks"]["RunRecorder"]
        return dict(load(kept["recipe"])), dict(kept["data"])
    except (AttributeError, KeyError, TypeError, ValueError, yaml.YAMLError):
        return None


def split_of(checkpoint: dict[str, Any], path: str) -> tuple[int, int | None] | None:
    """Seed and number of images of the validation part, where the checkpoint says.

    Raises:
        InputError: they are no numbers.
    """
    split = checkpoint.get("datamodule_hyper_parameters")
    if split is None:
        return None
    values = split if isinstance(split, dict) else {}
    seed, size = values.get("seed"), values.get("val_size")
    if not isinstance(seed, int) or not isinstance(size, int | None):
        raise InputError(
            f"--ckpt_path {path}: does not say which images were kept from training; take another "
            "checkpoint, or train again"
        )
    return seed, size


def model_of(checkpoint: dict[str, Any]) -> DigitClassifier:
    """The model of a checkpoint that `read_checkpoint` has read."""
    hyperparameters = dict(checkpoint["hyper_parameters"])
    for key in ("_instantiator", "augmentation"):  # neither has weights
        hyperparameters.pop(key, None)
    model = DigitClassifier(**hyperparameters)
    model.load_state_dict(checkpoint["state_dict"])
    return model


def _damaged(file: IO[bytes]) -> str | None:
    """The first part of an archive that fails its CRC; refuses one that would grow in memory."""
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            if member.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{member.filename[:99]} is compressed; torch compresses nothing")
            if member.filename.endswith("data.pkl") and member.file_size > MOST_VALUES:
                raise ValueError(f"{member.file_size:,} bytes of plain values")
        return archive.testzip()


def _check_size(checkpoint: dict[str, Any], size: int) -> None:
    """Compare the weights that a checkpoint names with the file that should hold them."""
    widths = [SIDE * SIDE, *checkpoint["hyper_parameters"]["hidden"], CLASSES]
    if (weights := sum(a * b for a, b in pairwise(widths))) * 2 > size:  # of 16 bits at least
        raise ValueError(f"it names {weights:,} weights and has {size:,} bytes")


def _first_sentence(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0].split('. ')[0]}" if lines else type(error).__name__
