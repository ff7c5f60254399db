"""What a binary loss may be beside the plain one: smoothed, weighted, focal."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import parity
from parity.ladder.together import Climbed

RNG = np.random.default_rng(8)
X = RNG.normal(size=(24, 5))
ONE, SEVERAL = (RNG.integers(0, 2, (24, outputs)).astype(float) for outputs in (1, 3))
Loss = Callable[[Tensor, Tensor], Tensor]
PLAIN = nn.BCEWithLogitsLoss()


def smoothed(given: Tensor, targets: Tensor) -> Tensor:
    return PLAIN(given, 0.9 * targets + 0.05)  # type: ignore[no-any-return]


def focal(given: Tensor, targets: Tensor) -> Tensor:
    each = F.binary_cross_entropy_with_logits(given, targets, reduction="none")
    share = torch.where(targets > 0.5, 0.25, 0.75)
    return (share * (1 - torch.exp(-each)) ** 2 * each).mean()


def climbed(loss: Loss, targets: np.ndarray, act: Callable[[Tensor], Tensor]) -> Climbed:
    """Beside the plain loss; the function within is another where `act` is not tanh."""

    class Net(nn.Module):
        def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
            super().__init__()
            self.one, self.two = nn.Linear(5, 6), nn.Linear(6, targets.shape[1])
            self.function = function

        def forward(self, x: Tensor) -> Tensor:
            given: Tensor = self.two(self.function(self.one(x)))
            return given

    sides = [
        (net, torch.optim.SGD(net.parameters(), 0.1), criterion)
        for net, criterion in ((Net(act), loss), (Net(torch.tanh), PLAIN))
    ]
    done: Climbed = parity.ladder(  # type: ignore[operator]
        *sides, X, targets, batch_size=8, keep_going=True
    )
    return done


def causes(done: Climbed) -> list[tuple[str, str]]:
    """Of the loss."""
    rung = next(rung for rung in done.rungs if rung.name == "loss")
    return [(cause.name, cause.text) for cause in rung.causes]


WEIGHTED = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(3.0))

EACH = nn.BCEWithLogitsLoss(pos_weight=torch.tensor([3.0, 0.5, 2.0]))


@pytest.mark.parametrize("act", [torch.tanh, torch.sigmoid], ids=["alone", "behind a mistake"])
@pytest.mark.parametrize(
    ("loss", "targets", "name", "said"),
    [
        (smoothed, ONE, "label smoothing", "smoothing 0.1"),
        (smoothed, SEVERAL, "label smoothing", "smoothing 0.1"),
        (focal, ONE, "focal loss", "gamma 2 and alpha 0.25"),
        (focal, SEVERAL, "focal loss", "gamma 2 and alpha 0.25"),
        (WEIGHTED, ONE, "class weights", "3 (target 1)"),
        (WEIGHTED, SEVERAL, "class weights", "weights 1 (target 0) and 3 (target 1)"),
        (EACH, SEVERAL, "class weights", "weights 1 (target 0) and 3, 0.5, 2 (target 1)"),
    ],
)
def test_another_binary_loss_is_named(
    loss: Loss,
    targets: np.ndarray,
    name: str,
    said: str,
    act: Callable[[Tensor], Tensor],
) -> None:
    found = causes(climbed(loss, targets, act))
    assert [one for one, _ in found] == [name]
    assert said in found[0][1]


def test_the_same_loss_behind_a_mistake_has_no_cause() -> None:
    assert causes(climbed(PLAIN, ONE, torch.sigmoid)) == []


def test_a_loss_of_another_kind_is_not_named() -> None:
    def odd(given: Tensor, targets: Tensor) -> Tensor:
        return (given - targets).abs().pow(1.37).mean()

    assert causes(climbed(odd, ONE, torch.tanh)) == []
