"""What a search may choose: flags of `fit`, each with the values that it may take."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from lightning_mnist.errors import InputError

Draw = Callable[[str, BaseDistribution], Any]
"""The value of a parameter, by its name and what it may be."""
Flags = dict[str, str]
"""Values as they are written on the command line, by flag."""
KINDS = ("choices", "range", "log", "integers", "layers")
EXPECTED = (
    "expected one of choices: [A, B], range: [LOW, HIGH], log: [LOW, HIGH], integers: [LOW, HIGH] "
    "and layers: {width: ..., depth: ...}"
)


@dataclass(frozen=True)
class Parameter:
    """One value to choose; of a choice each may have a space of its own.

    Attributes:
        flag: Of `fit`, by its dotted name.
        name: The flag, and the choice below which it lies, if any.
        distribution: What it may be.
        branches: By choice, what is to be chosen besides.
    """

    flag: str
    name: str
    distribution: BaseDistribution
    branches: dict[str, "Space"]

    def draw(self, draw: Draw) -> Flags:
        """The flag and those of its branch."""
        value = draw(self.name, self.distribution)
        below = self.branches[value].draw(draw) if value in self.branches else {}
        return {self.flag: word(value), **below}

    def parameters(self) -> Iterator["Parameter"]:
        """This one and those of its branches."""
        yield self
        for branch in self.branches.values():
            yield from branch.parameters()

    def size(self) -> float:
        """How many values there are, those of the branches included."""
        if isinstance(self.distribution, CategoricalDistribution):
            return sum(
                self.branches[choice].size() if choice in self.branches else 1
                for choice in map(str, self.distribution.choices)
            )
        if isinstance(self.distribution, IntDistribution):
            return self.distribution.high - self.distribution.low + 1
        return 1 if self.distribution.single() else math.inf


@dataclass(frozen=True)
class Layers:
    """A list of equal numbers, such as ``model.hidden``: `width`, `depth` times."""

    flag: str
    width: Parameter
    depth: Parameter

    def draw(self, draw: Draw) -> Flags:
        """The flag."""
        (width,), (depth,) = (part.draw(draw).values() for part in (self.width, self.depth))
        return {self.flag: word([int(width)] * int(depth))}

    def parameters(self) -> Iterator[Parameter]:
        """Both."""
        yield from (self.width, self.depth)

    def size(self) -> float:
        """How many lists there are."""
        return self.width.size() * self.depth.size()


@dataclass(frozen=True)
class Space:
    """Everything that a search may choose."""

    parts: tuple[Parameter | Layers, ...]

    def draw(self, draw: Draw) -> Flags:
        """One recipe of the space."""
        flags: Flags = {}
        for part in self.parts:
            flags |= part.draw(draw)
        return flags

    def samples(self) -> Iterator[Flags]:
        """Recipes in which every choice is made once, and every number is lowest and highest."""
        choices = [getattr(each.distribution, "choices", ()) for each in self.parameters()]
        for place in range(max(2, *map(len, choices))):
            yield self.draw(partial(_at, place))

    def parameters(self) -> Iterator[Parameter]:
        """Every value that may have to be chosen."""
        for part in self.parts:
            yield from part.parameters()

    def size(self) -> float:
        """How many recipes there are, infinity where a value is a real number."""
        return math.prod(part.size() for part in self.parts)


def word(value: Any) -> str:
    """A value as it is written on the command line, real numbers with four digits."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value)


def read_space(given: Any, where: str, below: str = "") -> Space:
    """The space that a search file describes.

    `given` maps flags to what they may be, and belongs to the choice `below`.

    Raises:
        InputError: it is empty, or something in it is no description of values.
    """
    if not isinstance(given, dict) or not given:
        raise InputError(
            f"{where} is {_said(given)}; expected at least one flag of fit with its values, for "
            "instance optimizer.lr: {log: [0.0001, 0.01]}"
        )
    return Space(tuple(_part(flag, it, f"{where}.{flag}", below) for flag, it in given.items()))


def _part(flag: Any, given: Any, where: str, below: str) -> Parameter | Layers:
    flag = str(flag).removeprefix("--")
    name = f"{flag} ({below})" if below else flag
    kind, value = _single(given, where)
    if kind != "layers":
        return _parameter(flag, name, kind, value, where)
    if not isinstance(value, dict) or set(value) != {"width", "depth"}:
        raise InputError(f"{where}.layers is {_said(value)}; expected width: ... and depth: ...")
    width, depth = (
        _parameter(flag, f"{name} {part}", *_single(value[part], f"{where}.{part}"), where)
        for part in ("width", "depth")
    )
    for part, least in ((width, 1), (depth, 0)):
        _check_whole(part, least, where)
    return Layers(flag, width, depth)


def _single(given: Any, where: str) -> tuple[str, Any]:
    if not isinstance(given, dict) or len(given) != 1 or next(iter(given)) not in KINDS:
        raise InputError(f"{where} is {_said(given)}; {EXPECTED}")
    ((kind, value),) = given.items()
    return kind, value


def _parameter(flag: str, name: str, kind: str, value: Any, where: str) -> Parameter:
    if kind == "choices":
        return _choices(flag, name, value, where)
    try:
        low, high = value
        return Parameter(flag, name, _numbers(kind, low, high), {})
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{where}.{kind} is {_said(value)}; expected [LOW, HIGH], numbers of which the second "
            f"is the larger{', both above 0' if kind == 'log' else ''} ({error})"
        ) from None


def _numbers(kind: str, low: Any, high: Any) -> BaseDistribution:
    if kind == "integers":
        return IntDistribution(_whole(low), _whole(high))
    return FloatDistribution(float(low), float(high), log=kind == "log")


def _choices(flag: str, name: str, value: Any, where: str) -> Parameter:
    """Choices are kept as words: storages know no lists."""
    words = [word(choice) for choice in value] if isinstance(value, list | dict) else []
    if not words or len(set(words)) < len(words):
        raise InputError(
            f"{where}.choices is {_said(value)}; expected a list of different values, or a mapping "
            "from values to the flags that each brings along"
        )
    branches = {}
    if isinstance(value, dict):
        branches = {
            word(choice): read_space(below, f"{where}.{word(choice)}", word(choice))
            for choice, below in value.items()
            if below
        }
    return Parameter(flag, name, CategoricalDistribution(words), branches)


def _check_whole(part: Parameter, least: int, where: str) -> None:
    values = part.distribution
    if isinstance(values, CategoricalDistribution):
        numbers = [str(choice) for choice in values.choices]
    else:
        numbers = [str(getattr(values, "low", ""))]
    if not all(number.isdecimal() and int(number) >= least for number in numbers):
        raise InputError(
            f"{where}.layers: {part.name.rpartition(' ')[2]} may be {', '.join(numbers)}; expected "
            f"whole numbers, at least {least}"
        )


def _at(place: int, name: str, values: BaseDistribution) -> Any:
    if isinstance(values, CategoricalDistribution):
        return values.choices[place % len(values.choices)]
    assert isinstance(values, FloatDistribution | IntDistribution)
    return values.high if place % 2 else values.low


def _whole(number: Any) -> int:
    if float(number) != int(number):
        raise ValueError(f"{number} is no whole number")
    return int(number)


def _said(given: Any) -> str:
    return "empty" if given in (None, {}, [], "") else json.dumps(given, default=str)
