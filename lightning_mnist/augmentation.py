"""Augmentation of whole batches: another draw for every sample, on the batch's device.

Every transform takes float images [N, 28, 28] in [0, 1], ink 1 on paper 0, and a generator on their
device, and returns the same kind of images. The same generator state gives the same batch; a
transform whose range is empty returns its input.
"""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from lightning_mnist.draws import uniform
from lightning_mnist.warp import Warp
from parity.augmentation import AugmentationConfig

NOISE = 2**20
"""Normal numbers in the line that noise is taken from."""
FAINTEST = 1e-30
"""Ink whose logarithm is taken: less would be no number after the power, in float32."""


class Thickness(nn.Module):
    """Strokes up to so many pixels bolder or finer: a mixture with the local maximum or minimum."""

    def __init__(self, pixels: float) -> None:
        super().__init__()
        self.pixels = pixels

    def forward(self, images: Tensor, generator: Generator) -> Tensor:
        """Positive draws grow the ink, negative ones shrink it."""
        amount = uniform(1, len(images), images, generator).view(-1, 1, 1) * self.pixels
        signed = images * amount.sign()  # the minimum is the maximum of the negative
        change = largest_around(signed) - signed
        return change.mul_(amount).add_(images)


def largest_around(images: Tensor) -> Tensor:
    """Maximum [N, H, W] of windows of three by three pixels, which end at the image's border."""
    count, height, width = images.shape
    row = width + 2
    largest = F.pad(images, (1, 1, 1, 1), value=-math.inf).flatten()
    # Columns, then rows, of all images as one line: `max_pool2d` takes ten times as long on a CPU.
    for step in (1, row):
        end = len(largest) - 2 * step
        first, middle, last = (largest.narrow(0, place * step, end) for place in range(3))
        largest = torch.maximum(first, middle)
        torch.maximum(largest, last, out=largest)
    return largest.as_strided((count, height, width), ((height + 2) * row, row, 1))


class Erase(nn.Module):
    """A blank rectangle at a random place, with a probability."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, images: Tensor, generator: Generator) -> Tensor:
        """Each side is up to half of the image's."""
        count, side, _ = images.shape
        draws = uniform(5, count, images, generator, low=0.0)[..., None]
        extents = draws[1:3] * (side / 2)
        starts = draws[3:] * (side - extents)
        place = torch.arange(side, device=images.device)
        inside = ((place >= starts) & (place < starts + extents)).to(images.dtype)
        rows, columns = inside  # [N, side] each
        rows = rows * (draws[0] < self.probability)
        return torch.addcmul(images, images, rows[:, :, None] * columns[:, None, :], value=-1)


class Intensity(nn.Module):
    """Grey levels to a random power, then contrast lowered at random."""

    def __init__(self, dim: float, gamma: float) -> None:
        super().__init__()
        self.dim = dim
        self.gamma = gamma

    def forward(self, images: Tensor, generator: Generator) -> Tensor:
        """One power and one factor a sample."""
        power, factor = uniform(2, len(images), images, generator)
        if self.gamma:  # x * x ** (power - 1), which keeps 0, in a third of the time of `pow`
            less = torch.expm1(power * math.log1p(self.gamma)).view(-1, 1, 1)
            images = images.clamp_min(FAINTEST).log_().mul_(less).exp_().mul_(images)
        result: Tensor = images * (1 - self.dim * (factor.view(-1, 1, 1) + 1) / 2)
        return result


class Noise(nn.Module):
    """Gaussian noise, cut off at 0 and 1.

    Each image gets another stretch of a long line of normal numbers, which is drawn but once: to
    draw them anew for every image takes as long as to bend it.
    """

    line: Tensor

    def __init__(self, deviation: float) -> None:
        super().__init__()
        line = torch.randn(NOISE, generator=Generator().manual_seed(0)) * deviation
        self.register_buffer("line", line, persistent=False)

    def forward(self, images: Tensor, generator: Generator) -> Tensor:
        """Images that happen to share numbers have them at different pixels."""
        stretches = self.line.unfold(0, images[0].numel(), 1)
        starts = torch.randint(
            len(stretches), (len(images),), generator=generator, device=images.device
        )
        noise = stretches.index_select(0, starts).to(images.dtype).view_as(images)
        return noise.add_(images).clamp_(0, 1)


class Invert(nn.Module):
    """Ink becomes paper and paper ink, with a probability."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, images: Tensor, generator: Generator) -> Tensor:
        """Whole images, each by its own draw."""
        chance = uniform(1, len(images), images, generator, low=0.0).view(-1, 1, 1)
        return images.sub((chance < self.probability).to(images.dtype)).abs_()


class Augmentation(nn.Module):
    """All transforms that a configuration switches on: geometry, then ink, then the photograph."""

    def __init__(self, config: AugmentationConfig) -> None:
        super().__init__()
        geometry = {
            name: getattr(config, name)
            for name in ("rotation", "shear", "scale", "shift", "elastic")
        }
        chain: Sequence[tuple[bool, nn.Module]] = (
            (any(geometry.values()), Warp(**geometry, smoothness=config.smoothness)),
            (config.thickness > 0, Thickness(config.thickness)),
            (config.erase > 0, Erase(config.erase)),
            (config.dim > 0 or config.gamma > 0, Intensity(config.dim, config.gamma)),
            (config.noise > 0, Noise(config.noise)),
            (config.invert > 0, Invert(config.invert)),
        )
        self.transforms = nn.ModuleList(module for switched_on, module in chain if switched_on)

    def forward(self, images: Tensor, generator: Generator) -> Tensor:
        """Float images [N, H, W] in [0, 1] to the same; no gradient flows through."""
        with torch.no_grad(), _without_autocast(images.device.type):
            for transform in self.transforms:
                images = transform(images, generator)
        return images


def _without_autocast(device_type: str) -> AbstractContextManager[Any]:
    """Half precision would put pixels a tenth of a pixel beside their place."""
    if torch.is_autocast_enabled(device_type):
        return torch.autocast(device_type, enabled=False)
    return nullcontext()
