"""What a layer is fed, as it follows from what other layers give: found by trying (NumPy)."""

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations

import numpy as np

from parity.arrays import Array, Floats, Table
from parity.readings.activations import FIXED
from parity.readings.attended import attended
from parity.readings.path import Path, makes
from parity.readings.rounding import magnitude, noise, worst

FEWEST = 8
"""Numbers for each figure that is solved from them: so many cannot fit by chance."""
SMALLEST = 1e-6
"""Figure in a sum, and share of it that may be left: float32's rounding."""
MOST_SUMMED, MOST_LOOKED_AT, MOST_PAIRED, NEAREST = 6, 4096, 24, 4
"""Outputs in one sum; numbers of which a sum is solved; outputs of which all pairs are tried; those
of which functions and products are."""


def path_to(fed: Array, known: list[Path], given: Table) -> Path | None:
    """The first of the ways that makes what was fed, [B, ...], of `known`; None where none does."""
    x = np.asarray(fed, np.float64)
    if x.ndim < 2 or not x.size or not np.isfinite(x).all():
        return None
    allowed = noise(fed)
    for path in known[::-1]:
        if makes(path, given, x, allowed):
            return path
    known = [path for path in known if np.isfinite(values := path.of(given)).all() and values.ndim]
    finders: tuple[Callable[..., Iterator[Path]], ...] = (
        _of_places, _times, _joined, _sum, _sum_of_places, _function, _product, _moved,
        _attention,
    )  # fmt: skip
    for find in finders:
        for path in find(x, known[::-1], given):
            if makes(path, given, x, allowed):
                return path
    return None


def _whole(x: Floats) -> tuple[int, ...]:
    """The axes of places.

    Raises:
        ValueError: there are none.
    """
    if x.ndim < 3:
        raise ValueError("no places")
    return tuple(range(1, x.ndim - 1))


def _ends(x: Floats) -> Floats:
    """Of outputs [B, T, 2 * units] of a layer that goes both ways."""
    _whole(x)
    half = x.shape[-1] // 2
    ends: Floats = np.concatenate([x[:, -1, ..., :half], x[:, 0, ..., half:]], axis=-1)
    return ends


def _halves(x: Floats) -> Floats:
    """Of outputs [B, 2 * units]: of either direction, [2, B, units]."""
    return np.stack(np.split(x, 2, axis=-1)) if x.shape[-1] % 2 == 0 else x[None]


ADDED = " + what is the same for all samples"
BOTH_ENDS = "what both directions end with of"
PLACES: Mapping[str, Callable[[Floats], Floats]] = {
    "the last place of": lambda x: x[:, -1],
    "the first place of": lambda x: x.reshape(len(x), -1, x.shape[-1])[:, 0] if _whole(x) else x,
    BOTH_ENDS: _ends,
    "what both directions end with, backwards first, of": lambda x: np.roll(
        _ends(x), x.shape[-1] // 2, axis=-1
    ),
    "the sum of what both directions end with of": lambda x: _halves(_ends(x)).sum(axis=0),
    "the mean of what both directions end with of": lambda x: _halves(_ends(x)).mean(axis=0),
    "the product of what both directions end with of": lambda x: _halves(_ends(x)).prod(axis=0),
    "the mean over the places of": lambda x: x.mean(axis=_whole(x)),
    "the largest over the places of": lambda x: x.max(axis=_whole(x)),
    "the sum over the places of": lambda x: x.sum(axis=_whole(x)),
    "the places in reverse of": lambda x: np.flip(x, _whole(x)[:1]),
    "the transpose of": lambda x: x.swapaxes(_whole(x)[0], 2),
}
"""What becomes of outputs [B, ..., C]."""
LINEAR = ("the mean over the places of", "the last place of", "the first place of")
"""Of which that of a sum is the sum of those of its terms."""


def _of_places(x: Floats, known: list[Path], given: Table) -> Iterator[Path]:
    for path in known:
        if path.of(given).ndim > 2:
            for words, function in PLACES.items():
                ends = words == (BOTH_ENDS if path.both else "the last place of")
                yield Path(f"{words} {path.words}", _taken(path, function, ends))


def _taken(path: Path, function: Callable[[Floats], Floats], ends: bool) -> Callable[..., Floats]:
    """Of outputs; a recurrent layer of the other side may give what it ends with already."""

    def of(given: Table) -> Floats:
        values = path.of(given)
        return values if ends and values.ndim == 2 else function(values)

    return of


def _times(x: Floats, known: list[Path], given: Table) -> Iterator[Path]:
    """A multiple of one output."""
    for path in known:
        values = path.of(given)
        if values.shape == x.shape and x.size >= FEWEST and values.any():
            yield _weighted([(float((values * x).sum() / (values**2).sum()), path)])


def _weighted(terms: list[tuple[float, Path]]) -> Path:
    """A sum of multiples; figures of six digits, which 1 and -1 are to rounding."""
    rounded = [(round(f) if abs(f - round(f)) < 1e-9 else f, path) for f, path in terms]
    words = ""
    for figure, path in rounded:
        sign = (" - " if figure < 0 else " + ") if words else ("-" if figure < 0 else "")
        amount = "" if abs(figure) == 1 else f"{abs(figure):.6g} * "
        words += f"{sign}{amount}{path.words}"

    def of(table: Table) -> Floats:
        total: Floats = np.asarray(sum(figure * path.of(table) for figure, path in rounded))
        return total

    return Path(words, of)


