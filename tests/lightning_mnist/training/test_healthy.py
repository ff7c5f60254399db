"""No false alarm: 156 trainings of every shape, of which over 100 end well and none is stopped.

They are short, so that some have hardly begun to learn when they end: those must be left alone too.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer, seed_everything

from lightning_mnist import guard as guarding
from lightning_mnist.data import sources
from lightning_mnist.data.datamodule import DigitsDataModule
from lightning_mnist.guard import CollapseGuard
from lightning_mnist.module import DigitClassifier
from parity.torch.first_step import FirstStep
from parity.watch.diagnosis import Case, diagnose
from parity.watch.symptoms import Symptoms
from tests.conftest import Here

CHUNK, CHUNKS = 12, 13
WELL = 8
"""Of a chunk so many trainings, at least, learn something: over 100 of all."""
MODERATE = 256
"""Units of a layer; wider networks see few images, which are what their trainings cost."""
RATES = {
    "SGD": (0.01, 0.1),
    "Adam": (1e-4, 1e-3, 1e-2),
    "AdamW": (1e-3,),
    "RMSprop": (1e-3,),
    "Adagrad": (0.01,),
    "NAdam": (1e-3,),
}


def draw(seed: int) -> dict[str, Any]:
    """The shape of a training, and of its data."""
    rng = np.random.default_rng(seed)
    optimizer = str(rng.choice(list(RATES)))
    shape = {
        "classes": int(rng.integers(2, 11)),
        "images": int(rng.choice([500, 500, 2000])),
        "majority": float(rng.choice([0, 0, 0.5, 0.8])),
        "hidden": [2 ** int(rng.integers(3, 11)) for _ in range(rng.integers(1, 5))],
        "activation": str(rng.choice(["relu", "relu", "relu", "tanh", "gelu"])),
        "dropout": float(rng.choice([0, 0, 0.2, 0.5])),
        "batch_norm": bool(rng.random() < 0.2),
        "optimizer": optimizer,
        "learning_rate": float(rng.choice(RATES[optimizer])),
        "batch_size": 2 ** int(rng.integers(4, 12)),
    }
    if max(shape["hidden"]) > MODERATE:
        shape["images"] = 500
    return shape


@cache
def mnist(root: Path) -> sources.RawDigits:
    """Read once for all trainings of a process."""
    return sources.load("mnist", root)


def subset(root: Path, shape: dict[str, Any], seed: int, path: Path) -> Path:
    """Some of MNIST as an ``.npz``: so many images, of the first classes, one of them frequent."""
    digits = mnist(root)
    rng = np.random.default_rng(seed)
    labels = digits.train_labels
    frequent = np.flatnonzero(labels == rng.integers(shape["classes"]))
    often = rng.choice(frequent, int(shape["images"] * shape["majority"]), replace=False)
    each = (shape["images"] - len(often)) // shape["classes"]
    others = [rng.choice(np.flatnonzero(labels == c), each) for c in range(shape["classes"])]
    ids = rng.permutation(np.concatenate([often, *others]))
    np.savez(
        path, x_train=digits.train_images[ids], y_train=labels[ids],
        x_test=digits.test_images[:200], y_test=digits.test_labels[:200],
    )  # fmt: skip
    return path


def train(shape: dict[str, Any], data: Path, seed: int, run_dir: Path) -> tuple[Symptoms, Case]:
    seed_everything(seed, verbose=False)
    module = DigitClassifier(
        hidden=shape["hidden"], activation=shape["activation"], dropout=shape["dropout"],
        batch_norm=shape["batch_norm"],
    )  # fmt: skip
    optimizer = getattr(torch.optim, shape["optimizer"])
    configured = optimizer(module.parameters(), shape["learning_rate"])
    module.configure_optimizers = lambda: configured  # type: ignore[method-assign]
    steps = -(-shape["images"] // shape["batch_size"])
    guard = CollapseGuard(run_dir, "warn")
    trainer = Trainer(
        max_epochs=int(np.clip(400 // steps, 3, 34)), accelerator="cpu", callbacks=[guard],
        logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, num_sanity_val_steps=0,
    )  # fmt: skip
    datamodule = DigitsDataModule(
        str(data), batch_size=shape["batch_size"], val_size=max(50, shape["images"] // 12)
    )
    trainer.fit(module, datamodule=datamodule)
    _, labels, logits = (tensor.numpy() for tensor in module.val_logits.compute())
    return guard.guard.symptoms, Case(logits, labels, guard.guard.symptoms)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*LeafSpec")  # Lightning 2.6 on torch 2.13
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_no_healthy_training_is_stopped(
    chunk: int, mnist_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Most have fewer classes than outputs, as is said, and what is tried then stops nothing.
    monkeypatch.setattr(guarding, "FirstStep", lambda trials: FirstStep(trials=False))
    well = 0
    for seed in range(CHUNK * chunk, CHUNK * (chunk + 1)):
        shape = draw(seed)
        data = subset(mnist_root, shape, seed, tmp_path / "data.npz")
        symptoms, case = train(shape, data, seed, tmp_path)
        assert symptoms.collapsed_at is None, (seed, shape, symptoms.signs)
        assert case.labels is not None
        assert case.accuracy is not None
        majority = np.bincount(case.labels).max() / len(case.labels)
        if case.accuracy > majority + 0.2 * (1 - majority):
            well += 1
            assert diagnose(case) == [], (seed, shape)
    assert well >= WELL


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1012))
def test_no_healthy_training_is_stopped_in_keras(
    seed: int, mnist_root: Path, keras_here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("keras", reason="the extra keras is not installed")
    from parity.keras import guard
    from parity.keras.first_step import FirstStep as InKeras

    monkeypatch.setattr(guard, "FirstStep", lambda x, y, trials: InKeras(x, y, trials=False))
    shape = draw(seed)
    data = subset(mnist_root, shape, seed, tmp_path / "data.npz")
    steps = -(-shape["images"] // shape["batch_size"])
    done = keras_here(
        "fit", "--data.source", data, "--run_dir", "run", "--seed_everything", seed,
        "--model.hidden", shape["hidden"], "--model.dropout", shape["dropout"],
        "--model.activation", shape["activation"], "--data.batch_size", shape["batch_size"],
        "--optimizer.name", {"NAdam": "Nadam"}.get(shape["optimizer"], shape["optimizer"]),
        "--optimizer.learning_rate", shape["learning_rate"],
        "--trainer.max_epochs", int(np.clip(300 // steps, 3, 20)),
    )  # fmt: skip
    assert done.code == 0, (shape, done.err)
    assert "collapsed in epoch" not in done.err
