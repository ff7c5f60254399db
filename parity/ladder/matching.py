"""Which layers of A are which of B, where their names do not say it; tried on the first batch."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from parity.arrays import Array, Table
from parity.ladder import outputs
from parity.ladder.aligned import Aligned
from parity.ladder.climber import Climber, NotRecordedError
from parity.match.by_data import ANSWER, search, unlike
from parity.match.feeding import sources
from parity.match.layer import Layer, layers_of, layers_of_both
from parity.match.pairs import Fed, Pair, by_shape, in_order, pairs
from parity.readings.cause import UNEXPLAINED, Cause
from parity.readings.rounding import magnitude, worst
from parity.sides.lockstep import LOGITS

NEAR = 1e-5
"""Relative to the largest logit: rounding in float32, and far above it in float64."""


@dataclass(frozen=True)
class Match:
    """Side A as it was matched.

    Attributes:
        side: With B's names where the layers were found.
        found: Whether every layer was.
        tried: What was tried, in words; empty where the names said it.
    """

    side: Climber
    found: bool
    tried: str = ""

    def named(self, own: Table) -> Table:
        """Tensors of A with the names and layouts of B."""
        return self.side.tensors(own) if isinstance(self.side, Aligned) else own


def matched(
    a: Climber, b: Climber, own: tuple[Table, Table], images: Array, told: Mapping[str, str]
) -> Match:
    """Match the layers of A and B.

    Args:
        a: Side A.
        b: Side B.
        own: Their weights.
        images: A batch.
        told: Layers of A and of B that are one, as the caller says.
    """
    layers = layers_of_both(own[0], own[1])
    by_name = _shapes(own[0]) == _shapes(own[1])
    if by_name and not told:
        return Match(a, True)
    order = [layer.name for layer in layers[1]]
    straight = _told(*layers, own[0], told) if told else in_order(*layers, own[0])
    if straight is None and not told:
        straight = by_shape(*layers, own[0], _feeding(a, b, own, images))
    if straight is not None and not all(pair.exact() for pair in straight):
        straight = None
    if told:
        side = a if straight is None else Aligned(a, straight, order)
        said = "the layers that --map names are not there, or of other kinds or shapes: " + _both(
            *layers
        )
        as_told = "layers were matched as --map says"
        return Match(side, straight is not None, said if straight is None else as_told)
    tried = "layers were matched by order, kind and shape"
    try:
        found = by_outputs(a, b, own, images, straight)
    except NotRecordedError:
        found = straight  # what only repeats itself cannot be asked
    else:
        tried += "" if found is straight else "; with the same weights they give something else"
    if found is not None and found is not straight:
        names = ", ".join(f"{p.a.name} = {p.b.name}" for p in found if p.a.name != p.b.name)
        said = f"layers were matched by what they give: {names}"
        return Match(Aligned(a, found, order), True, said)
    if straight is not None:
        return Match(Aligned(a, straight, order), True, tried)
    return Match(
        a, False,
        f"tried were the layers' order, kinds, shapes and outputs: {_both(*layers)}; --map A=B "
        "says which layer is which",
    )  # fmt: skip


def rematched(
    a: Climber, b: Climber, own: tuple[Table, Table], held: tuple[Table, Table], images: Array
) -> Match:
    """Match layers once more whose names agree, and with which both sides do not give the same.

    Layers of one shape that work side by side may do so in another order. They are those with
    which everything is the same, to rounding, else those that are fed by the same layers.
    """
    layers = layers_of(own[0])
    shapes = [tuple(layer.shapes.items()) for layer in layers]
    alike = len(set(shapes)) < len(shapes)
    faithful = all(worst(values, held[1][name]) == 0 for name, values in held[0].items())
    how, found, likely = "what they give", None, None
    try:
        if alike and faithful:
            likely = by_shape(layers, layers_of(own[1]), own[0], _feeding(a, b, own, images))
            found = by_outputs(a, b, own, images, likely)
    except NotRecordedError:
        return Match(a, True)
    if found is None:
        how, found = "what feeds them", likely
    moved = [pair for pair in found or [] if pair.a.name != pair.b.name]
    if found is None or not moved:
        return Match(a, True)
    names = ", ".join(f"{pair.a.name} = {pair.b.name}" for pair in moved)
    said = f"layers that work side by side were matched by {how}: {names}"
    return Match(Aligned(a, found, [layer.name for layer in layers]), True, said)


def _feeding(a: Climber, b: Climber, own: tuple[Table, Table], images: Array) -> tuple[Fed, Fed]:
    """The layer with weights that feeds each layer, of A and of B; empty for what is recorded."""
    found: list[Fed] = []
    for side, weights in zip((a, b), own, strict=True):
        owners = {name.partition(".")[0] for name in weights}
        try:
            given, fed = (
                side.ask(call, {"images": images}, training=False) for call in ("forward", "fed")
            )
        except NotRecordedError:
            return {}, {}
        found.append(sources(given, fed, owners))
    return found[0], found[1]


def of_other_kinds(a: Table, b: Table, tried: str) -> list[Cause]:
    """What is said where each side has layers of kinds that the other lacks; empty elsewhere.

    A layer that one program writes by hand has its weights in layers of other kinds: that they are
    missing from the other's is no mistake.
    """
    kinds = [Counter(layer.kind for layer in layers) for layers in layers_of_both(a, b)]
    if not (kinds[0] - kinds[1] and kinds[1] - kinds[0]):
        return []
    said = "weights: each side has layers of kinds that the other lacks, written by hand perhaps"
    return [Cause(UNEXPLAINED, math.inf, f"{said}; {tried}")]


def by_outputs(
    a: Climber,
    b: Climber,
    own: tuple[Table, Table],
    images: Array,
    likely: list[Pair] | None = None,
) -> list[Pair] | None:
    """The pairs with which both sides give the same; None where there are none.

    Args:
        a: Side A; its weights are others afterwards.
        b: Side B; likewise.
        own: Their weights.
        images: A batch.
        likely: What is tried first.

    Raises:
        NotRecordedError: a side only repeats what it once answered.
    """
    weights = unlike(*layers_of_both(own[0], own[1]), own[0])
    a.ask("set_weights", weights)
    seen = _with_answer(a.ask("forward", {"images": images}, training=False))

    def ask(table: Table) -> Table:
        b.ask("set_weights", own[1] | table)
        return _with_answer(b.ask("forward", {"images": images}, training=False))

    if likely is not None:
        given: Table = {}
        for pair in likely:
            given |= pair.given(weights)
        if same(seen[ANSWER], ask(given)[ANSWER]):
            return likely
    found = search(own[0], own[1], weights, seen, ask, same)
    return found if found and all(pair.exact() for pair in found) else None


def same(a: Array, b: Array) -> bool:
    """Whether logits are one, or probabilities of one."""
    if a.shape != b.shape:
        return False
    seen = ((a, b), *outputs.views(a, b))
    return any(worst(x, y) <= NEAR * max(magnitude(y), 1e-30) for x, y in seen)


def _told(
    a: list[Layer], b: list[Layer], weights: Table, told: Mapping[str, str]
) -> list[Pair] | None:
    """The pairs that the caller tells; the rest in order."""
    names = {layer.name: layer for layer in b}
    if not set(told) <= {layer.name for layer in a} or not set(told.values()) <= set(names):
        return None
    fixed = {layer.name: names[told[layer.name]] for layer in a if layer.name in told}
    rest_a = [layer for layer in a if layer.name not in fixed]
    rest_b = [layer for layer in b if layer.name not in {other.name for other in fixed.values()}]
    others = in_order(rest_a, rest_b, weights)
    ways = [pairs(layer, fixed[layer.name], weights) for layer in a if layer.name in fixed]
    if others is None or not all(ways):
        return None
    found = {pair.a.name: pair for pair in (*others, *(way[0] for way in ways))}
    return [found[layer.name] for layer in a]


def _both(a: list[Layer], b: list[Layer]) -> str:
    """All layers, in words."""
    said = (", ".join(layer.described({}) for layer in layers) for layers in (a, b))
    return "A has {}; B has {}".format(*said)


def _with_answer(given: Table) -> Table:
    return given | {ANSWER: given[LOGITS]}


def _shapes(weights: Table) -> dict[str, tuple[int, ...]]:
    return {name: values.shape for name, values in weights.items()}
