"""Forty ordinary Keras perceptrons become checkpoints that answer alike."""

from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("keras", reason="the extra keras is not installed")

import keras
from scipy.special import softmax

import keras_reference.instruments.interchange
import lightning_mnist.instruments.interchange
from keras_reference.model_file import fed_raw
from lightning_mnist.trained import Trained
from tests.support.mnist_models import MODELS

IMAGES = np.random.default_rng(3).integers(0, 256, (16, 28, 28)).astype(np.uint8)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if number == 35 else pytest.mark.slow)
        for number, name in enumerate(MODELS)
    ],
)
def test_an_ordinary_model_is_converted_and_answers_alike(name: str, tmp_path: Path) -> None:
    keras.utils.clear_session()
    model = MODELS[name]()
    files = [tmp_path / f"model{ending}" for ending in (".keras", ".safetensors", ".ckpt")]
    model.save(files[0])
    keras_reference.instruments.interchange.convert(files[0], files[1])
    lightning_mnist.instruments.interchange.convert(files[1], files[2])
    theirs = np.asarray(fed_raw(model)(IMAGES.astype(np.float32)))
    ours = Trained.read(files[2]).logits(torch.from_numpy(IMAGES)).numpy()
    if np.allclose(theirs.sum(axis=1), 1, atol=1e-4) and theirs.min() >= 0:
        ours = softmax(ours, axis=1)
    assert np.abs(ours - theirs).max() <= 1e-5 * max(1.0, np.abs(theirs).max())


def test_there_are_forty_of_every_kind() -> None:
    assert len(MODELS) == 40
