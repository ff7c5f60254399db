"""What the Keras side says of itself: measured on what a command line compiles, and unchanged."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the extra keras is not installed")

from keras_reference.epochs import Notes  # noqa: E402
from keras_reference.instruments import lockstep  # noqa: E402
from keras_reference.instruments.lockstep import LockStep  # noqa: E402
from parity.sides.recipe import Recipe  # noqa: E402
from tests.conftest import SLOW  # noqa: E402


def built(path: Path, *more: object, **recipe: Any) -> LockStep:
    flags = Recipe(hidden=(64,), batch_size=32, **recipe).flags("keras", str(path), 0, "unused")
    return lockstep.build([*flags, *map(str, more)], "float32")


def test_numbers_of_layers_optimiser_loader_and_trainer(tiny_npz: Path) -> None:
    settings = built(tiny_npz, batch_norm=True, dropout=0.25, epochs=7).settings()
    expected = {
        "network.layers": [
            "dense_1 784 -> 64", "batch_norm_1", "activation_1", "dropout_1", "dense_2 64 -> 10",
        ],
        "network.trainable": 784 * 64 + 64 + 2 * 64 + 64 * 10 + 10,
        "network.tracked": 2 * 64,
        "network.dtype": "float32",
        "batch_norm_1.epsilon": pytest.approx(1e-3),
        "batch_norm_1.momentum": pytest.approx(0.99),
        "batch_norm_1.moving_variance": pytest.approx(1),
        "optimizer.family": "adam",
        "optimizer.learning_rate": pytest.approx(1e-3),
        "optimizer.epsilon": 1e-7,
        "optimizer.clip": "none",
        "data.train": 367,
        "data.validation": 33,
        "data.batches": 12,
        "data.batch": 32,
        "data.last_batch": 15,
        "data.validation.part": "the last of the file, cut off before shuffling",
        "trainer.epochs": 7,
        "precision": "float32",
    }  # fmt: skip
    assert {key: settings[key] for key in expected} == expected
    assert settings["dropout_1"]["zeros"] == pytest.approx(0.25, abs=0.01)
    shown = settings["metric.train_loss.shown"]
    assert shown["shown"] == pytest.approx(np.mean(shown["batches"]), rel=1e-5)
    assert shown["batches"][0] != pytest.approx(shown["batches"][1], rel=1e-3)


def test_every_epoch_has_an_order_of_its_own(tiny_npz: Path) -> None:
    settings = built(tiny_npz).settings()
    assert settings["data.shuffle"] == "a new order each epoch"
    assert settings["data.order"] != sorted(settings["data.order"])


def test_a_seed_makes_keras_replay_the_order_of_the_first_epoch() -> None:
    """Keras 3.15 on TensorFlow; should this fail, Keras has mended it: epochs need no seeds."""
    keras.utils.set_random_seed(0)
    notes = Notes()
    notes.compile(run_eagerly=True)
    notes.built = True
    notes.fit(np.arange(100), np.arange(100), epochs=2, batch_size=100, verbose=0)
    first, second = notes.batches
    assert (first == second).all()
    assert (np.diff(first) < 0).any()


def test_asking_changes_nothing(tiny_npz: Path) -> None:
    side = built(tiny_npz, batch_norm=True, dropout=0.25, decay=0.5, optimizer="sgd")
    before = side.weights()
    first = side.settings()
    assert first["schedule.learning_rate"] == pytest.approx([0.01, 0.005, 0.0025, 0.00125])
    again = side.settings()
    for drawn in ("dropout_1", "data.order", "data.shuffle", "metric.train_loss.shown"):
        del first[drawn], again[drawn]
    assert again == first
    after = side.weights()
    assert after.keys() == before.keys()
    assert all(np.array_equal(after[name], before[name]) for name in before)
    assert int(side.model.optimizer.iterations) == 0
    assert float(side.model.optimizer.learning_rate) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("given", "name", "expected"),
    [
        ({"global_clipnorm": 0.5}, "clip", "global norm 0.5"),
        pytest.param({"clipvalue": 2.0}, "clip", "value 2", marks=SLOW),
        pytest.param({"gradient_accumulation_steps": 3}, "accumulated_batches", 3, marks=SLOW),
        pytest.param({"use_ema": True}, "use_ema", True, marks=SLOW),
    ],
)
def test_what_keras_can_do_besides_is_told(
    tiny_npz: Path, given: dict[str, Any], name: str, expected: object
) -> None:
    assert built(tiny_npz, optimizer_settings=given).settings()[f"optimizer.{name}"] == expected


def test_another_loss_is_seen(tiny_npz: Path) -> None:
    side = built(tiny_npz)
    side.model.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
    )
    loss = side.settings()["loss"]
    assert loss["twice"] == pytest.approx(2 * loss["once"])
