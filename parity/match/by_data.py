"""Matches layers by what they give: with the same weights, the same input gives the same output."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from parity.arrays import Array, Table
from parity.match.layer import Layer, layers_of_both
from parity.match.pairs import NEUTRAL, Pair, pairs
from parity.readings.rounding import magnitude, worst

ANSWER = "answer"
"""The last entry of what a model gives, layer by layer."""
NEAR = 1e-4
"""Relative to the largest output of a layer, in float32: rounding is a hundred times smaller, and
layers with other weights differ by as much as their outputs."""
MOST_QUESTIONS = 300
"""Forward passes that a search may take,"""
MOST_NUMBERS = 1_000_000_000
"""and weights that it may set in all of them. Where each layer cannot be asked for, none is."""
Ask = Callable[[Table], Table]
"""What B gives, layer by layer, with some of its weights replaced."""


@dataclass
class Search:
    """Looks for the layers of A among those of B.

    Attributes:
        a: Layers of A.
        b: Layers of B.
        own: Weights of A, its own.
        weights: Weights of A with which it gave `outputs`: random, so that no two layers are alike.
        outputs: What A gave, by layer; last its `ANSWER`.
        ask: Asks B.
        same: Whether two answers are one.
        questions: How often B was asked.
    """

    a: list[Layer]
    b: list[Layer]
    own: Table
    weights: Table
    outputs: Table
    ask: Ask
    same: Callable[[Array, Array], bool]
    questions: int = 0
    _order: list[str] = field(default_factory=list)

    def run(self) -> list[Pair] | None:
        """The pairs with which B answers as A does; None where none were found."""
        self._order = list(self.outputs)
        answers = [n for n in self._order if np.array_equal(self.outputs[n], self.outputs[ANSWER])]
        seen = {*self._order} - {*answers[1:]}  # without a module around the layer that answers
        # What a program keeps itself, positions perhaps, is at work before its layers can be told.
        self.a = [own if own.ends in seen else replace(own, ends="") for own in self.a]
        self.a = sorted(self.a, key=lambda layer: layer.name.partition("/")[0] in seen)
        numbers = sum(values.size for values in self.own.values())
        affordable = min(MOST_QUESTIONS, MOST_NUMBERS // max(numbers, 1))
        return next(self._from(0, []), None) if affordable >= len(self.a) else None

    def _from(self, place: int, settled: list[Pair]) -> Iterator[list[Pair]]:
        if place == len(self.a):
            given = self._ask(settled)
            if given and self.same(self.outputs[ANSWER], given[ANSWER]):
                yield settled
            return
        for pair in self._candidates(self.a[place], settled):
            if self.questions < MOST_QUESTIONS:
                yield from self._from(place + 1, [*settled, pair])

    def _candidates(self, layer: Layer, settled: list[Pair]) -> list[Pair]:
        """Layers of B that give what `layer` gives; then those of which it cannot be told."""
        taken = {pair.b.name for pair in settled}
        places = self._places(layer)
        ways = [
            pairs(layer, other, self.own, places) for other in self.b if other.name not in taken
        ]
        same: list[Pair] = []
        unknown: list[Pair] = []
        for turn in range(max(map(len, ways), default=0)):
            tried = [found[turn] for found in ways if len(found) > turn]
            given = self._ask([*settled, *tried])
            for pair in tried:
                alike = self._alike(pair, given)
                if alike is None:
                    unknown.append(pair)
                elif alike:
                    same.append(pair)
        return [*same, *unknown]

    def _alike(self, pair: Pair, given: Table) -> bool | None:
        a, b = self.outputs.get(pair.a.ends), given.get(pair.b.ends)
        if a is None or b is None:
            return None
        if a.shape != b.shape:
            if a.size != b.size:
                return None
            b = b.reshape(a.shape)
        return worst(a, b) <= NEAR * magnitude(a)

    def _ask(self, found: list[Pair]) -> Table:
        self.questions += 1
        given: Table = {}
        for pair in found:
            given |= pair.given(self.weights)
        return self.ask(given)

    def _places(self, layer: Layer) -> list[tuple[int, ...]]:
        """Shapes of the outputs before a layer that have places and channels."""
        if layer.ends not in self._order:
            return []
        before = self._order[: self._order.index(layer.ends)]
        shapes = [self.outputs[name].shape[1:] for name in before]
        return list(dict.fromkeys(shape for shape in shapes if len(shape) > 1))[::-1]


def unlike(a: list[Layer], b: list[Layer], own: Table, seed: int = 0) -> Table:
    """Weights of the shapes of `own`, random, so that no two layers are alike.

    What one side may lack because it does nothing in `own` goes on doing nothing.
    """
    optional = {
        tie.source
        for layer in a
        for other in b
        for pair in pairs(layer, other, own)
        for tie in pair.ties
        if not tie.target
    }
    rng = np.random.default_rng(seed)
    return {
        name: values if name in optional else _random(name, values, rng)
        for name, values in own.items()
    }


def _random(name: str, values: Array, rng: np.random.Generator) -> Array:
    part = name.rpartition(".")[2]
    if values.ndim > 1:
        fan_in = max(1, values.size // values.shape[-1])
        drawn = rng.normal(0, fan_in**-0.5, values.shape)
    else:
        drawn = NEUTRAL.get(part, 0.0) + rng.uniform(-0.4, 0.4, values.shape)
    return drawn.astype(values.dtype)


def search(
    own: Table,
    b: Table,
    weights: Table,
    outputs: Table,
    ask: Ask,
    same: Callable[[Array, Array], bool],
) -> list[Pair] | None:
    """See `Search`; layers are told from the weights of either side."""
    return Search(*layers_of_both(own, b), own, weights, outputs, ask, same).run()
