"""Augmentation as Keras layers: another draw for every sample, in training only.

Images are float [N, 28, 28, 1] in [0, 1], ink 1 on paper 0, and stay so. Keras' own layers do not
fit where they are missing here: each would resample the images once more, `RandomErasing` draws
other rectangles, `GaussianNoise` leaves the range, and `RandomElasticTransform` moves every pixel
along the diagonal, as one seed draws both directions.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from parity.augmentation import AugmentationConfig

SIDE = 28
Tensor = Any


class Augment(keras.layers.Layer):
    """Draws for each sample while training; otherwise returns what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.draws = keras.random.SeedGenerator()

    def call(self, images: Tensor, training: bool = False) -> Tensor:
        """Images float [N, 28, 28, 1] to the same."""
        return self.augment(images) if training else images

    def augment(self, images: Tensor) -> Tensor:
        """What is done while training."""
        raise NotImplementedError

    def uniform(self, images: Tensor, low: float, high: float) -> Tensor:
        """A number for each image, [N, 1, 1, 1]."""
        shape = (ops.shape(images)[0], 1, 1, 1)
        return keras.random.uniform(shape, low, high, seed=self.draws)


class Warp(Augment):
    """Rotation, shear, scale, shift and elastic distortion in one bilinear resampling.

    What leaves the image is lost, what comes in is paper.
    """

    def __init__(self, config: AugmentationConfig) -> None:
        super().__init__()
        self.config = config
        self.supports_jit = False  # XLA has no projective transform, and gathers slowly
        # White noise, smoothed by a Gaussian, has this covariance between the pixels of a row. Its
        # leading eigenvectors, scaled, turn a few independent numbers into such a row.
        distance = np.subtract.outer(np.arange(SIDE), np.arange(SIDE))
        covariance = np.exp(-((distance / (2 * config.smoothness)) ** 2))
        values, vectors = np.linalg.eigh(covariance)
        kept = values > 1e-4 * values[-1]
        self.root = (vectors[:, kept] * np.sqrt(values[kept])).astype(np.float32)

    def augment(self, images: Tensor) -> Tensor:
        """For every pixel of the result the place in the source that it shows, and its value."""
        transforms = self.transforms(images)
        if not self.config.elastic:
            return ops.image.affine_transform(images, transforms, fill_mode="constant")
        line = np.arange(SIDE, dtype=np.float32)
        a, b, right, c, d, down, *_ = ops.unstack(transforms[:, :, None, None], 8, axis=1)
        x = a * line + b * line[:, None] + right
        y = c * line + d * line[:, None] + down
        moved = self.config.elastic * self.field(images)
        return bilinear(images, x + moved[:, 0], y + moved[:, 1])

    def transforms(self, images: Tensor) -> Tensor:
        """From places in the result to places in the source, [N, 8] as `affine_transform` has it.

        The images are shifted, then scaled and rotated about the centre, then sheared along x.
        """
        config = self.config
        angle, shear, zoom, right, down = (
            self.uniform(images, -1.0, 1.0)[:, 0, 0, 0] for _ in range(5)
        )
        angle *= math.radians(config.rotation)
        shear = ops.tan(shear * math.radians(config.shear))
        size = (1 + config.scale) ** zoom
        cos, sin = ops.cos(angle) / size, ops.sin(angle) / size
        a, b = cos, sin - shear * cos
        c, d = -sin, cos + shear * sin
        centre = (SIDE - 1) / 2
        right = centre - (a + b) * centre - right * config.shift
        down = centre - (c + d) * centre - down * config.shift
        zero = ops.zeros_like(angle)
        return ops.stack([a, b, right, c, d, down, zero, zero], axis=1)

    def field(self, images: Tensor) -> Tensor:
        """Smooth displacements [N, 2, 28, 28] to the right and down, of unit variance."""
        shape = (ops.shape(images)[0], 2, self.root.shape[1], self.root.shape[1])
        independent = keras.random.normal(shape, seed=self.draws)
        return ops.matmul(self.root, ops.matmul(independent, self.root.T))


