"""The door for flags and recipes: YAML is measured before anything is made of it.

jsonargparse reads every flag as YAML, and files of it. A few hundred bytes of YAML may stand for
gigabytes, a pipe has no end, and of a key that is given twice the first would be forgotten.
"""

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from unittest import mock

import jsonargparse
import yaml

from parity.files import opened

USAGE = 2
"""Exit code where a flag or a recipe is at fault."""
RECIPE = "recipe"
"""The mode of parsers that read through here."""
MOST_CHARACTERS = 2**18
"""Of a flag or a recipe; ours have less than two thousand."""
MOST_OF_A_VALUE = 3_500
"""Characters; Python turns no whole number of more than 4,300 digits into text."""
MOST_VALUES = 10_000
DEEPEST = 50
MOST_NUMBERS = 1_000
"""In a list: layers, for instance."""
MOST = 2**31
RANGES = {
    "seed_everything": (0, 2**32 - 1),  # as NumPy, torch and Keras take them
    "seed": (0, 2**32 - 1),
    "seeds": (-MOST, 1_000),
    "most_seeds": (-MOST, 1_000),
    "epochs": (-MOST, 1_000_000),
    "max_epochs": (-MOST, 1_000_000),
    "batch_size": (-MOST, 2**20),
    "threads": (-MOST, 1_024),
}
"""Of whole numbers, by the name of their flag; what is too small is said where it is used."""
LONGEST_SENTENCE = 600
_SCANNER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class OneSentence:
    """What a parser of jsonargparse is mixed with: reads through this door, answers in a line."""

    exit_on_error: bool

    def __init__(self, *args: Any, parser_mode: str = RECIPE, **kwargs: Any) -> None:
        super().__init__(*args, parser_mode=parser_mode, **kwargs)  # type: ignore[call-arg]

    def parse_args(self, *args: Any, **kwargs: Any) -> Any:
        """Parse flags, reading the files that they name with care."""
        with _careful_reading():
            flags = super().parse_args(*args, **kwargs)  # type: ignore[misc]
        try:
            check_numbers(flags.as_dict())
        except RecipeError as error:
            self.error(str(error))
        return flags

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Say what is wrong in a sentence and exit with 2, or raise where a caller wants that."""
        if not self.exit_on_error:
            super().error(message, ex)  # type: ignore[misc]
        said = " ".join(message.split())
        if len(said) > LONGEST_SENTENCE:
            said = f"{said[: LONGEST_SENTENCE // 2]} ... {said[-LONGEST_SENTENCE // 2 :]}"
        prog = self.prog.replace(" [options]", "")  # type: ignore[attr-defined]
        print(f"error: {said}; see {prog} --help", file=sys.stderr)
        sys.exit(USAGE)


class RecipeError(yaml.YAMLError, TypeError):
    """A flag or a recipe that is not even looked at; jsonargparse says why and exits with 2."""


def check_numbers(flags: Any, name: str = "") -> None:
    """Check that every number is one, and within reason for what it counts.

    Flags are a mapping, or one below it, or a value, to which `name` leads.

    Raises:
        RecipeError: a number is NaN, or too small or too large, or too many are in one list.
    """
    if isinstance(flags, dict):
        for key, value in flags.items():
            check_numbers(value, f"{name}.{key}".lstrip("."))
    elif isinstance(flags, list | tuple):
        if len(flags) > MOST_NUMBERS and not any(isinstance(value, str) for value in flags):
            raise RecipeError(
                f"{name} has {len(flags):,} values; expected {MOST_NUMBERS:,} or fewer"
            )
        for value in flags:
            check_numbers(value, name)
    elif isinstance(flags, float) and math.isnan(flags):
        raise RecipeError(f"{name} is not a number")
    elif isinstance(flags, int):
        least, most = RANGES.get(name.rpartition(".")[2], (-MOST, MOST))
        if flags < least:
            raise RecipeError(f"{name} is {flags}; expected at least {least:,}")
        if flags > most:
            raise RecipeError(f"{name} is {flags}; expected at most {most:,}")


@contextmanager
def _careful_reading() -> Iterator[None]:
    """While flags are parsed, files that they name come through this door too."""

    def text(path: Any) -> str:
        return read_text(Path(path.absolute))

    with mock.patch.object(jsonargparse.Path, "read_text", text):  # type: ignore[attr-defined]
        yield


def read_text(path: Path) -> str:
    """The text of a recipe.

    Raises:
        RecipeError: no regular file, too large, or not in UTF-8.
    """
    try:
        with opened(path, MOST_CHARACTERS) as file:
            return file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: not text in UTF-8 ({error.reason})") from None
    except ValueError as error:
        raise RecipeError(f"{path}: {error}") from None


def load(text: str) -> Any:
    """What YAML stands for, as jsonargparse reads it.

    Raises:
        RecipeError: it is more than a recipe can be, gives a key twice, or cannot be read.
        yaml.YAMLError: it is no YAML.
    """
    check(text)
    try:
        return jsonargparse.get_loader("yaml")(text)
    except yaml.YAMLError:
        raise
    except Exception as error:  # PyYAML lets a dozen kinds out where a tag and its text disagree
        raise RecipeError(f"cannot be read as YAML ({str(error)[:200]})") from None


def check(text: str) -> None:
    """Measure YAML, and make nothing of it.

    Raises:
        RecipeError: too long, too deep, too many values, or a key that is given twice.
        yaml.YAMLError: it is no YAML.
    """
    if len(text) > MOST_CHARACTERS:
        raise RecipeError(f"{len(text):,} characters; expected at most {MOST_CHARACTERS:,}")
    if any("\ud800" <= character <= "\udfff" for character in text):  # bytes of a file name
        raise RecipeError("not text in UTF-8, and no file is called so")
    measure = _Measure()
    for event in yaml.parse(text, Loader=_SCANNER):
        measure.see(event)


@dataclass
class _Collection:
    """A list or mapping whose end has not come: its anchor, the values before it, its keys."""

    anchor: str | None
    before: int
    keys: set[str] | None
    parts: int = 0


@dataclass
class _Measure:
    """Counts values, each as often as anchors repeat it."""

    values: int = 0
    sizes: dict[str, int] = field(default_factory=dict)
    within: list[_Collection] = field(default_factory=list)

    def see(self, event: Any) -> None:
        """Count what begins, name what ends."""
        if isinstance(event, yaml.CollectionEndEvent):
            ended = self.within.pop()
            self._name(ended.anchor, ended.before)
        elif isinstance(event, yaml.NodeEvent):
            self._see_part(event)
            before = self.values
            self.values += self._size(event)
            if self.values > MOST_VALUES:
                raise RecipeError(f"more than {MOST_VALUES:,} values, anchors followed")
            if isinstance(event, yaml.CollectionStartEvent):
                self._begin(event, before)
            elif isinstance(event, yaml.ScalarEvent):
                if len(event.value) > MOST_OF_A_VALUE:
                    raise RecipeError(f"a value of {len(event.value):,} characters")
                self._name(event.anchor, before)

    def _name(self, anchor: str | None, before: int) -> None:
        if anchor is not None:
            self.sizes[anchor] = self.values - before

    def _size(self, event: Any) -> int:
        if not isinstance(event, yaml.AliasEvent):
            return 1
        if event.anchor not in self.sizes:
            raise RecipeError(f"*{event.anchor} stands for nothing, or for what holds it")
        return self.sizes[event.anchor]

    def _begin(self, event: Any, before: int) -> None:
        if len(self.within) == DEEPEST:
            raise RecipeError(f"nested more than {DEEPEST} deep")
        keys: set[str] | None = set() if isinstance(event, yaml.MappingStartEvent) else None
        self.within.append(_Collection(event.anchor, before, keys))

    def _see_part(self, event: Any) -> None:
        if not self.within:
            return
        inside = self.within[-1]
        is_key = inside.keys is not None and inside.parts % 2 == 0
        inside.parts += 1
        if is_key and isinstance(event, yaml.ScalarEvent) and event.value != "<<":
            assert inside.keys is not None
            if event.value in inside.keys:
                raise RecipeError(f"{event.value[:60]!r} is given twice")
            inside.keys.add(event.value)


jsonargparse.set_loader(RECIPE, load, exceptions=(yaml.YAMLError,))
