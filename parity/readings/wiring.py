"""How layers are connected: what each is fed, as a sum, a part or a mean of what others give."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from parity.arrays import Array, Names, Table
from parity.readings.activations import FIXED
from parity.readings.cause import Cause, same_but_rounded
from parity.readings.path import Path, makes, named
from parity.readings.paths import ADDED, path_to
from parity.readings.rounding import magnitude, noise, worst

CONNECTIONS, ROUNDED, ANSWER = "connections", "rounded constant", "answer"
ADVICE = "connect the layers alike: look at what is added, skipped, taken or pooled between them"
MERGES = ("add_", "subtract_", "multiply_", "average_", "concatenate_", "dot_")
"""How Keras' layers begin that have several inputs: which ones is what is looked for."""
LONGEST = 160
"""Letters of a path, after which its layer's name stands for it."""


@dataclass(frozen=True)
class Wires:
    """A side at work.

    Attributes:
        given: What each layer gives, in the order of work, first the pixels, [B, ...].
        fed: What each is fed, by the same names, and last what the `ANSWER` is.
        both: Recurrent layers that go both ways.
        within: What recurrent layers hold and do not give, in words that end with their names.
    """

    given: Table
    fed: Table
    both: Collection[str] = ()
    within: Table = field(default_factory=dict)


def explain(sides: tuple[Wires, Wires], owners: list[str], names: Names) -> list[Cause]:
    """Layers that are fed something else, though what they are fed is known on both sides.

    `owners` are layers with weights, which are one on both sides.

    A path is said of a side only where it makes what was fed to rounding; two paths differ only
    where neither makes what the other side's layer was fed.
    """
    alike = [*sides[0].given] == [*sides[1].given]
    known = [_paths(side, owners, alike=alike) for side in sides]
    parted: dict[str, tuple[str, str]] = {}
    causes: list[Cause] = []
    for layer in known[1]:
        paths = tuple(found[layer] for found in known if layer in found)
        of_a, of_b = (path.words for path in paths) if len(paths) == len(sides) else ("", "")
        before = owners[owners.index(layer) - 1] if layer in owners else ""
        if _within(before, layer, sides[0]):
            of_b = known[1][layer].words
            parted |= {layer: (before, of_b)} if of_b != before else {}
            continue
        if _form(of_a) == _form(of_b) and ADDED not in of_a:
            continue
        if _one(layer, sides, paths):
            continue
        if _rounded(sides[0].fed[layer], sides[1].fed[layer], of_a, of_b):
            text = f"{layer}: what is added for all samples alike is rounded to float32 on one side"
            causes.append(Cause(ROUNDED, 0.0, text, rounds=True))
        elif same_but_rounded(_form(of_a), _form(of_b)):
            text = f"{layer}: {names[0]} feeds it {of_a}, {names[1]} feeds it {of_b}"
            causes += [Cause(ROUNDED, 0.0, text, rounds=True)] if of_a != of_b else []
        elif _form(of_a) != _form(of_b):
            parted[layer] = of_a, of_b
    norms = {both for layer, both in parted.items() if "norm" in layer}
    for layer, (of_a, of_b) in parted.items():
        if "norm" in layer and (of_b, of_a) in norms:
            continue  # two norms, each with the name of the other: the same network
        verb = "gives" if layer == ANSWER else "feeds it"
        said = f"{names[0]} {verb} {of_a}, {names[1]} {verb} {of_b}"
        causes.append(Cause(CONNECTIONS, 0.0, f"{layer}: {said}; {ADVICE}"))
    return causes


def _within(before: str, layer: str, side: Wires) -> bool:
    """Whether a side has both in one layer, and nothing between: a separable convolution."""
    begins, ends = before in side.fed, layer in side.given
    return begins and ends and before not in side.given and layer not in side.fed


def _rounded(a: Array, b: Array, *words: str) -> bool:
    """Whether both add the same for all samples, positions as it were, but for a rounding."""
    begins = {said.partition(ADDED)[0] for said in words}
    near = float(np.finfo(np.float32).eps) * magnitude(b)
    return len(begins) == 1 and all(ADDED in said for said in words) and worst(a, b) <= near


def _form(words: str) -> str:
    """A path whatever its functions are: of a function that differs its own layer tells."""
    return _FUNCTIONS.sub("f(", words)


_FUNCTIONS = re.compile(
    "({})[(]".format("|".join(re.escape(name.partition(",")[0]) for name in FIXED))
)


def _one(layer: str, sides: tuple[Wires, Wires], paths: tuple[Path, ...]) -> bool:
    """Whether one of the paths is that of the other side too."""
    return any(
        makes(path, other.given, np.asarray(other.fed[layer], np.float64), noise(other.fed[layer]))
        for path, other in zip(paths, sides[::-1], strict=True)
    )


def _paths(side: Wires, owners: list[str], *, alike: bool) -> dict[str, Path]:
    """To each layer with weights, and to the answer, as far as they are found.

    To each layer at all, where both sides have the same ones: layers without weights
    have the same names on both sides only there; else they are what they make of their input.
    """
    known: list[Path] = []
    found: dict[str, Path] = {}
    given = {**side.given, **side.within}
    for layer in [*side.given, ANSWER]:
        fed = side.fed.get(layer)
        path = None if fed is None or not known else path_to(fed, known, given)
        owned = layer in (*owners, ANSWER)
        if path is not None and (owned or (alike and not layer.startswith(MERGES))):
            found[layer] = path
        merges = layer.startswith(MERGES) and not owned
        if not merges and (owned or alike or not known):
            known += [named(held) for held in side.within if held.endswith(f" {layer}")]
            known.append(named(layer, layer in side.both))
            continue
        sources = known if merges else [path] if path else []
        made = path_to(side.given[layer], sources, given)
        known += [Path(_short(made.words, layer), made.of)] if made else []
    return found


def _short(words: str, layer: str) -> str:
    return words if len(words) <= LONGEST else layer
