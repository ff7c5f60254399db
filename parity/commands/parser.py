"""The argument parser of all commands: says what is wrong in one sentence."""

import dataclasses
from pathlib import Path

from jsonargparse import ActionConfigFile, ArgumentParser, Namespace  # type: ignore[attr-defined]

from parity.flags import OneSentence
from parity.sides.recipe import Recipe

DIFFERENT, COULD_NOT_COMPARE = 1, 5
"""Exit codes that any command may give, besides `parity.flags.USAGE`."""


class _AnyPath:
    """A path of whatever characters: as a `Path`, jsonargparse would take it for YAML first."""

    def __call__(self, text: str) -> Path:
        return Path(text)

    def __repr__(self) -> str:  # in the help of a command
        return "path"


any_path = _AnyPath()


class OneSentenceParser(OneSentence, ArgumentParser):
    """Says what is wrong with a flag, and nothing else."""

    def instantiated(self, config: Namespace) -> Namespace:
        """Flags as objects; what these refuse is a usage error."""
        try:
            flags: Namespace = self.instantiate(config)
        except ValueError as error:
            self.error(str(error))
        return flags

    def add_recipe_arguments(self) -> None:
        """Flags of a recipe, and ``-c`` for a file of them."""
        self.add_argument("-c", "--config", action=ActionConfigFile, help="A recipe in YAML.")
        self.add_class_arguments(Recipe)

    def add_data_arguments(self) -> None:
        """What both sides read."""
        self.add_argument("--data.source", default="auto", help="auto, mnist, digits or FILE.npz.")
        self.add_argument("--data.root", type=str | None, help="Folder of the MNIST files.")

    def add_out_argument(self, default: str) -> None:
        """Where the results go."""
        self.add_argument("--out", type=any_path, default=Path(default), help="Folder to fill.")

    def recipe(self, config: Namespace) -> Recipe:
        """The recipe that the flags spell; what it refuses is a usage error."""
        flags = self.instantiated(config)
        try:
            return Recipe(**{item.name: flags[item.name] for item in dataclasses.fields(Recipe)})
        except ValueError as error:
            self.error(str(error))
