"""What the Lightning side says of itself: measured on what a command line builds, and unchanged."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from lightning_mnist.instruments import lockstep
from lightning_mnist.instruments.lockstep import LockStep
from parity.sides.recipe import Recipe


@pytest.fixture(autouse=True)
def _no_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lightning warns of two command lines at once."""
    monkeypatch.setattr("sys.argv", ["audit"])


def built(path: Path, *more: object, **recipe: Any) -> LockStep:
    flags = Recipe(hidden=(64,), batch_size=32, **recipe).flags("lightning", str(path), 0, "unused")
    return lockstep.build([*flags, *map(str, more)], "float32")


def test_numbers_of_layers_optimiser_loader_and_trainer(tiny_npz: Path) -> None:
    side = built(tiny_npz, batch_norm=True, port="torch", dropout=0.25, epochs=7)
    settings = side.settings()
    expected = {
        "network.layers": [
            "dense_1 784 -> 64", "batch_norm_1", "activation_1", "dropout_1", "dense_2 64 -> 10",
        ],
        "network.trainable": 784 * 64 + 64 + 2 * 64 + 64 * 10 + 10,
        "network.tracked": 2 * 64,
        "network.dtype": "float32",
        "batch_norm_1.epsilon": pytest.approx(1e-5),
        "batch_norm_1.momentum": pytest.approx(0.9),
        "batch_norm_1.moving_variance": pytest.approx(4 / 3),
        "optimizer.family": "adam",
        "optimizer.learning_rate": 1e-3,
        "optimizer.epsilon": 1e-8,
        "optimizer.clip": "none",
        "schedule.learning_rate": [1e-3] * 4,
        "data.train": 367,
        "data.validation": 33,
        "data.batches": 12,
        "data.batch": 32,
        "data.last_batch": 15,
        "data.shuffle": "a new order each epoch",
        "data.validation.part": "drawn from the whole file, the same share of each class",
        "trainer.epochs": 7,
        "precision": "float32",
    }  # fmt: skip
    assert {key: settings[key] for key in expected} == expected
    assert settings["dropout_1"]["zeros"] == pytest.approx(0.25, abs=0.01)
    assert settings["init.dense_1.kernel"]["shape"] == [784, 64]


def test_asking_changes_nothing(tiny_npz: Path) -> None:
    side = built(tiny_npz, batch_norm=True, dropout=0.25, decay=0.5, optimizer="sgd")
    before = copy.deepcopy((side.model.state_dict(), side.optimizer.state_dict()))
    first = side.settings()
    assert first["schedule.learning_rate"] == [0.01, 0.005, 0.0025, 0.00125]
    assert side.settings() == first
    after = side.model.state_dict(), side.optimizer.state_dict()
    assert after[0].keys() == before[0].keys()
    assert all(torch.equal(after[0][name], before[0][name]) for name in before[0])
    assert after[1] == before[1]
    assert not {"log", "log_dict"} & vars(side.model).keys()


def test_flags_of_the_trainer_reach_the_optimiser_rows(tiny_npz: Path) -> None:
    settings = built(tiny_npz, "--trainer.gradient_clip_val", 0.5).settings()
    assert settings["optimizer.clip"] == "global norm 0.5"
    assert settings["optimizer.accumulated_batches"] == 1


def test_the_loss_is_that_of_the_training_step(
    tiny_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    side = built(tiny_npz)
    healthy = side.settings()["loss"]
    assert healthy["twice"] == pytest.approx(healthy["once"])

    def summed(logits: torch.Tensor, labels: torch.Tensor, **settings: Any) -> torch.Tensor:
        return cross_entropy(logits, labels, reduction="sum", **settings)

    cross_entropy = F.cross_entropy
    monkeypatch.setattr(F, "cross_entropy", summed)
    planted = side.settings()["loss"]
    assert planted["once"] == pytest.approx(4 * healthy["once"])
    assert planted["twice"] == pytest.approx(8 * healthy["once"])


def test_another_activation_and_another_order_are_seen(tiny_npz: Path) -> None:
    side = built(tiny_npz, activation="gelu")
    healthy = side.settings()
    activation: Any = side.model.network[1]
    activation.approximate = "tanh"
    side.cli.datamodule.seed = None  # type: ignore[assignment]
    planted = side.settings()
    assert planted["activation_1"]["values"] != healthy["activation_1"]["values"]
    assert planted["data.shuffle"] == "the order of the file"


@pytest.mark.parametrize("momentum", [0.0, 0.5])
@pytest.mark.parametrize("port", ["torch", "exact"])
def test_where_the_rate_multiplies_is_measured(tiny_npz: Path, port: Any, momentum: float) -> None:
    settings = {"momentum": momentum}
    found = built(tiny_npz, port=port, optimizer="sgd", optimizer_settings=settings).settings()
    expected = {"torch": "multiplies what leaves it", "exact": "multiplies what enters it"}[port]
    assert found.get("optimizer.momentum_rate") == (expected if momentum else None)
