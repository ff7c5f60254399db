"""Regularisers: which values they may have, images mixed or moved, weights kept short."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from lightning_mnist.data.sources import CLASSES
from lightning_mnist.draws import seed_at
from lightning_mnist.errors import InputError
from lightning_mnist.network import MLP

EPSILON = 1e-7
"""What `keras.constraints.MaxNorm` adds to each norm that it divides by."""


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


def loss_against(
    network: nn.Module,
    criterion: Callable[[Tensor, Tensor], Tensor],
    step: float,
    pixels: Tensor,
    targets: Tensor,
) -> tuple[Tensor, Tensor]:
    """Loss, a scalar, and logits [B, 10] of pixels; half of it of adversarial ones, with a `step`.

    Pixels are floating point [B, F], as the network is fed, and `step` is in their units; targets
    are as `criterion` takes them.

    Goodfellow, Shlens and Szegedy, Explaining and Harnessing Adversarial Examples, 2015: each pixel
    moves by `step` to where the loss grows, and stays within the range of the batch. That knows
    nothing of where a pixel lies. Batch norm's running statistics are those of real pixels.
    """
    if step:
        pixels = pixels.detach().requires_grad_()
    logits = network(pixels)
    loss = criterion(logits, targets)
    if not step:
        return loss, logits
    (slope,) = torch.autograd.grad(loss, pixels, retain_graph=True)
    with torch.no_grad():
        worse = (pixels + step * slope.sign()).clamp_(pixels.min(), pixels.max())
    with _statistics_kept(network):
        return (loss + criterion(network(worse), targets)) / 2, logits


@contextmanager
def _statistics_kept(network: nn.Module) -> Iterator[None]:
    """No running statistics move meanwhile; batches are normalised by their own."""
    tracking = [m for m in network.modules() if getattr(m, "track_running_stats", False)]
    for module in tracking:
        module.track_running_stats = False  # type: ignore[assignment]
    try:
        yield
    finally:
        for module in tracking:
            module.track_running_stats = True  # type: ignore[assignment]


def keep_short(network: MLP, optimizer: Optimizer, limit: float) -> None:
    """Have `optimizer` cut norms back to `limit` after each of its steps.

    The same arithmetic as ``keras.constraints.MaxNorm(limit, axis=0)``, which also shrinks norms
    below the limit, by a ten millionth.
    """
    hidden = [layer for layer in network if isinstance(layer, nn.Linear)][:-1]

    @torch.no_grad()
    def cut_back(*_: Any) -> None:
        for layer in hidden:
            norms = layer.weight.square().sum(dim=1, keepdim=True).sqrt()
            layer.weight.mul_(norms.clamp(max=limit) / (norms + EPSILON))

    optimizer.register_step_post_hook(cut_back)
