"""The one set of hyperparameters, and what it is called on either side's command line."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Literal

from parity.verdict import Thresholds

Optimizer = Literal["adam", "adamw", "sgd", "rmsprop"]

# Where the two frameworks' defaults differ, both are told Keras' value. torch adds RMSprop's
# epsilon outside the root and decays Adam's weights by L2: those two stay as they are.
_TORCH = {
    "adam": ("Adam", {"eps": 1e-7}),
    "adamw": ("AdamW", {"eps": 1e-7, "weight_decay": 0.004}),
    "sgd": ("SGD", {}),
    "rmsprop": ("RMSprop", {"alpha": 0.9, "eps": 1e-7}),
}
_KERAS = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD", "rmsprop": "RMSprop"}


@dataclass(frozen=True)
class Recipe:
    """What both sides train, and how alike they must be.

    Attributes:
        hidden: Width of each hidden layer.
        dropout: Probability of dropping a hidden unit while training.
        optimizer: Of both sides, with Keras' defaults.
        learning_rate: Constant.
        batch_size: Images a step.
        epochs: Passes over the training images.
        invert: Feed the networks 1 - x.
        standardize: Feed the networks pixels of mean 0 and deviation 1.
        seeds: Runs of each side, with seeds 0, 1, ...
        margins: What counts as different.
    """

    hidden: tuple[int, ...] = (128,)
    dropout: float = 0.0
    optimizer: Optimizer = "adam"
    learning_rate: float = 0.001
    batch_size: int = 128
    epochs: int = 5
    invert: bool = False
    standardize: bool = False
    seeds: int = 5
    margins: Thresholds = field(default_factory=Thresholds)

    def __post_init__(self) -> None:
        for name in ("seeds", "epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1")

    def training(self) -> dict[str, Any]:
        """What decides the outcome of a single run: all but the number of seeds and the margins."""
        values = dataclasses.asdict(self)
        del values["seeds"], values["margins"]
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
            "--model.hidden": json.dumps(list(self.hidden)),
            "--model.dropout": self.dropout,
            "--model.invert": json.dumps(self.invert),
            "--model.standardize": json.dumps(self.standardize),
            "--model.batch_norm": "false",
        }
        if side == "lightning":
            name, settings = _TORCH[self.optimizer]
            own: dict[str, Any] = {
                "--lr_scheduler": "null",
                "--optimizer": f"torch.optim.{name}",
                "--optimizer.lr": self.learning_rate,
                **{f"--optimizer.{key}": value for key, value in settings.items()},
            }
        else:
            own = {
                "--optimizer.name": _KERAS[self.optimizer],
                "--optimizer.learning_rate": self.learning_rate,
            }
        return ["fit", *(str(part) for pair in (common | own).items() for part in pair)]


RECIPES = {
    "mnist": Recipe(),
    # 540 test images: a class has 54. Over seeds, accuracy spreads by about half a point, a class's
    # recall by two, its share of the predictions by half: five seeds a side decide these margins.
    "digits": Recipe(
        epochs=30,
        batch_size=32,
        margins=Thresholds(
            accuracy_margin=0.02, recall_margin=0.1, share_margin=0.02, disagreement_margin=0.02
        ),
    ),
}
"""What `run` trains on the data of that name when it is given no recipe."""
