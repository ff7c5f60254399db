"""Digits read by a program, not at the command line."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import lightning_mnist
from lightning_mnist import InputError, predict
from lightning_mnist.data.batches import EVALUATION_BATCH
from lightning_mnist.own_images import read_digit
from tests.support.mlp_files import random_module, save_checkpoint

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (5, 28, 28)).astype(np.uint8)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    module = random_module("all at once")  # with dropout, batch norm and standardisation
    return save_checkpoint(module, tmp_path_factory.mktemp("model") / "model.ckpt")


def picture(path: Path) -> Path:
    grey = np.full((60, 40), 255, np.uint8)
    grey[10:50, 18:24] = 0
    Image.fromarray(grey).save(path)
    return path


def test_arrays_become_the_probabilities_that_the_model_gives(checkpoint: Path) -> None:
    probabilities = predict(checkpoint, IMAGES)
    assert probabilities.dtype == np.float32
    with torch.no_grad():
        expected = random_module("all at once")(torch.from_numpy(IMAGES)).softmax(dim=1).numpy()
    np.testing.assert_allclose(probabilities, expected, rtol=1e-5)
    np.testing.assert_array_equal(predict(str(checkpoint), IMAGES), probabilities)  # no dropout


def test_many_images_are_read_in_parts(checkpoint: Path) -> None:
    many = np.tile(IMAGES, (EVALUATION_BATCH // len(IMAGES) + 2, 1, 1))
    assert len(many) > EVALUATION_BATCH
    expected = np.tile(predict(checkpoint, IMAGES), (len(many) // len(IMAGES), 1))
    np.testing.assert_allclose(predict(checkpoint, many), expected, rtol=1e-4)


def test_pictures_are_read_from_their_paths(checkpoint: Path, tmp_path: Path) -> None:
    path = picture(tmp_path / "one.png")
    expected = predict(checkpoint, read_digit(path)[np.newaxis])
    many: list[Sequence[str | Path]] = [[path, str(path)], (path, path)]
    for paths in many:
        np.testing.assert_allclose(predict(checkpoint, paths), np.tile(expected, (2, 1)), rtol=1e-5)


@pytest.mark.parametrize("nothing", [[], np.empty((0, 28, 28), np.uint8)], ids=["paths", "array"])
def test_no_images_give_no_probabilities(nothing: Any, checkpoint: Path) -> None:
    assert predict(checkpoint, nothing).shape == (0, 10)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (IMAGES / 255, r"images are float64 \[5, 28, 28\]; expected uint8 \[N, 28, 28\]"),
        (IMAGES[0], r"images are uint8 \[28, 28\]; expected"),
        (IMAGES.reshape(5, 784), r"images are uint8 \[5, 784\]; expected"),
        ("one.png", r"images is 'one.png'; expected a list of paths"),
        (["missing.png"], r"missing.png: no such file"),
    ],
    ids=["float", "one image", "flat", "one path", "missing"],
)
def test_other_images_are_refused(images: Any, message: str, checkpoint: Path) -> None:
    with pytest.raises(InputError, match=message):
        predict(checkpoint, images)


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none.ckpt: no such file"):
        predict(tmp_path / "none.ckpt", IMAGES)


def test_the_function_is_not_hidden_by_a_module() -> None:
    """A module of that name would be what the package has, once something imports it."""
    assert not list(Path(lightning_mnist.__path__[0]).glob("predict.py"))
    assert callable(lightning_mnist.predict)
