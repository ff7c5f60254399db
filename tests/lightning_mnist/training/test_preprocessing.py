"""Pixels to network input, against arithmetic done by hand."""

import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_mnist.preprocessing import VARIANCE_FLOOR, Preprocessing, Standardize


@pytest.fixture
def images() -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (50, 28, 28), np.uint8))


def test_pixels_are_scaled_to_one_and_flattened(images: Tensor) -> None:
    pixels = Preprocessing()(images)
    assert pixels.dtype == torch.float32
    assert pixels.shape == (50, 784)
    torch.testing.assert_close(pixels, images.reshape(50, 784).double().div(255).float())


@pytest.mark.parametrize("standardize", ["none", "dataset", "image"])
def test_a_module_in_float64_computes_in_float64(images: Tensor, standardize: Standardize) -> None:
    preprocessing = Preprocessing(standardize=standardize).double()
    preprocessing.fit(images)
    expected = images.reshape(50, 784).double() / 255
    if standardize == "dataset":
        expected = (expected - expected.mean()) / expected.std(correction=0)
    elif standardize == "image":
        variance, mean = torch.var_mean(expected, dim=1, correction=0, keepdim=True)
        expected = (expected - mean) / (variance + VARIANCE_FLOOR).sqrt()
    torch.testing.assert_close(preprocessing(images), expected, rtol=1e-12, atol=1e-12)


def test_inversion_swaps_ink_and_paper() -> None:
    edges = torch.tensor([[[0, 255]]], dtype=torch.uint8)
    assert Preprocessing(invert=True)(edges).tolist() == [[1.0, 0.0]]
    assert Preprocessing(invert=False)(edges).tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize("invert", [False, True])
def test_standardised_training_pixels_have_mean_0_and_deviation_1(
    images: Tensor, invert: bool
) -> None:
    preprocessing = Preprocessing(invert=invert, standardize="dataset")
    preprocessing.fit(images)
    pixels = preprocessing(images)
    assert abs(pixels.mean().item()) < 1e-5
    assert abs(pixels.std(correction=0).item() - 1) < 1e-5


def test_images_standardised_one_by_one_know_no_contrast_and_invert_by_sign(images: Tensor) -> None:
    preprocessing = Preprocessing(standardize="image")
    pixels = preprocessing(images)
    assert pixels.mean(dim=1).abs().max() < 1e-5
    assert (pixels.std(dim=1, correction=0) - 1).abs().max() < 1e-3
    torch.testing.assert_close(preprocessing(255 - images), -pixels, atol=1e-4, rtol=0)
    halved = preprocessing.normalize(preprocessing.scale(images) / 2 + 0.3)
    torch.testing.assert_close(halved, pixels, atol=1e-3, rtol=0)


def test_nothing_is_measured_unless_asked_for(images: Tensor) -> None:
    preprocessing = Preprocessing()
    preprocessing.fit(images)
    assert preprocessing.describe() == {
        "scale": "x / 255",
        "invert": False,
        "standardize": "none",
        "mean": 0.0,
        "std": 1.0,
    }


def test_images_that_are_all_alike_do_not_divide_by_zero() -> None:
    blank = torch.zeros(3, 28, 28, dtype=torch.uint8)
    preprocessing = Preprocessing(standardize="dataset")
    preprocessing.fit(blank)
    assert Preprocessing(standardize="image")(blank).abs().max() == 0
    assert preprocessing(blank).abs().max() == 0


def test_what_was_measured_is_saved(images: Tensor) -> None:
    fitted, fresh = Preprocessing(standardize="dataset"), Preprocessing(standardize="dataset")
    fitted.fit(images)
    fresh.load_state_dict(fitted.state_dict())
    torch.testing.assert_close(fresh(images), fitted(images), rtol=0, atol=0)
