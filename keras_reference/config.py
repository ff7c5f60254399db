"""What a run of the reference is made of; flags and YAML have these names."""

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

from keras_reference.errors import InputError
from parity.augmentation import AugmentationConfig

Function = Literal["relu", "gelu", "silu", "elu", "tanh", "sigmoid"]
"""Activations."""
MOST_WEIGHTS, MOST_LAYERS = 2**28, 1_000
"""Of a network: a gigabyte of weights."""


@dataclass(frozen=True)
class ModelConfig:
    """The network and its preprocessing.

    Attributes:
        hidden: Width of each hidden layer.
        activation: After each hidden layer, or one for each.
        dropout: Probability of dropping a hidden unit while training.
        input_dropout: Probability of dropping a pixel while training.
        label_smoothing: Share of each label that is spread evenly over all classes, in every loss.
        max_norm: What the norm of each hidden unit's incoming weights is cut back to after every
            step; no limit by default.
        batch_norm: Normalise each hidden layer over the batch.
        invert: Feed the network 1 - x instead of x.
        standardize: Feed the network pixels of mean 0 and deviation 1: over the training images
            (dataset) or in each image (image).
        augmentation: What is done to training images.

    Raises:
        InputError: a width below 1, too many weights, or a share or norm outside its range.
    """

    hidden: tuple[int, ...] = (128,)
    activation: Function | tuple[Function, ...] = "relu"
    dropout: float = 0.0
    input_dropout: float = 0.0
    label_smoothing: float = 0.0
    max_norm: float | None = None
    batch_norm: bool = False
    invert: bool = False
    standardize: Literal["none", "dataset", "image"] = "none"
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)

    def __post_init__(self) -> None:
        if any(width < 1 for width in self.hidden):
            raise InputError(f"hidden widths {list(self.hidden)}; expected each at least 1")
        weights = sum(a * b for a, b in pairwise([28 * 28, *self.hidden, 10]))
        if weights > MOST_WEIGHTS or len(self.hidden) > MOST_LAYERS:
            raise InputError(
                f"hidden: {len(self.hidden):,} widths make {weights:,} weights; expected at most "
                f"{MOST_LAYERS:,} widths and {MOST_WEIGHTS:,} weights"
            )
        for name in ("dropout", "input_dropout"):
            if not 0 <= (share := getattr(self, name)) < 1:
                raise InputError(f"{name} {share}; expected a probability, at least 0, below 1")
        if not 0 <= self.label_smoothing <= 1:
            raise InputError(f"label_smoothing is {self.label_smoothing}; expected a share, 0 to 1")
        if self.max_norm is not None and not self.max_norm > 0:
            raise InputError(f"max_norm {self.max_norm}; expected a norm above 0, or null")


@dataclass(frozen=True)
class DataConfig:
    """The digits.

    Attributes:
        source: mnist (Keras' own download), or a file or folder of images and labels.
        batch_size: Training images a step.
        val_size: Training images kept for validation, the last ones; by default a twelfth.
    """

    source: str = "mnist"
    batch_size: int = 128
    val_size: int | None = None


@dataclass(frozen=True)
class OptimizerConfig:
    """Any Keras optimiser.

    Attributes:
        name: A class of keras.optimizers.
        learning_rate: In the first epoch; by default that optimiser's own.
        decay: Factor by which it is multiplied after each epoch; 1 keeps it constant.
        weight_decay_on: What weight decay shrinks: all that is learned, or matrices, which spares
            biases and batch norm.
        settings: Its other arguments.

    Raises:
        InputError: a decay of 0 or less.
    """

    name: str = "Adam"
    learning_rate: float | None = None
    decay: float = 1.0
    weight_decay_on: Literal["all", "matrices"] = "all"
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 < self.decay < math.inf:
            raise InputError(f"optimizer decay is {self.decay}; expected a factor above 0")


@dataclass(frozen=True)
class TrainerConfig:
    """The training.

    Attributes:
        max_epochs: Passes over the training images.
    """

    max_epochs: int = 5
