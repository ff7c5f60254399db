"""Augmentation of whole batches: another draw for every sample, on the batch's device.

Every transform takes float images [N, 28, 28] in [0, 1], ink 1 on paper 0, and a generator on their
device, and returns the same kind of images. The same generator state gives the same batch; a
transform whose range is empty returns its input.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from lightning_mnist.mnist_form import SIDE


@dataclass(frozen=True)
class AugmentationConfig:
    """How far each transform may go; all are off by default.

    Attributes:
        rotation: Degrees to either side.
        shear: Degrees to either side.
        scale: Relative size: 0.1 draws from 1 / 1.1 to 1.1.
        shift: Pixels in each direction.
        elastic: Pixels by which a smooth random field moves a pixel, as root mean square
            (Simard, Steinkraus, Platt 2003).
        smoothness: Standard deviation of the field's Gaussian, in pixels.
        thickness: Strokes grow or shrink by so many pixels at most, up to 1.
        erase: Probability of a blank rectangle, up to half as wide and high as the image.
        dim: Contrast is lowered by a factor drawn from 1 - dim to 1.
        gamma: Grey levels are raised to a power drawn from 1 / (1 + gamma) to 1 + gamma.
        noise: Standard deviation of Gaussian noise.
        invert: Probability of turning ink into paper and paper into ink.
    """

    rotation: float = 0.0
    shear: float = 0.0
    scale: float = 0.0
    shift: float = 0.0
    elastic: float = 0.0
    smoothness: float = 4.0
    thickness: float = 0.0
    erase: float = 0.0
    dim: float = 0.0
    gamma: float = 0.0
    noise: float = 0.0
    invert: float = 0.0

    def __post_init__(self) -> None:
        for name in ("erase", "invert", "dim", "thickness"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"augmentation {name} is {getattr(self, name)}; expected 0 to 1")
        for name in ("rotation", "shear"):
            if not 0 <= getattr(self, name) < 90:
                raise ValueError(
                    f"augmentation {name} is {getattr(self, name)}; expected degrees from 0 to 90"
                )
        for name in ("scale", "shift", "elastic", "gamma", "noise"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(
                    f"augmentation {name} is {getattr(self, name)}; expected 0 or more"
                )
        if self.smoothness <= 0:
            raise ValueError(f"augmentation smoothness is {self.smoothness}; expected more than 0")


class Warp(nn.Module):
    """Scale, rotation, shear, shift and elastic distortion in a single bilinear resampling."""

    def __init__(self, config: AugmentationConfig) -> None:
        super().__init__()
        self.config = config
        # A sum of Gaussians one deviation apart, with random weights, is as smooth a field as
        # convolved noise and takes a hundredth of the random numbers.
        step = config.smoothness
        centres = torch.arange(-3 * step, SIDE - 1 + 4 * step, step)
        bumps = torch.exp(-0.5 * ((torch.arange(SIDE)[:, None] - centres) / step) ** 2)
        self.register_buffer("bumps", bumps / bumps.norm(dim=1, keepdim=True), persistent=False)

    bumps: Tensor

    def forward(self, images: Tensor, generator: Generator) -> Tensor:
        """What leaves the image is lost, what comes in is paper."""
        count, height, width = images.shape
        rows, columns = (
            torch.arange(side, device=images.device, dtype=images.dtype) - (side - 1) / 2
            for side in (height, width)
        )
        inverse, shift = self._draw(count, images, generator)
        y, x = torch.meshgrid(rows, columns, indexing="ij")
        # For every pixel of the result, the place in the source that it shows.
        places = torch.einsum("nij,jhw->nhwi", inverse, torch.stack([x, y])) - shift[:, None, None]
        if self.config.elastic:
            places = places + self.config.elastic * self._field(count, images, generator)
        return resample(images, places)

    def _draw(self, count: int, images: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Inverse matrices [N, 2, 2] and shifts [N, 2], x before y."""
        config = self.config
        angle, shear, zoom, *shift = _uniform(5, count, images, generator)
        angle, shear = angle * math.radians(config.rotation), shear * math.radians(config.shear)
        size = torch.exp(-zoom * math.log1p(config.scale))
        cos, sin, tan = angle.cos(), angle.sin(), shear.tan()
        inverse = torch.stack([cos, sin - tan * cos, -sin, cos + tan * sin], dim=1)
        return (size[:, None] * inverse).view(count, 2, 2), torch.stack(shift, 1) * config.shift

    def _field(self, count: int, images: Tensor, generator: Generator) -> Tensor:
        """Smooth displacements [N, H, W, 2] of unit variance."""
        bumps = self.bumps.to(images.dtype)
        weights = torch.randn(
            count, 2, bumps.shape[1], bumps.shape[1],
            generator=generator, device=images.device, dtype=images.dtype,
        )  # fmt: skip
        field: Tensor = bumps @ weights @ bumps.T
        return field.permute(0, 2, 3, 1)


