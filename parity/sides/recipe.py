"""The one set of hyperparameters, and what it is called on either side's command line."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

from parity.augmentation import AugmentationConfig
from parity.judge.verdict import Thresholds

Optimizer = Literal["adam", "adamw", "sgd", "rmsprop", "adagrad", "nadam", "muon"]
Activation = Literal["relu", "gelu", "silu", "elu", "tanh", "sigmoid"]
AUGMENTATIONS = tuple(vars(AugmentationConfig()))
"""What both sides can do to training images, by the same names."""
VIEWS = (
    "clean", "inverted", "dim", "bright", "shrunk", "enlarged", "shifted", "rotated", "noisy",
)  # fmt: skip
"""The versions of the test set that both sides answer, by the same names."""

MOST_WEIGHTS, MOST_LAYERS = 2**28, 1_000

_CLASSES = {
    "adam": ("Adam", "Adam"),
    "adamw": ("AdamW", "AdamW"),
    "sgd": ("SGD", "SGD"),
    "rmsprop": ("RMSprop", "RMSprop"),
    "adagrad": ("Adagrad", "Adagrad"),
    "nadam": ("Nadam", "NAdam"),
    "muon": ("Muon", "Muon"),
}
"""What Keras and torch call them; the Keras-exact ones of the port are called Keras<name>."""


@dataclass(frozen=True)
class Recipe:
    """What both sides train, and how alike they must be.

    Attributes:
        hidden: Width of each hidden layer.
        activation: After each hidden layer.
        dropout: Probability of dropping a hidden unit while training.
        input_dropout: Probability of dropping a pixel while training.
        label_smoothing: Share of each label that is spread evenly over all classes.
        max_norm: What the norm of each hidden unit's incoming weights is cut back to.
        batch_norm: Normalise each hidden layer over the batch.
        port: What the Lightning side is built of: "exact" is Keras' own arithmetic and defaults
            (optimiser, batch norm, initial weights), "torch" is torch's own.
        optimizer: Of both sides.
        learning_rate: In the first epoch; by default the optimiser's own.
        optimizer_settings: Its other arguments, by the names that it has on both sides.
        weight_decay_on: What its weight decay shrinks: all that is learned, or matrices only.
        decay: Factor by which it is multiplied after each epoch; 1 keeps it constant.
        batch_size: Images a step.
        epochs: Passes over the training images.
        invert: Feed the networks 1 - x.
        standardize: Feed the networks pixels of mean 0 and deviation 1: over the training images
            (dataset) or in each image (image).
        augmentation: What is done to training images, by name; what is not named is off.
        views: Versions of the test set on which the sides must be equivalent too.
        seeds: Runs of each side, with seeds 0, 1, ...; or "auto": as many as it takes to decide.
        most_seeds: Where "auto" ends, undecided or not.
        margins: What counts as different.
    """

    hidden: tuple[int, ...] = (128,)
    activation: Activation = "relu"
    dropout: float = 0.0
    input_dropout: float = 0.0
    label_smoothing: float = 0.0
    max_norm: float | None = None
    batch_norm: bool = False
    port: Literal["exact", "torch"] = "exact"
    optimizer: Optimizer = "adam"
    learning_rate: float | None = None
    optimizer_settings: dict[str, float | bool] = field(default_factory=dict)
    weight_decay_on: Literal["all", "matrices"] = "all"
    decay: float = 1.0
    batch_size: int = 128
    epochs: int = 5
    invert: bool = False
    standardize: Literal["none", "dataset", "image"] = "none"
    augmentation: dict[str, float] = field(default_factory=dict)
    views: tuple[str, ...] = ()
    seeds: int | Literal["auto"] = 5
    most_seeds: int = 20
    margins: Thresholds = field(default_factory=Thresholds)

    def __post_init__(self) -> None:
        for name, least in (("seeds", 1), ("most_seeds", 4), ("epochs", 1), ("batch_size", 1)):
            value = getattr(self, name)
            if value != "auto" and value < least:
                raise ValueError(f"{name} is {value}; expected at least {least}")
        if self.optimizer == "muon" and self.port == "torch":
            raise ValueError(
                "optimizer muon, port torch: torch's Muon takes no biases; expected port exact"
            )
        weights = sum(a * b for a, b in pairwise([28 * 28, *self.hidden, 10]))
        layers = len(self.hidden)
        if min(self.hidden, default=1) < 1 or layers > MOST_LAYERS or weights > MOST_WEIGHTS:
            raise ValueError(
                f"hidden: {layers:,} widths make {weights:,} weights; expected each at least 1, at "
                f"most {MOST_LAYERS:,} widths and {MOST_WEIGHTS:,} weights"
            )
        for what, given, known in (
            ("augmentation", self.augmentation, AUGMENTATIONS), ("views", self.views, VIEWS),
        ):  # fmt: skip
            if unknown := [name for name in given if name not in known]:
                raise ValueError(f"{what} {', '.join(unknown)}; expected {', '.join(known)}")

    def training(self) -> dict[str, Any]:
        """What decides the outcome of a single run: not how many there are, nor their judge."""
        values = dataclasses.asdict(self)
        for judged in ("seeds", "most_seeds", "margins", "views"):
            del values[judged]
        return values

    def digest(self, data_sha256: str, versions: dict[str, str]) -> str:
        """Names the folder in which runs of this recipe, data and software are kept."""
        text = json.dumps([self.training(), data_sha256, versions], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def flags(self, side: str, data: str, seed: int, run_dir: str) -> list[str]:
        """The command line of one run of "lightning" or "keras", after ``python -m PACKAGE``."""
        common = {
            "--data.source": data,
            "--data.batch_size": self.batch_size,
            "--trainer.max_epochs": self.epochs,
            "--seed_everything": seed,
            "--run_dir": run_dir,
            "--guard": "warn",  # a collapse is for the judge to say
            "--model.hidden": json.dumps(list(self.hidden)),
            "--model.activation": self.activation,
            "--model.dropout": self.dropout,
            "--model.input_dropout": self.input_dropout,
            "--model.label_smoothing": self.label_smoothing,
            "--model.max_norm": json.dumps(self.max_norm),
            "--model.invert": json.dumps(self.invert),
            "--model.standardize": self.standardize,
            **{f"--model.augmentation.{name}": value for name, value in self.augmentation.items()},
        }
        own = self._lightning() if side == "lightning" else self._keras()
        return ["fit", *(str(part) for pair in (common | own).items() for part in pair)]

    def _lightning(self) -> dict[str, Any]:
        keras_name, torch_name = _CLASSES[self.optimizer]
        exact = self.port == "exact"
        own_norm = "keras" if exact else "true"
        name = f"lightning_mnist.optimizers.Keras{keras_name}" if exact else torch_name
        flags: dict[str, Any] = {
            "--model.batch_norm": own_norm if self.batch_norm else "false",
            "--model.init": "keras" if exact else "torch",
            "--optimizer": name if exact else f"torch.optim.{name}",
            **{f"--optimizer.{key}": json.dumps(v) for key, v in self.optimizer_settings.items()},
            "--weight_decay_on": self.weight_decay_on,
        }
        if self.learning_rate is not None:
            flags["--optimizer.lr"] = self.learning_rate
        if self.decay == 1:
            return {**flags, "--lr_scheduler": "null"}
        schedule = "torch.optim.lr_scheduler.ExponentialLR"
        return {**flags, "--lr_scheduler": schedule, "--lr_scheduler.gamma": self.decay}

    def _keras(self) -> dict[str, Any]:
        flags: dict[str, Any] = {
            "--model.batch_norm": json.dumps(self.batch_norm),
            "--optimizer.name": _CLASSES[self.optimizer][0],
            "--optimizer.settings": json.dumps(self.optimizer_settings),
            "--optimizer.weight_decay_on": self.weight_decay_on,
            "--optimizer.decay": self.decay,
        }
        if self.learning_rate is not None:
            flags["--optimizer.learning_rate"] = self.learning_rate
        return flags


RECIPES = {
    "mnist": Recipe(learning_rate=0.001),
    # 540 test images: a class has 54. Over seeds, accuracy spreads by about half a point, a class's
    # recall by two, its share of the predictions by half: five seeds a side decide these margins.
    "digits": Recipe(
        learning_rate=0.001,
        epochs=30,
        batch_size=32,
        margins=Thresholds(
            accuracy_margin=0.02, recall_margin=0.1, share_margin=0.02, disagreement_margin=0.02
        ),
    ),
}
"""What `run` trains on the data of that name when it is given no recipe."""
