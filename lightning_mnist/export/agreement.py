"""Whether a file answers as the checkpoint does that it was made from."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from lightning_mnist.data.batches import answers_of
from lightning_mnist.data.mnist_form import SIDE
from lightning_mnist.data.sources import RawDigits
from lightning_mnist.trained import Trained

Answers = Callable[[Tensor], Tensor]
"""Images uint8 [N, 28, 28] to logits float32 [N, 10]."""
NOISE = 1_000
"""Images of noise that stand in for a test set that is not at hand."""


@dataclass(frozen=True)
class Written:
    """A file that was written, what it answers, and what its card says beside the rest.

    `rounded`: its weights are not quite the checkpoint's.
    """

    answers: Answers
    remarks: tuple[str, ...] = ()
    rounded: bool = False


@dataclass(frozen=True)
class Agreement:
    """How a file answers, beside the checkpoint.

    `difference` is the largest between any two logits, of which the largest has the size `largest`.
    `data` names the test set that both have answered; it is None, with accuracy and recall, where
    `images` are noise.
    """

    difference: float
    largest: float
    images: int
    data: str | None
    accuracy: float | None = None
    checkpoint_accuracy: float | None = None
    recall: tuple[float | None, ...] = ()

    @classmethod
    def of(cls, trained: Trained, answers: Answers, digits: RawDigits | None) -> "Agreement":
        """Ask both for every image of the test part, or for noise where there is none."""
        if digits is None:
            shape = (NOISE, SIDE, SIDE)
            generator = torch.Generator().manual_seed(0)
            images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
        else:
            images = torch.from_numpy(digits.test_images)
        said, own = answers_of(answers, images), trained.logits(images)
        largest = own.abs().max().item()
        difference = (said - own).abs().max().item()
        if digits is None:
            return cls(difference, largest, len(images), None)
        labels = torch.from_numpy(digits.test_labels)
        right = said.argmax(dim=1) == labels
        return cls(
            difference, largest, len(images), digits.name,
            accuracy=_mean(right),
            checkpoint_accuracy=_mean(own.argmax(dim=1) == labels),
            recall=tuple(_mean(right[labels == c]) for c in range(own.shape[1])),
        )  # fmt: skip


def _mean(right: Tensor) -> float | None:
    return right.double().mean().item() if len(right) else None
