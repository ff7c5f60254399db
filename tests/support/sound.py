"""A sound file of each kind, made in a moment and without a training."""

from pathlib import Path

import numpy as np
import torch
import yaml
from lightning.pytorch import Trainer
from PIL import Image

from lightning_mnist.checkpoint import WholeCheckpointIO
from lightning_mnist.module import DigitClassifier
from parity import mlp_file
from parity.run_record import CONFIG_FILE, PREDICTIONS_FILE, Predictions
from tests.conftest import make_digits, write_npz
from tests.parity.judge.test_run_record import a_record

RECIPE = {"model": {"hidden": [2]}, "trainer": {"max_epochs": 1}}
SEARCH = {"trials": 1, "epochs": 1, "recipe": RECIPE, "space": {"optimizer.lr": {"log": [0.1, 1]}}}


def sound_files(folder: Path) -> Path:
    """Digits, a picture, a recipe, a search, a run and a model of Lightning; gives `folder`."""
    write_npz(make_digits(20, 4), folder / "tiny.npz")
    write_picture(folder / "digit.png")
    for name, values in (("recipe", RECIPE), ("search", SEARCH)):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(values))
    run = folder / "run"
    run.mkdir()
    (run / CONFIG_FILE).write_text(yaml.safe_dump(RECIPE))
    a_record().save(run)
    write_predictions(run / PREDICTIONS_FILE)
    write_checkpoint(folder / "model.ckpt")
    return folder


def write_checkpoint(path: Path) -> None:
    torch.manual_seed(0)
    trainer = Trainer(
        accelerator="cpu", plugins=WholeCheckpointIO(), logger=False, enable_checkpointing=False
    )
    trainer.strategy.connect(DigitClassifier(hidden=[2]))
    trainer.save_checkpoint(path)


def write_keras(path: Path) -> None:
    import keras

    from parity.seal import seal

    keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(10)]).save(
        path
    )
    seal(path)


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
