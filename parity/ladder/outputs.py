"""Every layer's output on both sides, where their networks are not cut into the same layers."""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np

from parity.arrays import Array, Names, Table
from parity.readings import layers
from parity.readings.case import Case
from parity.readings.cause import Cause
from parity.readings.rounding import worst
from parity.readings.rows import log_softmax
from parity.sides.lockstep import LOGITS

DISTRIBUTION = 1e-5
"""How far rows of probabilities may be from summing to 1: float32's rounding."""

RECURRENT = re.compile(r"(lstm|gru|rnn|bidirectional)_")
"""How the names of such layers begin."""


def scores(outputs: Array) -> Array:
    """What a side's loss is computed from, float [B, C], of what its last layer gives.

    Probabilities become their logarithms; numbers and scores of all other kinds stay as they are.
    """
    return log_probabilities(outputs) if _distribution(outputs) else outputs


def log_probabilities(outputs: Array) -> Array:
    """Of logits, log-probabilities or probabilities [B, C], as a softmax cross-entropy sees them.

    Logits of one softmax differ by a constant a row; what they have in common is the logarithm of
    the softmax, which that of log-probabilities is too. Of one score there is no softmax.
    """
    if outputs.ndim != 2 or outputs.shape[1] == 1:
        return outputs
    tiny = np.finfo(outputs.dtype).tiny
    if _distribution(outputs):
        logs: Array = np.log(np.maximum(outputs, tiny))
    else:
        logs = np.maximum(log_softmax(outputs), np.log(tiny))
    return logs


def views(a: Array, b: Array) -> Iterator[tuple[Array, Array]]:
    """Pairs in which outputs of the same training may agree that differ by what a loss undoes.

    A softmax of both; then a sigmoid of each class by itself. What lies between 0 and 1 may be
    probabilities, or logits that happen to: only beside the other side's can it be told.
    """
    yield log_probabilities(a), log_probabilities(b)
    of_a, of_b = ((x >= 0).all() and (x <= 1).all() for x in (a, b))
    if of_a:
        yield a, _sigmoid(b)
    if of_b:
        yield _sigmoid(a), b
    if not of_a and not of_b:
        yield _sigmoid(a), _sigmoid(b)


def _sigmoid(logits: Array) -> Array:
    return np.exp(-np.logaddexp(0, -logits))


def _distribution(rows: Array) -> bool:
    """Whether every row holds probabilities."""
    total = rows.sum(axis=-1)
    return bool((rows >= 0).all() and (np.abs(total - 1) <= DISTRIBUTION).all())


def both_ways(weights: Iterable[str]) -> set[str]:
    """The recurrent layers that go in both directions, of the names of a network's weights."""
    wide = re.compile("^bidirectional|reverse|backward")
    return {name.partition(".")[0] for name in weights if wide.search(name)}


def of_one_shape(a: Table, b: Table, weights: Iterable[str]) -> tuple[Table, Table]:
    """Two forward passes in which layers give arrays of one shape where these hold the same.

    Recurrent layers of torch give all places and leave it to the program which it takes; Keras'
    give what they are told to. An axis of length 1, [B, 1] against [B], is none.
    """
    both = both_ways(weights)
    shared = [name for name in b if name in a and RECURRENT.match(name)]
    of_a, of_b = ({n: _as(x[n], y[n], n in both) for n in shared} for x, y in ((a, b), (b, a)))
    a, b = a | of_a, b | of_b
    return {n: squeezed_as(x, b[n]) if n in b else x for n, x in a.items()}, b


def squeezed_as(own: Array, other: Array) -> Array:
    """The first array in the shape of the second, where they differ by axes of length 1 only."""
    if own.shape == other.shape or np.squeeze(own).shape != np.squeeze(other).shape:
        return own
    return own.reshape(other.shape)


def _as(own: Array, other: Array, both: bool) -> Array:
    """What a layer gives, as the other side shows it: where it ends, both directions merged."""
    given = [own]
    if own.ndim == other.ndim + 1 == 3:
        half = own.shape[-1] // 2
        given = [own[:, -1]]
        given += [np.concatenate([own[:, -1, :half], own[:, 0, half:]], axis=-1)] if both else []
    merged = [way for ends in given for way in _merged(ends)] if both else []
    fit = [x for x in (*given, *merged) if x.shape == other.shape]
    return min(fit, key=lambda values: worst(values, other), default=own)


