"""The trainings of a comparison: one a recipe and seed, each kept in a file once it is done."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from lightning_mnist.errors import InputError
from parity.files import read_json
from parity.json_text import known, write_json

FOLDER = "runs"


@dataclass(frozen=True)
class Run:
    """What one training came to.

    `ended` is "finished", or why it could not be trained to its end; `data` has name, sha256 and
    sizes. `train_accuracy` is that of the trained network, without augmentation and dropout, and
    `history` has one mapping an epoch.
    """

    name: str
    seed: int
    recipe: dict[str, Any]
    data: dict[str, Any]
    ended: str = "finished"
    parameters: int = 0
    train_accuracy: float | None = None
    history: list[dict[str, float]] = field(default_factory=list)

    @property
    def finished(self) -> bool:
        """Whether it was trained to its end."""
        return self.ended == "finished"

    @property
    def accuracy(self) -> float:
        """Share of the validation images that are read right after the last epoch."""
        return self.history[-1]["val_accuracy"]

    @property
    def gap(self) -> float:
        """How much better training images are read than validation images."""
        assert self.train_accuracy is not None
        return self.train_accuracy - self.accuracy

    @property
    def seconds(self) -> float:
        """All epochs, validation included."""
        return sum(row["seconds"] for row in self.history)

    def save(self, out: Path) -> None:
        """Write it, whole or not at all."""
        path = _file(out, self.name, self.seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, vars(self))


def kept(out: Path, name: str, seed: int) -> Run | None:
    """The run of a recipe and seed that an earlier command has left, if it can be read."""
    try:
        values = read_json(_file(out, name, seed), dict[str, Any])
        values["history"] = known(values["history"])
        return msgspec.convert(values, Run)
    except (ValueError, KeyError, TypeError):
        return None


def named(paths: Sequence[Path]) -> dict[str, Path]:
    """Recipes by the names of their files.

    Raises:
        InputError: two have the same name, or one is no file.
    """
    names: dict[str, Path] = {}
    for path in paths:
        if not path.is_file():
            raise InputError(f"-c {path}: no such file; expected a recipe of fit")
        if (other := names.setdefault(path.stem, path)) is not path:
            raise InputError(
                f"-c {other} and -c {path}: both are called {path.stem}; rename one, or give each "
                "once"
            )
    return names


def _file(out: Path, name: str, seed: int) -> Path:
    return out / FOLDER / f"{name}-seed{seed}.json"
