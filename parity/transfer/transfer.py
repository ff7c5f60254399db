"""Finds which layer is which, carries the weights over and proves that both answer alike."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from parity.arrays import Array, Table
from parity.errors import ParityError
from parity.ladder import recut
from parity.ladder.climber import Climber
from parity.match.by_data import ANSWER, search, unlike
from parity.match.layer import Layer, layers_of, layers_of_both
from parity.match.pairs import NEUTRAL, Pair, in_order, without_partner
from parity.transfer.alike import TOLERANCE, alike, gap
from parity.transfer.parting import parting

BATCH = 8
WORDS = 10
"""Below this are made up words of which a model looks up vectors: most know more."""


class NoTransferError(ParityError):
    """The weights of the one do not fit the other; the message names the layer."""


class DifferentError(ParityError):
    """All weights fit, and the models answer otherwise; the message says from which layer on."""


@dataclass(frozen=True)
class Transfer:
    """What was carried over.

    Attributes:
        pairs: Layers of A and of B.
        gap: Largest difference between two answers, relative to the largest.
        samples: That both have answered.
        called: What the programs of A and B call their layers.
        notes: What else is to be said.
    """

    pairs: list[Pair]
    gap: float
    samples: int
    called: tuple[dict[str, str], dict[str, str]]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Side:
    """A model in its process.

    Attributes:
        name: What messages call it.
        framework: ``keras`` or ``torch``.
        remote: Asks its process.
        takes: Shape and type of a sample: Keras says it, of torch it has been tried.
    """

    name: str
    framework: str
    remote: Climber
    takes: tuple[tuple[int, ...], str] | None

    def ways(self, x: Array) -> list[str]:
        """How it can be given a batch.

        Raises:
            NoTransferError: in no way.
        """
        answer = self.remote.ask("feed", {"x": x})
        found: list[str] = json.loads(str(answer["ways"]))
        if not found:
            raise NoTransferError(
                f"{self.name} takes no batch of shape {list(x.shape)} ({answer['why']}); say with "
                "--input what a sample is, as in --input 28,28,1, or give samples with --data "
                "FILE.npy"
            )
        return found

    def called(self) -> dict[str, str]:
        """What its program calls each layer."""
        found: dict[str, str] = json.loads(str(self.remote.ask("names")["names"]))
        return found


def transfer(a: Side, b: Side, target: Path, x: Array | None = None) -> Transfer:
    """Write B with the weights of A.

    Args:
        a: Whose weights are taken.
        b: Whose layers they are put into.
        target: The file to write.
        x: Samples for both, [N, ...]; made up where there are none.

    Raises:
        NoTransferError: a layer has no partner, or it is not clear which.
        DifferentError: B answers otherwise.
    """
    batch = samples(a, b) if x is None else x
    ways = [side.ways(batch) for side in (a, b)]
    first: NoTransferError | DifferentError | None = None
    torch_only = {a.framework, b.framework} == {"torch"}
    last = np.moveaxis(batch, 1, -1) if torch_only and batch.ndim == 4 else batch
    for way_a in ways[0]:
        for way_b in ways[1]:
            try:
                done = _carried(a, b, (way_a, way_b), target, last)
            except (NoTransferError, DifferentError) as error:
                first = first or error
                continue
            said = [f"{s.name} is fed {w}" for s, w in ((a, way_a), (b, way_b)) if w != "as it is"]
            return replace(done, samples=len(batch), notes=(*done.notes, *said))
    assert first is not None
    raise first


def samples(a: Side, b: Side) -> Array:
    """Samples as the sides say that they take them; Keras knows, torch has been tried.

    Raises:
        NoTransferError: neither says it.
    """
    sides = sorted((a, b), key=lambda side: side.framework != "keras")
    known = [side.takes for side in sides if side.takes is not None]
    if not known:
        names = " and ".join(sorted({a.name, b.name}))
        raise NoTransferError(
            f"what {names} takes is not known; say it with --input, as in --input 28,28,1"
        )
    shape, dtype = known[0]
    rng = np.random.default_rng(0)
    if dtype == "int64":
        return rng.integers(0, WORDS, (BATCH, *shape))
    return rng.normal(0.0, 1.0, (BATCH, *shape)).astype(np.float32)


def _carried(a: Side, b: Side, ways: tuple[str, str], target: Path, x: Array) -> Transfer:
    own, theirs = (s.remote.ask("take", way=way) for s, way in zip((a, b), ways, strict=True))
    a = replace(a, remote=recut.attention(a.remote, own, theirs))
    own = a.remote.ask("take", way=ways[0])
    called = a.called(), b.called()
    numbers(own, called[0], a.name)
    random = unlike(*layers_of_both(own, theirs), own)
    seen = a.remote.ask("answer", random)

    def ask(weights: Table) -> Table:
        return b.remote.ask("answer", weights)

    found = search(own, theirs, random, seen, ask, alike)
    if found is None:
        raise _refusal(a, b, (own, theirs), random, seen, called, x)
    idle = [layer.described(called[1]) for layer in without_weights(found, theirs)]
    given: Table = {}
    for pair in found:
        given |= pair.given(own)
    answers = a.remote.ask("answer", {})[ANSWER], b.remote.ask("answer", given)[ANSWER]
    apart, note = gap(*answers)
    if not apart <= TOLERANCE:
        raise DifferentError(
            f"{b.name} answers otherwise than {a.name} with the same weights: by {apart:.1e} of "
            f"the largest answer; expected at most {TOLERANCE:.0e}, and so nothing was written"
        )
    written = b.remote.ask("write", given, path=str(target))[ANSWER]
    apart, note = gap(answers[0], written)
    if not apart <= TOLERANCE:
        raise DifferentError(f"{target}: read again, it answers otherwise, by {apart:.1e}")
    kept = (
        f"{', '.join(idle)} of B plays no part in its answers, and stays as it was" if idle else ""
    )
    notes = tuple(said for said in (note, kept) if said)
    return Transfer(found, apart, len(written), called, notes)


def numbers(weights: Table, called: Mapping[str, str], name: str) -> None:
    """Refuse weights that are not numbers: nothing can be proven of them."""
    for tensor, values in weights.items():
        layer, _, part = tensor.partition(".")
        weighs = part in NEUTRAL or part.endswith("kernel")  # a mask may hold infinity
        if np.isnan(values).any() or (weighs and np.isinf(values).any()):
            what = "NaN" if np.isnan(values).any() else "infinity"
            raise NoTransferError(f"{called.get(layer) or layer} of {name} ({tensor}) holds {what}")


def without_weights(found: list[Pair], theirs: Table) -> list[Layer]:
    """Layers of B that have got nothing."""
    fed = {tie.target for pair in found for tie in pair.ties}
    return [layer for layer in layers_of(theirs) if not set(layer.parts.values()) & fed]


def _refusal(
    a: Side,
    b: Side,
    weights: tuple[Table, Table],
    random: Table,
    seen: Table,
    called: tuple[Mapping[str, str], Mapping[str, str]],
    x: Array,
) -> NoTransferError | DifferentError:
    """Why no match was found: a layer without a partner, or one that computes otherwise."""
    layers = layers_of_both(weights[0], weights[1])
    straight = in_order(*layers, weights[0])
    if straight is None:
        return unfit(a.name, b.name, layers, weights[0], called)
    given: Table = {}
    for pair in straight:
        given |= pair.given(random)
    answers = b.remote.ask("answer", given)
    return DifferentError(
        f"matched by order, kind and shape, {b.name} answers otherwise than {a.name}, and so "
        f"nothing was written: {parting(straight, random, x, seen, answers, called)}"
    )


def unfit(
    a: str,
    b: str,
    layers: tuple[list[Layer], list[Layer]],
    weights: Table,
    called: tuple[Mapping[str, str], Mapping[str, str]],
) -> NoTransferError:
    """Why layers do not fit each other."""
    lonely = without_partner(*layers, weights)
    for side, (name, other) in enumerate(((a, b), (b, a))):
        if lonely[side]:
            fits = ", ".join(layer.described(called[1 - side]) for layer in layers[1 - side])
            return NoTransferError(
                f"{lonely[side][0].described(called[side])} of {name} fits no layer of {other}, "
                f"which has {fits}"
            )
    both = " and ".join(
        f"{', '.join(known.get(layer.name) or layer.name for layer in those)} of {name}"
        for those, known, name in zip(layers, called, (a, b), strict=True)
    )
    if len(layers[0]) != len(layers[1]):
        return NoTransferError(f"{len(layers[0])} layers for {len(layers[1])}: {both}")
    return NoTransferError(
        f"which layer is which is not clear; tried were order, kind, shape and outputs: {both}"
    )