def _merged(ends: Array) -> Iterator[Array]:
    if ends.shape[-1] % 2 == 0:
        forward, backward = np.split(ends, 2, axis=-1)
        yield from (forward + backward, (forward + backward) / 2, forward * backward)


class Stage(NamedTuple):
    """A layer that both sides have, with what either has between it and the next such layer.

    Attributes:
        name: Of the layer.
        a: Names of side A's outputs from this layer on, before the next.
        b: Side B's.
    """

    name: str
    a: list[str]
    b: list[str]


def stages(a: Table, b: Table, weights: Iterable[str]) -> list[Stage]:
    """Of two forward passes, in order; layers that come in another order are left out.

    Layers without weights are numbered as they work: they are one only where they work behind the
    same layer with weights.

    Args:
        a: What A's layers give.
        b: What B's give.
        weights: Names of the network's weights.
    """
    owners = {name.partition(".")[0] for name in weights}
    behind = _behind(a, owners), _behind(b, owners)
    shared: list[str] = []
    for name in b:
        one = name in a and behind[0][name] == behind[1][name]
        if one and (not shared or list(a).index(name) > list(a).index(shared[-1])):
            shared.append(name)

    def chains(table: Table) -> Iterator[list[str]]:
        names = list(table)
        for name, following in pairwise([*shared, None]):
            end = None if following is None else names.index(following)
            yield names[names.index(name) : end]  # type: ignore[arg-type]

    return [Stage(*found) for found in zip(shared, chains(a), chains(b), strict=True)]


def _behind(table: Table, owners: set[str]) -> dict[str, str]:
    """Each layer's last one with weights before it; its own name where it has some itself."""
    found, last = {}, ""
    for name in table:
        last = name if name.partition("@")[0] in owners or name == LOGITS else last
        found[name] = last
    return found


def causes(
    weights: Table, layer: str, sides: tuple[Table, Table], training: bool, names: Names
) -> list[Cause]:
    """Explain a layer, or a layer that only one side has before it.

    Args:
        weights: Of the network, by canonical names.
        layer: The first of the layers of both sides whose outputs differ; not the first of all.
        sides: Forward passes of A and B.
        training: Whether they are in training.
        names: Of A and B.
    """
    a, b = sides
    found = stages(a, b, weights)
    place = next(number for number, stage in enumerate(found) if stage.name == layer)
    before, stage = found[place - 1], found[place]

    tries: list[tuple[str, Array, Array, Array]] = []
    ends = a[before.a[-1]], b[before.b[-1]]
    inputs = {before.b[-1]: ends[1], before.name: b[before.name]}
    if worst(*ends) > 0:  # a layer that only one side has, where the other has nothing
        x, y = a[before.name], b[before.name]
        kinds = [{_kind(name) for name in chain[1:]} for chain in (before.a, before.b)]
        tries += [(n, y, a[n], y) for n in before.a[1:] if _kind(n) not in kinds[1]]
        tries += [(n, x, x, b[n]) for n in before.b[1:] if _kind(n) not in kinds[0]]
        inputs["of A"] = ends[0]
    whole = dict.fromkeys([(stage.a[-1], stage.b[-1]), (layer, layer)])
    tries += [(layer, x, a[n], b[m]) for x, (n, m) in product(inputs.values(), whole)]
    for name in {*before.a} ^ {*before.b}:
        if name.startswith("depthwise_conv"):
            weights = _separable(weights, name, layer)
    for where, x, of_a, of_b in tries:
        given = {**weights, layers.INPUT: x}
        named = layers.explain(Case(names, given, {where: of_a}, {where: of_b}, where, training))
        if named:
            return named
    return []


def _separable(weights: Table, first: str, layer: str) -> Table:
    """The weights with one kernel for a depthwise convolution and the pointwise one behind it."""
    deep, kernel = weights.get(f"{first}.kernel"), weights.get(f"{layer}.kernel")
    if deep is None or kernel is None or kernel.size % (deep.shape[-2] * deep.shape[-1]):
        return weights
    split = kernel.reshape(*deep.shape[-2:], -1)
    return {**weights, f"{layer}.kernel": np.einsum("...im,imo->...io", deep, split)}


def _kind(layer: str) -> str:
    return re.sub(r"_\d.*", "", layer)
