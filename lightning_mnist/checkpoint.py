"""Checkpoints that are whole or absent when written, and checked before they are believed."""

import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from jsonargparse import Namespace
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.fabric.utilities.types import _PATH
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint

from lightning_mnist.errors import InputError
from lightning_mnist.module import DigitClassifier
from parity.run_record import written_whole


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
            torch.save(checkpoint, temporary)

    def load_checkpoint(
        self,
        path: _PATH,
        map_location: Callable[..., Any] | None = None,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Read a checkpoint through `read_checkpoint`, whatever `weights_only` says."""
        return read_checkpoint(Path(path))


def kept_checkpoints(run_dir: Path) -> list[Checkpoint]:
    """The callbacks that keep the epoch where ``val_loss`` is lowest, and the latest one."""
    best = ModelCheckpoint(
        dirpath=run_dir / "checkpoints",
        filename="best",
        monitor="val_loss",
        save_on_train_epoch_end=True,  # after the recorder has added the epoch
        enable_version_counter=False,
    )
    return [best, LatestCheckpoint(best)]


class LatestCheckpoint(Checkpoint):
    """Keeps the latest epoch, beside the best: where it is that, as another name of its file.

    Lightning 2.6 takes `save_last` of a `ModelCheckpoint` for "the last of those that were best".

    Args:
        best: Comes before this one, and saves when it does.
    """

    def __init__(self, best: ModelCheckpoint) -> None:
        self.best = best

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the epoch, if the best one is not it."""
        if trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        assert self.best.dirpath is not None
        path = Path(self.best.dirpath) / "last.ckpt"
        if self.best._last_global_step_saved != trainer.global_step:
            trainer.save_checkpoint(path, weights_only=False)
        elif trainer.is_global_zero:
            with written_whole(path) as temporary:
                _share(Path(self.best.best_model_path), temporary)


def _share(path: Path, other: Path) -> None:
    """Give a file another name, or, where the file system has no links, another copy."""
    try:
        other.hardlink_to(path)
    except OSError:
        shutil.copyfile(path, other)


def find_named(config: Namespace, runs: Path = Path("runs")) -> None:
    """Put a path in place of ``--ckpt_path best`` or ``last``, and say which.

    They are checkpoints of ``--run_dir``, or of the newest run that has them. `test` then fills a
    new folder, since that one has its run.

    Raises:
        InputError: there is none; the message says where it was looked for.
    """
    if config.ckpt_path not in ("best", "last"):
        return
    file = Path("checkpoints") / f"{config.ckpt_path}.ckpt"
    run_dir = config.get("run_dir")
    folders = [Path(run_dir)] if run_dir else list(runs.glob("*"))
    found = [folder / file for folder in folders if (folder / file).is_file()]
    if not found:
        where = f"--run_dir {run_dir}" if run_dir else f"no run in {runs}/"
        raise InputError(
            f"--ckpt_path {config.ckpt_path}: {where} has {'no ' if run_dir else ''}{file}; train "
            "with fit first, or name a .ckpt file"
        )
    newest = max(found, key=lambda path: path.stat().st_mtime)
    print(f"--ckpt_path {config.ckpt_path}: {newest}", file=sys.stderr)
    config.ckpt_path = str(newest)
    if run_dir and "guard" not in config:  # not fit, which goes on in its own folder
        config.run_dir = None


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint of a `DigitClassifier` onto the CPU.

    Raises:
        InputError: the file is missing, cut off, damaged (``torch.load`` checks no CRC, so this
            does), holds more than weights and plain values, or is of another model.
    """
    if not path.is_file():
        raise InputError(f"--ckpt_path {path}: no such file; expected a .ckpt written by fit")
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # zipfile, zlib and pickle raise a dozen kinds on damaged files
        raise InputError(
            f"--ckpt_path {path}: not a whole checkpoint of weights and plain values "
            f"({_first_sentence(error)}); train again, or take another checkpoint"
        ) from error
    if damaged is not None:
        raise InputError(f"--ckpt_path {path}: damaged ({damaged} fails its CRC); train again")
    try:
        _model_of(checkpoint)
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(
            f"--ckpt_path {path}: a checkpoint of another model ({_first_sentence(error)}); "
            "expected one written by python -m lightning_mnist fit"
        ) from error
    return dict(checkpoint)


def read_model(path: Path) -> DigitClassifier:
    """Read a trained model, ready to predict with.

    Raises:
        InputError: as of `read_checkpoint`.
    """
    return _model_of(read_checkpoint(path)).eval()


def _model_of(checkpoint: dict[str, Any]) -> DigitClassifier:
    hyperparameters = dict(checkpoint["hyper_parameters"])
    for key in ("_instantiator", "augmentation"):  # neither has weights
        hyperparameters.pop(key, None)
    model = DigitClassifier(**hyperparameters)
    model.load_state_dict(checkpoint["state_dict"])
    return model


def _first_sentence(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0].split('. ')[0]}" if lines else type(error).__name__
