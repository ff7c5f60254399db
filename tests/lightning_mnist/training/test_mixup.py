"""Mixup: images and their targets in the same shares, drawn as its source says."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import beta, kstest
from torch import Tensor

from lightning_mnist.module import DigitClassifier
from lightning_mnist.regularization import mixed
from parity.augmentation import AugmentationConfig
from tests.lightning_mnist.training.test_execution import assert_same, state, train

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*")
PLACE = (0, 3, 5, 0)


def test_targets_have_the_shares_of_the_images() -> None:
    labels = torch.arange(10)
    images = torch.nn.functional.one_hot(labels, 28).double()[:, None].expand(-1, 28, -1)
    seen, targets = mixed(images, labels, 0.4, PLACE)
    torch.testing.assert_close(targets, seen[:, 7, :10])  # an image is its label, in each row
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(10).double())
    shares = targets[torch.arange(10), labels]
    assert torch.equal(targets.argmax(dim=1), labels)
    torch.testing.assert_close(targets[torch.arange(10), labels.roll(1)], 1 - shares)
    assert len(shares.unique()) == 10
    again, _ = mixed(images, labels, 0.4, PLACE)
    other, _ = mixed(images, labels, 0.4, (0, 3, 6, 0))
    assert torch.equal(seen, again)
    assert not torch.equal(seen, other)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 8.0])
def test_shares_are_of_the_beta_distribution(alpha: float) -> None:
    """Either part of a pair may be the larger one, and so both shares together are of it."""
    labels = torch.arange(4000) % 10
    images = torch.zeros(4000, 28, 28, dtype=torch.float64)
    _, targets = mixed(images, labels, alpha, PLACE)
    larger = targets.max(dim=1).values.numpy()
    shares = np.where(np.arange(4000) % 2, larger, 1 - larger)
    assert kstest(shares, beta(alpha, alpha).cdf).pvalue > 0.01


@pytest.mark.parametrize("augmentation", [{}, {"rotation": 10.0}])
def test_blocks_and_steps_without_graph_mix_the_same(
    augmentation: dict[str, float], source: Path
) -> None:
    given = {"mixup": 0.4, "augmentation": AugmentationConfig(**augmentation)}

    def trained(block: int, **settings: Any) -> Any:
        return state(train(source, block, model=given | settings))

    one = trained(1, steps="graph")
    assert_same(one, trained(5))
    with pytest.raises(AssertionError):
        assert_same(one, trained(5, mixup=0.0))


def test_teachers_see_mixed_images(source: Path) -> None:
    class Taught(DigitClassifier):
        def on_fit_start(self) -> None:
            self.seen: list[Tensor] = []
            self.teacher = self.answer
            super().on_fit_start()

        def answer(self, images: Tensor) -> Tensor:
            self.seen.append(images)
            return torch.full((len(images), 10), 0.1)

        def loss(self, pixels: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
            if self.training:
                assert (targets == 0.1).all()
                assert torch.equal(self.seen[-1].flatten(1), pixels)
            return super().loss(pixels, targets)

    plain, mixing = (
        train(source, 4, kind=Taught, model={"mixup": alpha}, max_steps=2).lightning_module
        for alpha in (0.0, 0.4)
    )
    assert isinstance(plain, Taught)
    assert isinstance(mixing, Taught)
    assert not torch.equal(plain.seen[-1], mixing.seen[-1])
