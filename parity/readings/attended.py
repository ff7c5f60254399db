"""What a layer is fed where a program writes attention itself (NumPy)."""

from collections.abc import Callable, Iterator
from itertools import permutations
from math import prod

import numpy as np

from parity.arrays import Array, Floats, Table
from parity.readings.attention import Habit, attention, habits
from parity.readings.path import Path

MOST = 2**15
"""Numbers of which attention is looked for: hundreds of ways are tried."""
NEAREST = 4
"""Outputs of which three are chosen."""


def attended(whole: tuple[int, ...], known: list[Path], given: Table) -> Iterator[Path]:
    """Attention of three outputs, or of the thirds of one; several heads lie side by side.

    `whole` is the shape of what it gives, [B, T, D].
    """
    if len(whole) != 3 or prod(whole) > MOST:
        return
    shapes = [(path, path.of(given).shape) for path in known]
    tokens = next((path for path, shape in shapes if shape == whole[:2]), None)
    blanks = tokens is not None and bool((tokens.of(given) == 0).any())
    near = [path for path, shape in shapes if shape == whole][:NEAREST]
    wide = (*whole[:2], 3 * whole[2])
    fused = [_thirds(path) for path, shape in shapes if shape == wide][:1]
    for parts in [*fused, *permutations(near[::-1], 3)]:
        names = ", ".join(path.words for path in parts)
        for words, habit in habits(*whole[1:], blanks=blanks):
            yield Path(f"attention of {names}, {words}", _of(parts, habit, tokens))


def _of(parts: tuple[Path, ...], habit: Habit, tokens: Path | None) -> Callable[[Table], Floats]:
    def of(table: Table) -> Floats:
        q, k, v = (part.of(table) for part in parts)
        blank: Array | None = None if tokens is None else tokens.of(table) == 0
        return attention(q, k, v, habit, blank)

    return of


def _thirds(path: Path) -> tuple[Path, ...]:
    """Queries, keys and values that one layer gives side by side."""
    return tuple(
        Path(
            f"the {words} third of {path.words}",
            lambda table, n=n: np.split(path.of(table), 3, axis=-1)[n],  # type: ignore[misc]
        )
        for n, words in enumerate(("first", "second", "last"))
    )
