"""Students learn the mean answers of their teachers, to the images that they see themselves."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_mnist.distillation import Distillation
from lightning_mnist.module import DigitClassifier
from lightning_mnist.trained import Trained
from parity.augmentation import AugmentationConfig
from tests.conftest import Here, mostly_slow, start
from tests.lightning_mnist.training.test_execution import assert_same, state, train

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*")

SMALL = ("--model.hidden", "[16]", "--data.batch_size", 32, "--guard", "off")


@pytest.fixture(scope="module")
def teachers(source: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs; one standardises its input."""
    folder = tmp_path_factory.mktemp("teachers")
    runs = [folder / "plain", folder / "standardized"]
    for seed, run in enumerate(runs):
        flags = ("--model.standardize", "dataset") if seed else ()
        given = ("--data.source", source, "--seed_everything", seed, "--run_dir", run, *flags)
        assert start("lightning_mnist", "fit", *SMALL, *given, cwd=folder) == 0
    return runs


def probabilities(runs: list[Path], images: Tensor) -> Tensor:
    """What the runs say of images uint8 [N, 28, 28] in the mean."""
    read = [Trained.read(run / "checkpoints" / "best.ckpt") for run in runs]
    return torch.stack([one.logits(images).softmax(dim=1) for one in read]).mean(dim=0)


def test_teachers_standardise_for_themselves(teachers: list[Path]) -> None:
    images = torch.randint(0, 256, (50, 28, 28), dtype=torch.uint8)
    taught = Distillation([str(run) for run in teachers]).probabilities(images / 255)
    torch.testing.assert_close(taught, probabilities(teachers, images))
    assert not torch.allclose(taught, probabilities(teachers[:1], images), atol=0.01)


class Heard(DigitClassifier):
    """Keeps what it is given to learn."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.lessons: list[tuple[Tensor, Tensor, Tensor]] = []

    def loss(self, pixels: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        loss, logits = super().loss(pixels, targets)
        if self.training:
            self.lessons.append((pixels, targets, loss.detach()))
        return loss, logits


@pytest.mark.parametrize(
    "precision", mostly_slow(["32-true", "bf16-mixed", "64-true"], "bf16-mixed")
)
def test_targets_are_of_the_augmented_images(
    precision: str, source: Path, teachers: list[Path]
) -> None:
    distillation = Distillation([str(run) for run in teachers])
    given = {"augmentation": AugmentationConfig(rotation=15, noise=0.1), "steps": "graph"}
    trainer = train(source, 4, kind=Heard, model=given, callbacks=[distillation], max_steps=3,
                    precision=precision)  # fmt: skip
    heard = trainer.lightning_module
    assert isinstance(heard, Heard)
    assert len(heard.lessons) == 3
    for pixels, targets, loss in heard.lessons:
        assert targets.shape == (32, 10)
        images = pixels.view(-1, 28, 28)
        with torch.autocast("cpu", enabled=precision == "bf16-mixed"):
            expected = distillation.probabilities(images)
        torch.testing.assert_close(targets, expected)
        assert loss > -(targets * targets.log()).sum(dim=1).mean()  # which nothing falls below
    assert not set(heard.state_dict()) - set(DigitClassifier(hidden=[16]).state_dict())


@pytest.mark.parametrize("model", [{}, {"label_smoothing": 0.1}])
def test_blocks_and_steps_without_graph_learn_the_same(
    model: dict[str, Any], source: Path, teachers: list[Path]
) -> None:
    def taught(block: int, **settings: str) -> Any:
        callbacks = [Distillation([str(run) for run in teachers])]
        return state(train(source, block, model=model | settings, callbacks=callbacks))

    assert_same(taught(1, steps="graph"), taught(5))


def test_a_student_believes_its_teachers_and_says_who_they_are(
    here: Here, source: Path, teachers: list[Path], tmp_path: Path
) -> None:
    digits = dict(np.load(source))
    digits["y_train"] = (digits["y_train"] + 1) % 10
    np.savez(tmp_path / "wrong.npz", **digits)
    flags = (*SMALL, "--data.source", "wrong.npz", "--ema_decay", 0.9, "--keep", "last")
    done = here("fit", *flags, "--teachers", *teachers, "--run_dir", "taught")
    assert done.code == 0, done.err
    record = json.loads(Path("taught/record.json").read_text())
    assert record["metrics"]["accuracy"] > 0.9
    best = [run / "checkpoints" / "best.ckpt" for run in teachers]
    assert record["data"]["teachers"] == {str(path): Trained.read(path).sha256 for path in best}
    assert record["recipe"]["teachers"] == list(map(str, teachers))


def test_lessons_go_on_with_the_same_teachers_only(
    here: Here, source: Path, teachers: list[Path], tmp_path: Path
) -> None:
    moved = [shutil.copytree(run, tmp_path / f"moved{i}") for i, run in enumerate(teachers)]
    flags = ("--data.source", source, *SMALL)
    for run, epochs in (("whole", 2), ("parts", 1)):
        given = ("--teachers", *moved, "--run_dir", run, "--trainer.max_epochs", epochs)
        assert here("fit", *flags, *given).code == 0
    on = ("fit", "--resume", "parts", "--trainer.max_epochs", 2)
    missing = tmp_path / "moved1"
    shutil.rmtree(missing)
    gone = here(*on)
    assert gone.code == 1
    assert f"--teachers {missing}: no such file; expected a .ckpt" in gone.err
    others = here(*on, "--teachers", teachers[1], teachers[0])
    assert others.code == 1
    assert "--teachers: not the networks that this training has learned from so far" in others.err
    done = here(*on, "--teachers", *teachers)
    assert done.code == 0, done.err
    one, other = (np.load(f"{run}/predictions.npz")["logits"] for run in ("whole", "parts"))
    np.testing.assert_array_equal(one, other)
