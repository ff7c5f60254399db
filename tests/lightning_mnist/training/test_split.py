"""The validation split: whole, without overlap, and each class with its share."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_mnist.data.datamodule import stratified_split
from lightning_mnist.errors import InputError


@given(
    counts=st.lists(st.integers(2, 60), min_size=1, max_size=10),
    share=st.floats(0, 1),
    seed=st.integers(0, 2**31),
)
def test_each_class_has_its_share_rounded_up_or_down(
    counts: list[int], share: float, seed: int
) -> None:
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    fewest, most = len(counts), len(labels) - len(counts)
    val_size = fewest + round(share * (most - fewest))
    train_ids, val_ids = stratified_split(labels, val_size, seed)
    assert len(val_ids) == val_size
    assert np.array_equal(np.sort(np.r_[train_ids, val_ids]), np.arange(len(labels)))
    assert (np.diff(train_ids) > 0).all()
    assert (np.diff(val_ids) > 0).all()
    found = np.bincount(labels[val_ids], minlength=len(counts))
    assert (np.abs(found - val_size * np.array(counts) / len(labels)) < 1).all()


def test_every_image_is_as_likely_to_be_kept_for_validation() -> None:
    labels = np.repeat(np.arange(3), (5, 12, 23))
    draws = 4000
    kept = np.zeros(len(labels))
    for seed in range(draws):
        kept[stratified_split(labels, 8, seed)[1]] += 1
    # Binomial with p = 8 / 40: five standard deviations.
    assert (np.abs(kept / draws - 0.2) < 5 * np.sqrt(0.2 * 0.8 / draws)).all()


def test_the_seed_decides() -> None:
    labels = np.arange(200) % 10
    first, again, other = (stratified_split(labels, 20, seed)[1] for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("val_size", [-1, 0, 2, 98, 100, 1000])
def test_parts_with_fewer_images_than_classes_are_refused(val_size: int) -> None:
    with pytest.raises(InputError, match=rf"cannot keep {val_size:,} of 100 .* expected 3 to 97"):
        stratified_split(np.arange(100) % 3, val_size, 0)


def test_a_class_with_one_image_is_named() -> None:
    with pytest.raises(InputError, match=r"the fewest here, of class 7: 1\)"):
        stratified_split(np.array([0] * 50 + [7]), 10, 0)
