"""The contract between pixels and network: one object, saved with every model."""

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Standardize = Literal["none", "dataset", "image"]
VARIANCE_FLOOR = 1e-5
"""Added to an image's variance, so that a blank image becomes zeros."""


class Preprocessing(nn.Module):
    """Raw pixels to network input: scale to [0, 1], polarity, standardisation, flatten.

    It is a part of the model, so a checkpoint holds it and prediction cannot use another one.

    Args:
        invert: Feed ``1 - x``, ink 0 on paper 1.
        standardize: "dataset" subtracts the mean of all training pixels and divides by their
            standard deviation; `fit` measures both. "image" does so with each image's own: then
            contrast and brightness make no difference, and inversion only changes the sign.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, *, invert: bool = False, standardize: Standardize = "none") -> None:
        super().__init__()
        self.invert = invert
        self.standardize = standardize
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("std", torch.ones(()))

    def fit(self, images: Tensor) -> None:
        """Measure mean and standard deviation on the training images, uint8 [N, H, W].

        Only "dataset" needs it. Images that are all alike keep a deviation of 1.
        """
        if self.standardize != "dataset":
            return
        # The counts of 256 grey levels hold all there is to know, exactly and in little memory.
        counts = torch.bincount(images.flatten(), minlength=256).double()
        levels = torch.arange(256, device=images.device, dtype=torch.float64) / 255
        if self.invert:
            levels = 1 - levels
        mean = (counts * levels).sum() / counts.sum()
        std = ((counts * (levels - mean) ** 2).sum() / counts.sum()).sqrt()
        self.mean.copy_(mean)
        self.std.copy_(std if std > 0 else torch.ones(()))

    def forward(self, images: Tensor) -> Tensor:
        """Images uint8 [N, H, W] to pixels [N, H * W] in the module's dtype."""
        return self.normalize(self.scale(images))

    def scale(self, images: Tensor) -> Tensor:
        """Images uint8 [N, H, W] to [0, 1] in the module's dtype: what augmentation works on."""
        return scaled(images, self.mean.dtype)

    def normalize(self, images: Tensor) -> Tensor:
        """Images [N, H, W] in [0, 1] to pixels [N, H * W], floating point as the images are."""
        return normalized(images, self.invert, self.standardize, self.mean, self.std)

    def describe(self) -> dict[str, Any]:
        """What a run record says of it."""
        return {
            "scale": "x / 255",
            "invert": self.invert,
            "standardize": self.standardize,
            "mean": self.mean.item(),
            "std": self.std.item(),
        }


def pixels_of(images: Tensor, invert: bool, standardize: str, mean: Tensor, std: Tensor) -> Tensor:
    """What `Preprocessing` does with these settings, in what TorchScript knows of Python."""
    return normalized(scaled(images, mean.dtype), invert, standardize, mean, std)


def scaled(images: Tensor, dtype: torch.dtype) -> Tensor:
    """Images uint8 to [0, 1]."""
    return images.to(dtype, copy=True).div_(255)


def normalized(
    images: Tensor,
    invert: bool,
    standardize: str,
    mean: Tensor,
    std: Tensor,
    floor: float = VARIANCE_FLOOR,
) -> Tensor:
    """Images [N, H, W] in [0, 1] to pixels [N, H * W]."""
    pixels = images.flatten(1)
    if invert:
        pixels = 1 - pixels
    if standardize == "image":
        return F.layer_norm(pixels, pixels.shape[1:], eps=floor)
    return (pixels - mean) / std if standardize == "dataset" else pixels
