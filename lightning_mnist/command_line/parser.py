"""The argument parser of Lightning's commands: says what is wrong in one sentence."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch.cli import LightningArgumentParser

from lightning_mnist.resuming.resume import expand
from parity.flags import OneSentence, load, read_text

CHOICES = ("optimizer", "lr_scheduler")
"""Flags that name a class, which has settings of its own."""
RECIPE = ("-c", "--config")


class OneSentenceParser(OneSentence, LightningArgumentParser):
    """Says what is wrong with a flag in one line; the usage of `fit` alone is sixty."""

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, *others: Any, **kwargs: Any
    ) -> Any:
        """Parse a command and its flags; a class that they name starts from its own defaults."""
        args = sys.argv[1:] if args is None else args
        if args and not args[0].startswith("-"):  # classes have parsers too, and no command
            args = own_defaults(expand(args))
        return super().parse_args(args, *others, **kwargs)


def own_defaults(args: Sequence[str]) -> list[str]:
    """Flags by which a class that is named starts from its own defaults.

    jsonargparse lets it keep what it knows of the former one's settings, for instance Adam's
    learning rate for SGD. So ``--optimizer null`` comes before whatever names an optimiser, a flag
    or a recipe, and the name before ``--optimizer.lr``, in whatever order they were given.
    """
    flags: list[list[str]] = [[]]  # each with its values
    for word in args:
        if word.startswith("--") or word == "-c":
            flags.append([])
        flags[-1].append(word)
    parts: list[list[list[str]]] = [[]]  # each from one recipe up to the next
    for flag in flags:
        if flag and _split(flag)[0] in RECIPE:
            parts.append([])
        parts[-1].append(flag)
    ordered = [flag for part in parts for flag in sorted(part, key=_is_late)]
    words: list[str] = []
    for flag in ordered:
        for name in _named(*_split(flag)) if flag else ():
            words += [f"--{name}", "null"]
        words += flag
    return words


def _split(flag: list[str]) -> tuple[str, str]:
    """Name and value of a flag, given as two words or with an equals sign."""
    name, equals, value = flag[0].partition("=")
    return name, value if equals else "".join(flag[1:2])


def _is_late(flag: list[str]) -> bool:
    """Whether it is a setting of a class, which may be named after it."""
    late = bool(flag) and flag[0].startswith(tuple(f"--{name}." for name in CHOICES))
    return late and not _named(*_split(flag))


def _named(flag: str, value: str) -> list[str]:
    """The choices that a flag makes by naming a class."""
    if flag in RECIPE:
        recipe = _read(value)
        return [name for name in CHOICES if _is_class(recipe.get(name))]
    return [n for n in CHOICES if flag in (f"--{n}", f"--{n}.class_path") and value != "null"]


def _is_class(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, dict) and "class_path" in value)


def _read(recipe: str) -> dict[str, Any]:
    """Flags of a recipe, a file or itself YAML; what cannot be read is for the parser to refuse."""
    try:
        values = load(read_text(Path(recipe)) if _is_path(recipe) else recipe)
    except (OSError, yaml.YAMLError):
        return {}
    return values if isinstance(values, dict) else {}


def _is_path(recipe: str) -> bool:
    try:
        return Path(recipe).exists()
    except OSError:  # longer than any name: it is YAML
        return False
