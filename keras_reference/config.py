"""What a run of the reference is made of; flags and YAML have these names."""

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class ModelConfig:
    """The network and its preprocessing.

    Attributes:
        hidden: Width of each hidden layer.
        activation: After each hidden layer.
        dropout: Probability of dropping a hidden unit while training.
        batch_norm: Normalise each hidden layer over the batch.
        invert: Feed the network 1 - x instead of x.
        standardize: Feed the network pixels of mean 0 and deviation 1 over the training images.
    """

    hidden: tuple[int, ...] = (128,)
    activation: Literal["relu", "gelu", "silu", "elu", "tanh", "sigmoid"] = "relu"
    dropout: float = 0.0
    batch_norm: bool = False
    invert: bool = False
    standardize: bool = False


@dataclass(frozen=True)
class DataConfig:
    """The digits.

    Attributes:
        source: mnist (Keras' own download) or the path of an .npz in the format of mnist.npz.
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
        learning_rate: Of that optimiser, constant.
        settings: Its other arguments.
    """

    name: str = "Adam"
    learning_rate: float = 0.001
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainerConfig:
    """The training.

    Attributes:
        max_epochs: Passes over the training images.
    """

    max_epochs: int = 5
