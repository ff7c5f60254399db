"""The search file: a fixed recipe, what may be chosen, and for how long."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import yaml
from optuna.pruners import BasePruner

from lightning_mnist.errors import InputError
from lightning_mnist.search.space import Flags, Space, read_space
from lightning_mnist.trainings.flags import OF_A_RUN, names_of, without
from parity.flags import load, read_text

DEFAULTS = {
    "recipe": {},
    "space": None,
    "trials": 30,
    "epochs": None,
    "pruner": {"class_path": "MedianPruner", "init_args": {}},
    "seed": 0,
}
"""What a search file may hold."""
OF_A_MACHINE = ("data.source", "data.root", "threads", "trainer.accelerator", "trainer.devices")
"""Flags that may differ from worker to worker; the data themselves are compared."""


@dataclass(frozen=True)
class Spec:
    """What is searched: `recipe` is fixed, as YAML that `fit -c` takes, `space` may be chosen.

    `flags` are words of the command line for every trial, `given` the file's mapping, defaults
    spelled out.
    """

    path: Path
    recipe: str
    flags: tuple[str, ...]
    given: dict[str, Any]
    space: Space

    @property
    def trials(self) -> int:
        """How many recipes to train: no more than there are."""
        return int(min(self.given["trials"], self.space.size()))

    @property
    def seed(self) -> int:
        """Of the search's own draws; what seeds the trainings is in the recipe."""
        return int(self.given["seed"])

    @property
    def name(self) -> str:
        """Of the study in its storage."""
        return self.path.stem

    def words(self, chosen: Flags) -> list[str]:
        """The command line of `fit` for what has been chosen."""
        words = ["--config", self.recipe]
        if self.given["epochs"] is not None:
            words += ["--trainer.max_epochs", str(self.given["epochs"])]
        for flag, value in chosen.items():
            words += [f"--{flag}", value]
        return [*words, *self.flags]

    def pruner(self) -> BasePruner:
        """What stops trials that promise little, by their validation accuracy so far."""
        given, where = self.given["pruner"], f"{self.path}: pruner"
        if given is None:
            return optuna.pruners.NopPruner()
        names = [name for name in optuna.pruners.__all__ if name not in ("BasePruner", "NopPruner")]
        name = given.get("class_path") if isinstance(given, dict) else given
        if name not in names:
            raise InputError(f"{where} is {name!r}; expected null or one of {', '.join(names)}")
        settings = given.get("init_args") or {} if isinstance(given, dict) else {}
        try:
            pruner: BasePruner = getattr(optuna.pruners, name)(**settings)
        except (TypeError, ValueError) as error:
            raise InputError(f"{where}.init_args: {error}") from None
        return pruner

    def identity(self) -> str:
        """What must not change while a search goes on; the machine may."""
        fixed = {key: self.given[key] for key in ("recipe", "space", "epochs")}
        flags = without(self.flags, OF_A_MACHINE)
        return json.dumps({**fixed, "flags": flags}, sort_keys=True, default=str)


def read_spec(path: Path, flags: Sequence[str]) -> Spec:
    """Read a search file; the flags are those of `fit`, for every trial.

    Raises:
        InputError: it cannot be read, or does not describe a search.
    """
    given = _read(path)
    if unknown := [str(key) for key in given if key not in DEFAULTS]:
        raise InputError(f"{path}: {', '.join(unknown)}: not known; expected {', '.join(DEFAULTS)}")
    given = {**DEFAULTS, **given}
    for key, least in (("trials", 1), ("epochs", 1), ("seed", 0)):
        value = given[key]
        optional = key == "epochs" and value is None
        if not optional and (type(value) is not int or value < least):
            raise InputError(f"{path}: {key} is {value!r}; expected a whole number from {least} on")
    recipe = given["recipe"]
    if isinstance(recipe, str):  # a recipe of its own, named from where the search file lies
        given["recipe"] = _read(path.parent / recipe)
    elif not isinstance(recipe, dict):
        raise InputError(
            f"{path}: recipe is {recipe!r}; expected flags of fit, as recipes have them, or the "
            "path of a recipe"
        )
    spec = Spec(
        path=path,
        recipe=yaml.safe_dump(given["recipe"], sort_keys=False),
        flags=tuple(flags),
        given=given,
        space=read_space(given["space"], f"{path}: space"),
    )
    spec.pruner()
    _check_flags(spec)
    return spec


def _check_flags(spec: Spec) -> None:
    given = names_of(spec.flags)
    epochs = ["trainer.max_epochs"] if spec.given["epochs"] is not None else []
    for flag in dict.fromkeys(each.flag for each in spec.space.parameters()):
        if flag in OF_A_RUN:
            raise InputError(f"{spec.path}: space.{flag}: no part of a recipe; leave it out")
        if flag in given or flag in epochs:
            where = f"--{flag}" if flag in given else "epochs"
            raise InputError(
                f"{spec.path}: space.{flag}: {where} says already what it is; expected one of them"
            )


def _read(path: Path) -> dict[str, Any]:
    try:
        given = load(read_text(path))
    except yaml.YAMLError as error:
        why = " ".join(str(error).split()).removeprefix(f"{path}: ")
        raise InputError(f"{path}: cannot be read as YAML ({why})") from None
    if not isinstance(given, dict):
        raise InputError(f"{path}: holds no mapping; expected one, as in configs/search.yaml")
    return given
