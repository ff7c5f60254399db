"""Branches in another order: layers of one shape, each doing what another of the others does."""

from collections import defaultdict
from collections.abc import Mapping, Set

import numpy as np

from parity.arrays import Array, Names, Table
from parity.ladder.climber import Climber
from parity.ladder.single import Segment, unmerged
from parity.readings.cause import Cause
from parity.readings.rounding import magnitude, worst

ORDER = "order of branches"
MOST = 6
"""Branches of one shape: each is tried as each other one."""
MOVED = 0.1
"""Added to the weights of a layer, to see which others depend on it."""


def exchanged(
    sides: tuple[Climber, Climber],
    cut: list[Segment],
    differ: Set[str],
    start: tuple[Array, Table],
    of_b: tuple[Table, Table],
    share: float,
) -> dict[str, str]:
    """Layers with weights of which A's does what another of B's does, by B's names.

    That explains layers that differ only where every one of them does what another does, given its
    weights and its inputs, and none works on what another one gives: a different function of one
    layer alone never looks so.

    Args:
        sides: A and B; their weights are as `start` says afterwards.
        cut: Both sides' layers.
        differ: Names of B's layers that give something else for the same input.
        start: The batch, and the weights of both.
        of_b: What B's layers gave and were fed, in inference.
        share: Of a layer's largest output, that rounding may make.
    """
    images, weights = start
    groups: dict[object, list[Segment]] = defaultdict(list)
    for segment in cut:
        if any(name in differ for name in segment.b):
            groups[_shapes(segment.b[0], weights)].append(segment)
    found: dict[str, str] = {}
    for shapes, group in groups.items():
        if shapes and 1 < len(group) <= MOST and _side_by_side(sides[1], group, images, weights):
            found |= _partners(sides[0], group, images, weights, of_b, share)
    for side in sides:
        side.ask("set_weights", weights)
    return found


def cause(partners: Mapping[str, str], names: Names) -> Cause:
    """What is said of them."""
    pairs = ", ".join(f"{one} does what {other}" for one, other in partners.items())
    return Cause(
        ORDER,
        0.0,
        f"branches: given the same weights and inputs, {pairs} does of {names[1]} (of {names[0]}, "
        "each): they are joined in another order; to align them, look at the order of the inputs "
        "of the layer that joins them, or exchange their functions, which gives the same numbers",
    )


def _shapes(layer: str, weights: Table) -> tuple[object, ...]:
    own = layer.partition("@")[0]
    return tuple(
        (name.partition(".")[2], values.shape)
        for name, values in weights.items()
        if name.partition(".")[0] == own
    )


def _side_by_side(b: Climber, group: list[Segment], images: Array, weights: Table) -> bool:
    """Whether no layer of B is fed something else once another's weights are others."""
    before = _fed(b, images, weights)
    for segment in group:
        own = segment.b[0] + "."
        moved = {n: w + MOVED if n.startswith(own) else w for n, w in weights.items()}
        now = _fed(b, images, {n: w.astype(weights[n].dtype) for n, w in moved.items()})
        for other in group:
            name = other.enters[1]
            if other is not segment and not np.array_equal(before[name], now[name]):
                return False
    return True


def _fed(side: Climber, images: Array, weights: Table) -> Table:
    side.ask("set_weights", weights)
    return side.ask("fed", {"images": images}, training=False)


def _partners(
    a: Climber,
    group: list[Segment],
    images: Array,
    weights: Table,
    of_b: tuple[Table, Table],
    share: float,
) -> dict[str, str]:
    """Of each layer of A, that of B whose function it has; empty where one has none."""
    given, fed = of_b
    found: dict[str, str] = {}
    size = len(group)
    for turn in range(1, size):
        partners = [(group[n], group[(n + turn) % size]) for n in range(size)]
        table = dict(weights)
        for one, other in partners:
            for name in weights:
                layer, _, part = name.partition(".")
                if layer == one.b[0].partition("@")[0]:
                    table[name] = weights[f"{other.b[0].partition('@')[0]}.{part}"]
        a.ask("set_weights", table)
        inputs = {one.enters[0]: fed[other.enters[1]] for one, other in partners}
        forced = a.ask("forced", {"images": images, **inputs}, training=False)
        for one, other in partners:
            seen, wanted = forced.get(unmerged(one.a)[-1]), given[unmerged(other.b)[-1]]
            same = seen is not None and worst(seen, wanted) <= share * magnitude(wanted)
            if same and one.b[0] not in found and other.b[0] not in found.values():
                found[one.b[0]] = other.b[0]
    return found if len(found) == size else {}
