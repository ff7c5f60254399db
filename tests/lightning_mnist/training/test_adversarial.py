"""Adversarial training: the pixels, the loss and the statistics that its source speaks of."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_mnist.regularization import loss_against
from tests.lightning_mnist.training.test_execution import assert_same, state, train

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*")
STEP = 0.1


class Seen(nn.Sequential):
    """Keeps what it is fed."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(12, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 10))
        self.fed: list[Tensor] = []

    def forward(self, pixels: Tensor) -> Tensor:
        self.fed.append(pixels.detach().clone())
        answer: Tensor = super().forward(pixels)
        return answer


def batch() -> tuple[Tensor, Tensor]:
    return torch.rand(16, 12), torch.arange(16) % 10


def test_pixels_move_by_the_step_to_where_the_loss_grows() -> None:
    network, (pixels, labels) = Seen(), batch()
    loss, logits = loss_against(network, F.cross_entropy, STEP, pixels, labels)
    real, worse = network.fed
    assert torch.equal(real, pixels)
    moved = worse - real
    inside = (worse > pixels.min()) & (worse < pixels.max())
    torch.testing.assert_close(moved[inside].abs(), torch.full_like(moved[inside], STEP))
    assert worse.min() >= pixels.min()
    assert worse.max() <= pixels.max()
    asked = pixels.clone().requires_grad_()
    (slope,) = torch.autograd.grad(F.cross_entropy(network(asked), labels), asked)
    assert torch.equal(moved[inside].sign(), slope[inside].sign())
    both = [F.cross_entropy(network(fed), labels) for fed in (real, worse)]
    torch.testing.assert_close(loss, sum(both) / 2)
    assert both[1] > both[0]
    torch.testing.assert_close(logits, network(real))


def test_running_statistics_are_those_of_real_pixels() -> None:
    one, (pixels, labels) = Seen(), batch()
    other = Seen()
    other.load_state_dict(one.state_dict())
    loss_against(one, F.cross_entropy, STEP, pixels, labels)
    other(pixels)
    for name, buffer in one.named_buffers():
        assert torch.equal(buffer, other.get_buffer(name)), name
    norm = one[1]
    assert isinstance(norm, nn.BatchNorm1d)
    assert norm.track_running_stats


def test_without_a_step_only_real_pixels_are_seen() -> None:
    network, (pixels, labels) = Seen(), batch()
    loss, _ = loss_against(network, F.cross_entropy, 0.0, pixels, labels)
    assert len(network.fed) == 1
    torch.testing.assert_close(loss, F.cross_entropy(network(pixels), labels))


def test_blocks_learn_the_same_and_validation_is_not_attacked(source: Path) -> None:
    attacked = {"adversarial": STEP}
    one = train(source, 1, model=attacked)
    assert_same(state(one), state(train(source, 5, model=attacked)))
    with pytest.raises(AssertionError):
        assert_same(state(one), state(train(source, 5)))
    module = one.lightning_module.eval()
    with torch.no_grad():  # nothing could be attacked here
        module.loss(torch.rand(4, 784), torch.arange(4))  # type: ignore[operator]
