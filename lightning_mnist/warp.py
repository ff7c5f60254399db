"""Images moved, turned, sized and bent: where each pixel of the result looks, and what it sees."""

import math

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from lightning_mnist.data.mnist_form import SIDE
from lightning_mnist.draws import uniform

HALF = 16
"""Of the side of a padded image: a power of two keeps whole pixels exact, so that a shift by them
loses nothing."""


class Warp(nn.Module):
    """Scale, rotation, shear, shift and elastic distortion in a single bilinear resampling.

    Arguments as of `AugmentationConfig`.

    The place that a pixel shows is a sum of products of a function of its row and one of its
    column, with random weights: 1 and the coordinate make an affine map, smooth functions a field.
    """

    rows: Tensor
    """Functions of the row [28, 2 + K]."""
    columns: Tensor
    """Functions of the column [2 + K, 28]."""
    ranges: Tensor
    """Of the five draws, [5, 1]."""

    def __init__(
        self,
        rotation: float = 0.0,
        shear: float = 0.0,
        scale: float = 0.0,
        shift: float = 0.0,
        elastic: float = 0.0,
        smoothness: float = 4.0,
    ) -> None:
        super().__init__()
        line = torch.arange(SIDE, dtype=torch.float64) - (SIDE - 1) / 2
        affine = torch.stack([torch.ones_like(line), line], dim=1)
        smooth = smooth_functions(smoothness)[:, : None if elastic else 0]
        ranges = [math.radians(rotation), math.radians(shear)]
        ranges += [-math.log1p(scale), -shift, -shift]
        for name, values in {
            "rows": torch.hstack([affine, elastic * smooth]),
            "columns": torch.hstack([affine, smooth]).T / HALF,
            "ranges": torch.tensor(ranges)[:, None],
        }.items():
            self.register_buffer(name, values.to(torch.get_default_dtype()), persistent=False)

    def forward(self, images: Tensor, generator: Generator) -> Tensor:
        """What leaves the image is lost, what comes in is paper."""
        return _sample(images, self.grid(images, generator))

    def grid(self, images: Tensor, generator: Generator) -> Tensor:
        """The place in the source that every pixel shows, [N, 28, 28, 2], as `_sample` has it."""
        rows, columns = self.rows.to(images.dtype), self.columns.to(images.dtype)
        count, smooth = len(images), rows.shape[1] - 2
        weights = self._affine(images, generator)
        if smooth:
            weights = F.pad(weights, (0, smooth, 0, smooth))
            weights[..., 2:, 2:] = torch.randn(
                count, 2, smooth, smooth,
                generator=generator, device=images.device, dtype=images.dtype,
            )  # fmt: skip
        # All weights in one product, then one for each sample and direction.
        by_column = (weights @ columns).flatten(0, 1)
        return (rows @ by_column).view(count, 2, SIDE, SIDE).permute(0, 2, 3, 1)

    def _affine(self, images: Tensor, generator: Generator) -> Tensor:
        """Weights [N, 2, 2, 2]: x before y, row's functions before the column's, 1 before line."""
        draws = uniform(5, len(images), images, generator) * self.ranges.to(images.dtype)
        angle, shear, zoom, right, down = draws
        size, tan = zoom.exp(), shear.tan()
        cos, sin = angle.cos() * size, angle.sin() * size
        none = torch.zeros_like(angle)
        weights = [right, cos, sin - tan * cos, none, down, -sin, cos + tan * sin, none]
        return torch.stack(weights, dim=1).view(-1, 2, 2, 2)


def smooth_functions(deviation: float) -> Tensor:
    """Functions float64 [28, K] of a coordinate: with normal weights, smoothed white noise.

    Noise smoothed by a Gaussian of that deviation, in pixels, has a known covariance. Its leading
    eigenvectors hold all but a thousandth of it in a fraction of the random numbers.
    """
    distance = torch.arange(SIDE, dtype=torch.float64)
    distance = distance - distance[:, None]
    values, vectors = torch.linalg.eigh(torch.exp(-((distance / (2 * deviation)) ** 2)))
    kept = values > 1e-3 * values[-1]
    sign = torch.where(vectors[0] < 0, -1.0, 1.0)  # libraries differ in which they return
    functions: Tensor = (vectors * sign * values.clamp(min=0).sqrt())[:, kept]
    functions /= functions.norm(dim=1, keepdim=True)
    return functions


def resample(images: Tensor, places: Tensor) -> Tensor:
    """Bilinear values [N, 28, 28] at `places` [N, 28, 28, 2], pixels from the centre, x then y."""
    return _sample(images, places / HALF)


def _sample(images: Tensor, grid: Tensor) -> Tensor:
    """The same in units of half the padded image, as torch wants it."""
    padded = F.pad(images, ((2 * HALF - SIDE) // 2,) * 4)
    # Its border is paper: to repeat it is quicker than to ask what lies outside.
    values: Tensor = F.grid_sample(
        padded[:, None], grid, padding_mode="border", align_corners=False
    )
    return values[:, 0].clamp_(0, 1)