def bilinear(images: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Values [N, H, W, 1] of images [N, 28, 28, 1] at columns `x` and rows `y`, each [N, H, W].

    Between the last row of pixels and the paper around it there is a slope of one pixel.
    """
    framed = ops.pad(images[..., 0], ((0, 0), (1, 2), (1, 2)))  # further out all is paper
    stride = SIDE + 3
    x, y = ops.clip(x, -1, SIDE) + 1, ops.clip(y, -1, SIDE) + 1
    left, top = ops.floor(x), ops.floor(y)
    first = ops.arange(ops.shape(images)[0], dtype="int32") * stride**2
    index = ops.cast(top * stride + left, "int32") + first[:, None, None]
    flat = ops.reshape(framed, (-1,))
    x, y = x - left, y - top
    upper = ops.take(flat, index) * (1 - x) + ops.take(flat, index + 1) * x
    index += stride
    lower = ops.take(flat, index) * (1 - x) + ops.take(flat, index + 1) * x
    return (upper * (1 - y) + lower * y)[..., None]


class Thickness(Augment):
    """Strokes grow or shrink by a part of what a window of three pixels sees."""

    def __init__(self, pixels: float) -> None:
        super().__init__()
        self.pixels = pixels

    def augment(self, images: Tensor) -> Tensor:
        """Positive draws grow the ink, negative ones shrink it."""
        amount = self.uniform(images, -self.pixels, self.pixels)
        grown = ops.max_pool(images, 3, strides=1, padding="same")
        shrunk = -ops.max_pool(-images, 3, strides=1, padding="same")
        return images + ops.abs(amount) * (ops.where(amount > 0, grown, shrunk) - images)


class Erase(Augment):
    """A blank rectangle at a random place, with a probability; each side up to half the image's."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def augment(self, images: Tensor) -> Tensor:
        """Paper where the rectangle's rows and columns meet."""
        erased = self.uniform(images, 0.0, 1.0) < self.probability
        line = np.arange(SIDE, dtype=np.float32)
        for pixels in (line[:, None, None], line[:, None]):
            extent = self.uniform(images, 0.0, SIDE / 2)
            start = self.uniform(images, 0.0, 1.0) * (SIDE - extent)
            erased = erased & (pixels >= start) & (pixels < start + extent)
        return ops.where(erased, 0.0, images)


class Intensity(Augment):
    """Grey levels to a random power, then less contrast."""

    def __init__(self, dim: float, gamma: float) -> None:
        super().__init__()
        self.dim = dim
        self.gamma = gamma

    def augment(self, images: Tensor) -> Tensor:
        """One power and one factor for an image."""
        if self.gamma:
            images = images ** ((1 + self.gamma) ** self.uniform(images, -1.0, 1.0))
        return images * self.uniform(images, 1 - self.dim, 1.0)


class Noise(Augment):
    """Gaussian noise, cut off at 0 and 1."""

    def __init__(self, deviation: float) -> None:
        super().__init__()
        self.deviation = deviation

    def augment(self, images: Tensor) -> Tensor:
        """Another draw for every pixel."""
        noise = keras.random.normal(ops.shape(images), stddev=self.deviation, seed=self.draws)
        return ops.clip(images + noise, 0, 1)


def layers(config: AugmentationConfig) -> list[keras.layers.Layer]:
    """A layer for each transform that is switched on: geometry, then ink, then the photograph."""
    geometry = (config.rotation, config.shear, config.scale, config.shift, config.elastic)
    chain: list[keras.layers.Layer] = []
    if any(geometry):
        chain.append(Warp(config))
    if config.thickness:
        chain.append(Thickness(config.thickness))
    if config.erase:
        chain.append(Erase(config.erase))
    if config.dim or config.gamma:
        chain.append(Intensity(config.dim, config.gamma))
    if config.noise:
        chain.append(Noise(config.noise))
    if config.invert:
        probability = (config.invert, config.invert)  # a single number would be the upper bound
        chain.append(keras.layers.RandomInvert(probability, value_range=(0, 1)))
    return chain


def augmented(network: keras.Sequential, chain: Sequence[keras.layers.Layer]) -> keras.Sequential:
    """The network to train: `network` with `chain` after its first layer, which scales.

    They share layers and weights: what one is trained to, the other knows. An inference model is
    free of augmentation this way. Without a chain it is `network` itself.
    """
    if not chain:
        return network
    scaling, *rest = network.layers
    as_images = keras.layers.Reshape((SIDE, SIDE, 1))
    return keras.Sequential([keras.Input((SIDE, SIDE)), scaling, as_images, *chain, *rest])
