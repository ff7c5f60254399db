"""Regularisers of what is learned: which values they may have, and images that are mixed."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lightning_mnist.data.sources import CLASSES
from lightning_mnist.draws import seed_at
from lightning_mnist.errors import InputError


def check_regularizers(label_smoothing: float, max_norm: float | None, **others: float) -> None:
    """Refuse values outside their range; `others` are 0, which is off, or more.

    Raises:
        InputError: there is one.
    """
    if not 0 <= label_smoothing <= 1:
        raise InputError(f"--model.label_smoothing is {label_smoothing}; expected a share, 0 to 1")
    if max_norm is not None and not max_norm > 0:
        raise InputError(f"--model.max_norm is {max_norm}; expected a norm above 0, or null")
    for name, value in others.items():
        if not 0 <= value < float("inf"):
            raise InputError(f"--model.{name} is {value}; expected 0, which is off, or more")


def mixed(
    images: Tensor, labels: Tensor, alpha: float, place: tuple[int, ...]
) -> tuple[Tensor, Tensor]:
    """Images [B, H, W], each mixed with another one of the batch, and their targets [B, 10].

    Zhang et al., mixup: Beyond Empirical Risk Minimization, 2018. Each has a share of its own from
    Beta(alpha, alpha), of which the larger part stays: the pairs are the same then, and the label
    says which digit is seen best. Batches are shuffled, so that any neighbour is a random one.

    Args:
        images: Floating point.
        labels: int64 [B].
        alpha: Above 0; the larger, the more is mixed.
        place: In the training, of which the shares are a function.
    """
    drawn = np.random.default_rng(seed_at(*place)).beta(alpha, alpha, len(images))
    share = torch.from_numpy(np.maximum(drawn, 1 - drawn)).to(images)[:, None]
    answers = F.one_hot(labels, CLASSES).to(images.dtype)
    seen = share[..., None] * images + (1 - share[..., None]) * images.roll(1, 0)
    return seen, share * answers + (1 - share) * answers.roll(1, 0)