def _joined(x: Floats, known: list[Path], given: Table) -> Iterator[Path]:
    """Several outputs side by side, or what is made of their places."""
    parts: list[Path] = []
    known = [*known, *(_of_places(x, known, given) if x.ndim == 2 else ())]
    place = 0
    while place < x.shape[-1]:
        for path in known:
            values = path.of(given)
            width = values.shape[-1]
            here = x[..., place : place + width]
            if values.shape == here.shape and worst(values, here) <= noise(x):
                parts.append(path)
                place += width
                break
        else:
            return
    words = ", ".join(path.words for path in parts)
    yield Path(
        f"[{words}] side by side",
        lambda table: np.concatenate([path.of(table) for path in parts], axis=-1),
    )


def _sum(x: Floats, known: list[Path], given: Table) -> Iterator[Path]:
    """A sum of two outputs or more, by least squares from at least twice as many numbers."""
    terms: list[tuple[Path, Floats]] = []
    for path in known:
        values = path.of(given)
        if values.shape == x.shape[1:] != x.shape[:1]:  # of places alone, the same for all samples
            values = np.broadcast_to(values, x.shape)
        if values.shape == x.shape and not any(worst(values, v) == 0 for _, v in terms):
            terms.append((path, values))
    step = max(1, x.size // MOST_LOOKED_AT)
    seen = x.ravel()[::step]
    columns = [values.ravel()[::step] for _, values in terms]
    pairs = combinations(range(len(terms)), 2) if len(terms) <= MOST_PAIRED else ()
    for chosen in [*pairs, range(len(terms))]:
        if not 1 < len(chosen) <= len(seen) / 2:
            continue
        table = np.stack([columns[place] for place in chosen], axis=1)
        figures, _, rank, _ = np.linalg.lstsq(table, seen, rcond=1e-12)
        taken = [
            (float(figure), terms[place][0])
            for figure, place in zip(figures, chosen, strict=True)
            if abs(figure) > SMALLEST
        ]
        left = worst(table @ figures, seen)
        enough = rank == len(chosen) and 1 < len(taken) <= MOST_SUMMED
        if enough and left <= SMALLEST * magnitude(seen):
            yield _weighted(taken[::-1])


def _sum_of_places(x: Floats, known: list[Path], given: Table) -> Iterator[Path]:
    """A sum of outputs, of which one place is taken or all are pooled."""
    deep = [path for path in known if path.of(given).ndim > 2]
    for words in LINEAR:
        taken = [Path(f"{words} {p.words}", _taken(p, PLACES[words], ends=False)) for p in deep]
        yield from _sum(x, taken, given)


def _attention(x: Floats, known: list[Path], given: Table) -> Iterator[Path]:
    """Attention that a program writes itself, or what is made of its places."""
    if x.ndim > 2:
        yield from attended(x.shape, known, given)
        return
    count, units = x.shape
    shapes = [shape for path in known if len(shape := path.of(given).shape) == 3]
    ways = [s[1] for s in shapes if s[0] == count and s[2] in (units, 3 * units)]
    for places in dict.fromkeys(ways):
        for path in attended((count, places, units), known, given):
            values = path.of(given)
            for words in LINEAR:
                if worst(PLACES[words](values), x) <= noise(x, values):
                    yield Path(f"{words} {path.words}", _taken(path, PLACES[words], ends=False))


def _function(x: Floats, known: list[Path], given: Table) -> Iterator[Path]:
    """A function of one output that is no layer."""
    for path in known[:NEAREST]:
        if path.of(given).shape == x.shape:
            for name, function in FIXED.items():
                yield Path(
                    f"{name.partition(',')[0]}({path.words})",
                    lambda table, p=path, f=function: f(p.of(table)),  # type: ignore[misc]
                )


def _product(x: Floats, known: list[Path], given: Table) -> Iterator[Path]:
    """Two outputs, one times the other."""
    for one, two in combinations(known[:NEAREST], 2):
        if one.of(given).shape == two.of(given).shape == x.shape:
            yield Path(
                f"{two.words} * {one.words}",
                lambda table, p=one, q=two: p.of(table) * q.of(table),  # type: ignore[misc]
            )


def _moved(x: Floats, known: list[Path], given: Table) -> Iterator[Path]:
    """A multiple of one output, and the same for every sample: positions, an offset."""
    for path in known[:NEAREST]:
        values = path.of(given)
        if values.shape != x.shape or len(x) < FEWEST // 2:
            continue
        off, seen = values - values.mean(axis=0), x - x.mean(axis=0)
        if not off.any():
            continue
        factor = float((off * seen).sum() / (off**2).sum())
        added = (x - factor * values).mean(axis=0)
        scaled = _weighted([(factor, path)])
        shown = ", ".join(f"{value:.6g}" for value in _telling(added))
        words = f"{scaled.words}{ADDED} ({shown}, ...)"
        yield Path(words, lambda table, p=scaled, c=added: p.of(table) + c)  # type: ignore[misc]


def _telling(added: Floats) -> Floats:
    """A few numbers of what is added: of its second place, since positions begin with 0 and 1."""
    rows: Floats = added.reshape(-1, added.shape[-1])
    return rows[min(1, len(rows) - 1), :4]
