"""Augmentation: what must stay as it is stays, what must differ differs, and it can be repeated."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from lightning_mnist.augmentation import (
    Augmentation,
    Intensity,
    Invert,
    Thickness,
    largest_around,
)
from lightning_mnist.draws import uniform
from lightning_mnist.warp import HALF, Warp, resample
from parity.augmentation import AugmentationConfig
from tests.conftest import Here, embedded_digits

STRONG: dict[str, float] = {
    "rotation": 30,
    "shear": 20,
    "scale": 0.3,
    "shift": 3,
    "elastic": 1.5,
    "thickness": 1,
    "erase": 1,
    "dim": 0.7,
    "gamma": 1,
    "noise": 0.2,
    "invert": 0.5,
}
EVERYTHING = AugmentationConfig(**STRONG)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def images() -> Tensor:
    """Sixty-four digits, float32 [64, 28, 28] in [0, 1]."""
    digits = embedded_digits()
    return torch.from_numpy(digits.test_images[:64]).float() / 255


def test_nothing_switched_on_changes_nothing(images: Tensor) -> None:
    assert len(Augmentation(AugmentationConfig()).transforms) == 0
    assert torch.equal(Augmentation(AugmentationConfig())(images, generator()), images)


def test_a_resampling_that_moves_nothing_returns_its_input(images: Tensor) -> None:
    assert (Warp()(images, generator()) - images).abs().max() < 1e-6


@pytest.mark.parametrize(("right", "down"), [(3, 0), (0, -2), (-5, 4)])
def test_a_shift_by_whole_pixels_is_exact(images: Tensor, right: int, down: int) -> None:
    line = torch.arange(28) - 13.5
    y, x = torch.meshgrid(line, line, indexing="ij")
    places = torch.stack([x - right, y - down], dim=-1).expand(len(images), -1, -1, -1)
    expected = torch.roll(images, (down, right), dims=(1, 2))
    inside = torch.zeros(28, 28, dtype=torch.bool)
    inside[max(0, down) : 28 + min(0, down), max(0, right) : 28 + min(0, right)] = True
    assert torch.equal(resample(images, places), expected * inside)


def test_inversion_twice_is_the_identity(images: Tensor) -> None:
    invert = Invert(1.0)
    once = invert(images, generator())
    torch.testing.assert_close(once, 1 - images)
    torch.testing.assert_close(invert(once, generator()), images)


@pytest.mark.parametrize("name", STRONG)
def test_every_transform_draws_anew_for_every_sample_and_repeats_itself(
    name: str, images: Tensor
) -> None:
    augmentation = Augmentation(AugmentationConfig(**{name: STRONG[name]}))
    same = images[:1].expand(32, -1, -1)
    first = augmentation(same, generator())
    assert torch.equal(first, augmentation(same, generator()))
    assert not torch.equal(first, augmentation(same, generator(1)))
    assert len({tuple(image.flatten().tolist()) for image in first}) > (
        1 if name == "invert" else 16
    )
    assert torch.equal(same, images[:1].expand(32, -1, -1))  # the input is not written to


@given(
    strengths=st.fixed_dictionaries({name: st.floats(0, top) for name, top in STRONG.items()}),
    count=st.integers(1, 5),
    seed=st.integers(0, 2**31),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
@settings(max_examples=60)
def test_shape_type_and_range_are_kept(
    strengths: dict[str, float], count: int, seed: int, dtype: torch.dtype
) -> None:
    batch = torch.rand(count, 28, 28, generator=generator(seed)).to(dtype)
    result = Augmentation(AugmentationConfig(**strengths))(batch, generator(seed))
    assert result.shape == batch.shape
    assert result.dtype == dtype
    assert torch.isfinite(result).all()
    assert result.min() >= 0
    assert result.max() <= 1


def test_half_precision_elsewhere_changes_nothing(images: Tensor) -> None:
    augmentation = Augmentation(EVERYTHING)
    with torch.autocast("cpu", torch.bfloat16):
        under_autocast = augmentation(images, generator())
    assert torch.equal(under_autocast, augmentation(images, generator()))


def test_strokes_grow_and_shrink_to_the_extremes_around(images: Tensor) -> None:
    grown, shrunk = largest_around(images), -largest_around(-images)
    assert torch.equal(grown[:, None], F.max_pool2d(images[:, None], 3, stride=1, padding=1))
    assert torch.equal(-shrunk[:, None], F.max_pool2d(-images[:, None], 3, stride=1, padding=1))
    changed = Thickness(1.0)(images, generator())
    assert ((changed >= shrunk) & (changed <= grown)).all()
    assert (changed > images).any()
    assert (changed < images).any()


def centre_of_mass(images: Tensor) -> Tensor:
    line = torch.arange(28.0)
    total = images.sum((1, 2))
    columns, rows = (images.sum(1) * line).sum(1), (images.sum(2) * line).sum(1)
    return torch.stack([columns / total, rows / total])


def test_a_shift_moves_ink_within_its_range(images: Tensor) -> None:
    moved = Warp(shift=3)(images, generator())
    by = centre_of_mass(moved) - centre_of_mass(images)
    assert 2 < by.abs().max() < 3.1


def test_rotation_keeps_the_ink_and_scale_changes_it(images: Tensor) -> None:
    ink = images.sum((1, 2))
    turned = Warp(rotation=30)(images, generator()).sum((1, 2))
    assert (turned / ink - 1).abs().max() < 0.03
    sized = Warp(scale=0.3)(images, generator()).sum((1, 2)) / ink
    assert 1 / 1.3**2 * 0.95 < sized.min() < 0.75
    assert 1.3 < sized.max() < 1.3**2 * 1.05


@pytest.mark.parametrize("smoothness", [1.5, 4.0])
def test_the_elastic_field_has_the_strength_and_smoothness_asked_for(smoothness: float) -> None:
    blank = torch.zeros(4000, 28, 28)
    moved = Warp(elastic=1, smoothness=smoothness).grid(blank, generator())
    field = (moved - Warp().grid(blank, generator())) * HALF
    deviation = field.std(dim=0)
    assert abs(deviation - 1).max() < 0.06  # everywhere alike, in both directions
    for neighbours in (
        field[:, 10] * field[:, 13],
        field[:, :, 10] * field[:, :, 13],
    ):  # of smoothed noise, three pixels apart
        expected = math.exp(-((3 / (2 * smoothness)) ** 2))
        assert neighbours.mean().item() == pytest.approx(expected, abs=0.02)
    assert (field[..., 0] * field[..., 1]).mean().item() == pytest.approx(0, abs=0.02)


def test_gamma_raises_grey_levels_to_a_power_and_leaves_paper_blank(images: Tensor) -> None:
    draw, _ = uniform(2, len(images), images, generator())
    expected = images ** (2**draw).view(-1, 1, 1)
    changed = Intensity(dim=0, gamma=1)(images, generator())
    torch.testing.assert_close(changed, expected, rtol=0, atol=1e-6)
    assert torch.equal(changed == 0, images == 0)


def test_inversion_comes_as_often_as_asked(images: Tensor) -> None:
    many = images[:1].expand(4000, -1, -1)
    inverted = Invert(0.3)(many, generator())[:, 0, 0] > 0.5
    assert abs(inverted.float().mean() - 0.3) < 0.03


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"invert": 1.5}, "invert is 1.5; expected 0 to 1"),
        ({"rotation": -1}, "rotation is -1; expected degrees"),
        ({"shift": -1}, "shift is -1; expected 0 or more"),
        ({"noise": float("nan")}, "noise is nan; expected 0 or more"),
        ({"smoothness": 0}, "smoothness is 0; expected more than 0"),
    ],
)
def test_impossible_strengths_are_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        AugmentationConfig(**change)


@pytest.mark.slow
def test_fit_augments_from_the_seed_and_tests_without(
    here: Here, tiny_npz: Path, tmp_path: Path
) -> None:
    flags = [
        f
        for n, v in dataclasses.asdict(EVERYTHING).items()
        for f in (f"--model.augmentation.{n}", v)
    ]
    short = ("--trainer.max_epochs", 1, "--model.hidden", "[16]", "--data.batch_size", 32)
    for name in ("one", "two"):
        done = here("fit", "--data.source", tiny_npz, *short, *flags, "--run_dir", name)
        assert done.code == 0, done.err
    done = here("fit", "--data.source", tiny_npz, *short, "--run_dir", "plain")
    assert done.code == 0, done.err
    one, two, plain = (
        (tmp_path / name / "predictions.npz").read_bytes() for name in ("one", "two", "plain")
    )
    assert one == two
    assert one != plain
    best = tmp_path / "one" / "checkpoints" / "best.ckpt"
    done = here("test", "--ckpt_path", best, "--data.source", tiny_npz, "--run_dir", "tested")
    assert done.code == 0, done.err
    assert (tmp_path / "tested" / "predictions.npz").read_bytes() == one


@pytest.mark.pictures
def test_the_preview_shows_every_transform(here: Here, tmp_path: Path) -> None:
    done = here("augment", "--preview", "sheet.png", "--data.source", "digits")
    assert done.code == 0, done.err
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert np.asarray(sheet).std() > 20
        assert sheet.height > 1500
    assert here("augment", "--preview", "sheet.jpg", "--data.source", "digits").code == 1
    assert here("augment", "--preview", "no/such/sheet.png", "--data.source", "digits").code == 1
