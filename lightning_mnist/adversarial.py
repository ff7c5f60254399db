"""Learning from pixels that are changed against the network, as well as from those that are."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


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