class Thickness(nn.Module):
    """Strokes up to so many pixels bolder or finer: a mixture with the local maximum or minimum."""

    def __init__(self, pixels: float) -> None:
        super().__init__()
        self.pixels = pixels

    def forward(self, images: Tensor, generator: Generator) -> Tensor:
        """Positive draws grow the ink, negative ones shrink it."""
        amount = _uniform(1, len(images), images, generator)[0].view(-1, 1, 1) * self.pixels
        bolder = F.max_pool2d(images[:, None], 3, stride=1, padding=1)[:, 0]
        finer = -F.max_pool2d(-images[:, None], 3, stride=1, padding=1)[:, 0]
        return images.lerp(torch.where(amount > 0, bolder, finer), amount.abs())


class Erase(nn.Module):
    """A blank rectangle at a random place, with a probability."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, images: Tensor, generator: Generator) -> Tensor:
        """Each side is up to half of the image's."""
        count, height, width = images.shape
        chance, *edges = _uniform(5, count, images, generator, low=0.0)
        inside = (chance < self.probability).view(-1, 1, 1)
        for axis, side in ((1, height), (2, width)):
            start, extent = (edges.pop().view(-1, 1) for _ in range(2))
            extent = extent * (side / 2)
            start = start * (side - extent)
            place = torch.arange(side, device=images.device)
            inside = inside & ((place >= start) & (place < start + extent)).unsqueeze(3 - axis)
        return images.masked_fill(inside, 0.0)


class Intensity(nn.Module):
    """Grey levels to a random power, then contrast lowered at random."""

    def __init__(self, dim: float, gamma: float) -> None:
        super().__init__()
        self.dim = dim
        self.gamma = gamma

    def forward(self, images: Tensor, generator: Generator) -> Tensor:
        """One power and one factor a sample."""
        power, factor = _uniform(2, len(images), images, generator)
        power = torch.exp(power * math.log1p(self.gamma)).view(-1, 1, 1)
        factor = 1 - self.dim * (factor.view(-1, 1, 1) + 1) / 2
        result: Tensor = images.pow(power) * factor
        return result


class Noise(nn.Module):
    """Gaussian noise, cut off at 0 and 1."""

    def __init__(self, deviation: float) -> None:
        super().__init__()
        self.deviation = deviation

    def forward(self, images: Tensor, generator: Generator) -> Tensor:
        """Another draw for every pixel."""
        noise = torch.randn(
            images.shape, generator=generator, device=images.device, dtype=images.dtype
        )
        return (images + self.deviation * noise).clamp(0, 1)


class Invert(nn.Module):
    """Ink becomes paper and paper ink, with a probability."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, images: Tensor, generator: Generator) -> Tensor:
        """Whole images, each by its own draw."""
        chance = _uniform(1, len(images), images, generator, low=0.0)[0].view(-1, 1, 1)
        return torch.where(chance < self.probability, 1 - images, images)


class Augmentation(nn.Module):
    """All transforms that a configuration switches on: geometry, then ink, then the photograph."""

    def __init__(self, config: AugmentationConfig) -> None:
        super().__init__()
        geometry = (config.rotation, config.shear, config.scale, config.shift, config.elastic)
        chain: Sequence[tuple[bool, nn.Module]] = (
            (any(geometry), Warp(config)),
            (config.thickness > 0, Thickness(config.thickness)),
            (config.erase > 0, Erase(config.erase)),
            (config.dim > 0 or config.gamma > 0, Intensity(config.dim, config.gamma)),
            (config.noise > 0, Noise(config.noise)),
            (config.invert > 0, Invert(config.invert)),
        )
        self.transforms = nn.ModuleList(module for switched_on, module in chain if switched_on)

    def forward(self, images: Tensor, generator: Generator) -> Tensor:
        """Float images [N, H, W] in [0, 1] to the same; no gradient flows through."""
        with torch.no_grad():
            for transform in self.transforms:
                images = transform(images, generator)
        return images


def _uniform(
    rows: int, count: int, images: Tensor, generator: Generator, low: float = -1.0
) -> Tensor:
    """Draws [rows, count] from [low, 1) on the device of `images`."""
    draws = torch.rand(rows, count, generator=generator, device=images.device, dtype=images.dtype)
    return low + (1 - low) * draws


def resample(images: Tensor, places: Tensor) -> Tensor:
    """Bilinear values [N, H, W] at `places` [N, H, W, 2], pixels from the centre, x before y.

    The images are padded to a power of two: then whole pixels are exact in the relative coordinates
    that torch wants, and a shift by whole pixels loses nothing.
    """
    _, height, width = images.shape
    side = 1 << (max(height, width) - 1).bit_length()
    top, left = (side - height + 1) // 2, (side - width + 1) // 2
    padded = F.pad(images, (left, side - width - left, top, side - height - top))
    centre = (left + (width - 1) / 2, top + (height - 1) / 2)
    offset = torch.stack([images.new_full((), place) for place in centre])  # no copy from the host
    grid = (2 * (places + offset) + 1) / side - 1
    values: Tensor = F.grid_sample(padded[:, None], grid, align_corners=False)
    return values[:, 0].clamp(0, 1)
