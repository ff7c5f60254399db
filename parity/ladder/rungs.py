"""The rungs as pure functions: from what both sides gave to a `Rung`, with its causes if broken."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from parity.ladder.difference import difference, differences, magnitude
from parity.ladder.rung import Rung
from parity.ladder.tolerance import Tolerance
from parity.readings import batches as batch_causes
from parity.readings import gradients as gradient_causes
from parity.readings import last_batch as last_causes
from parity.readings import layers as layer_causes
from parity.readings import loss as loss_causes
from parity.readings import moving as moving_causes
from parity.readings import optimizer as optimizer_causes
from parity.readings import pixels as pixel_causes
from parity.readings import weights as weight_causes
from parity.readings.cause import Cause
from parity.readings.trace import Trace
from parity.sides.lockstep import DIGITS, PIXELS, Array, Table

Names = tuple[str, str]


@dataclass(frozen=True)
class Start:
    """What both sides start from.

    Attributes:
        names: Of side A and of side B.
        weights: What both were given.
        tolerance: Of these weights' network.
        images: The first batch, raw.
        labels: Its labels, int [B].
    """

    names: Names
    weights: Table
    tolerance: Tolerance
    images: Array
    labels: Array


def raw(a: Table, b: Table) -> Rung:
    """The arrays of the file, as either side reads them."""
    limits = dict.fromkeys(DIGITS, 0.0)
    return Rung("raw arrays", "as either side reads the file", differences(a, b, limits), "copies")


def initial_weights(start: Start, a: Table, b: Table) -> Rung:
    """What either side holds once it has been given `start.weights`."""
    limits = dict.fromkeys([*start.weights, *a, *b], 0.0)
    what = "as either side holds them, having been given the same"
    rung = Rung("initial weights", what, differences(a, b, limits), "copies")
    return _because(rung, lambda: weight_causes.explain(start.weights, a, b, start.names))


def pixels(start: Start, a: Table, b: Table) -> Rung:
    """What the networks are fed, of the forward passes `a` and `b`."""
    share, reason = start.tolerance.pixels
    found = differences(a, b, {PIXELS: share * magnitude(b[PIXELS])})
    rung = Rung("pixels", "what the networks are fed, first batch", found, reason)
    return _because(
        rung, lambda: pixel_causes.explain(start.images, a[PIXELS], b[PIXELS], start.names)
    )


def logits(start: Start, inference: Sequence[Table], training: Sequence[Table]) -> Rung:
    """Every layer's output, in inference and in training; either holds A's and B's pass."""
    share, reason = start.tolerance.sums
    passes = {"inference": inference, "training": training}
    found = []
    for mode, (a, b) in passes.items():
        limits = {name: share * magnitude(b[name]) for name in a if name in b and name != PIXELS}
        found += [replace(d, tensor=f"{d.tensor}, {mode}") for d in differences(a, b, limits)]
    what = "every layer's output, first batch"
    rung = Rung("logits", what, tuple(found), reason, ordered=True)
    layer, _, mode = rung.worst.tensor.partition(", ")
    return _because(rung, lambda: _layer_causes(start, layer, mode == "training", *passes[mode]))


def loss(start: Start, logits_: Array, a: float, b: float) -> Rung:
    """The training loss of the first batch, whose logits float [B, C] both sides agree on."""
    share, reason = start.tolerance.sums
    found = difference("loss", np.array(a), np.array(b), share * max(1.0, abs(b)))
    rung = Rung("loss", "of the first batch, in training", (found,), reason)
    return _because(rung, lambda: loss_causes.explain(logits_, start.labels, a, b, start.names))


def gradients(start: Start, a: Table, b: Table) -> Rung:
    """The gradients of that loss; limits are relative to the largest of all, since some are 0."""
    share, reason = start.tolerance.sums
    limits = dict.fromkeys([*a, *b], share * magnitude(*b.values()))
    rung = Rung("gradients", "of that loss, for each weight", differences(a, b, limits), reason)
    return _because(
        rung,
        lambda: gradient_causes.explain(start.weights, a, b, len(start.labels), start.names),
    )


@dataclass(frozen=True)
class Stretch:
    """What has been seen of some optimiser steps.

    Attributes:
        label: "1 step", "10 steps", ...
        weights: Of A and of B, at the end.
        echo: Of B's echo, where there is one.
        traces: The first steps in detail.
        outputs: What each layer of B gave in training for the first batch.
        losses: Before each step, float [K], of A and of B.
        batch_sizes: Images of each step, int [K].
        before_last: Weights of A and of B before the epoch's last step, where this is the epoch.
    """

    label: str
    weights: tuple[Table, Table]
    echo: Table | None
    traces: tuple[Trace, Trace]
    outputs: Table
    losses: tuple[Array, Array]
    batch_sizes: Array
    before_last: tuple[Table, Table] | None


def steps(start: Start, stretch: Stretch) -> Rung:
    """The weights after some optimiser steps on the same batches."""
    a, b = stretch.weights
    limit, reason = start.tolerance.steps
    note = ""
    if stretch.echo is not None:
        own = differences(stretch.echo, b, dict.fromkeys(b, 0.0))
        drift = max(tensor.absolute for tensor in own)
        limit, reason = start.tolerance.echo(drift)
        note = f"one ulp in the initial weights of {start.names[1]} alone has grown to {drift:.1e}"
    found = differences(a, b, dict.fromkeys([*a, *b], limit))
    rung = Rung(stretch.label, "weights and moving statistics", found, reason, note=note)

    def causes() -> list[Cause]:
        learned = stretch.traces[0].gradients[0]
        named: list[Cause] = []
        if any(tensor.tensor in learned and not tensor.passed for tensor in found):
            size = len(start.labels)
            named += optimizer_causes.explain(*stretch.traces, start.names, batch_size=size)
        named += moving_causes.explain(stretch.outputs, *stretch.traces, start.names)
        known = [cause for cause in named if cause.name != optimizer_causes.UNEXPLAINED]
        return known or _batch_causes(start, stretch) or named

    return _because(rung, causes)


def metrics(start: Start, labels: Array, a: Array, b: Array, echo: Array | None = None) -> Rung:
    """What the trained networks say of the test images: logits float [N, C] of either side."""
    limit, reason = start.tolerance.steps
    if echo is not None:
        limit, reason = start.tolerance.echo(float(np.abs(echo - b).max()))
    else:
        limit *= start.tolerance.terms
        reason = f"that of the weights, over {start.tolerance.terms:,} inputs"
    found = [difference("test logits", a, b, limit)]
    right = [(side.argmax(axis=1) == labels) for side in (a, b)]
    changed = int((a.argmax(axis=1) != b.argmax(axis=1)).sum())
    note = (
        f"accuracy {right[0].mean():.2%} and {right[1].mean():.2%}, "
        f"{changed:,} of {len(labels):,} predictions differ"
    )
    return Rung("test images", "logits of the trained networks", tuple(found), reason, note=note)


def _because(rung: Rung, causes: Callable[[], list[Cause]]) -> Rung:
    """The rung, with its causes where it is broken."""
    return rung if rung.passed else replace(rung, causes=tuple(causes()))


def _batch_causes(start: Start, stretch: Stretch) -> list[Cause]:
    """What the sides did with the batches that they were given."""
    sizes = stretch.batch_sizes
    named: list[Cause] = []
    if stretch.before_last:
        last = int(sizes[-1])
        named = last_causes.explain(stretch.before_last, stretch.weights, last, start.names)
    return named or batch_causes.explain(*stretch.losses, sizes, start.names)


def _layer_causes(start: Start, layer: str, training: bool, a: Table, b: Table) -> list[Cause]:
    """Explain a layer, or, where one side has a layer more before it, that layer."""
    shared = [name for name in b if name in a]
    before = shared[shared.index(layer) - 1]
    for side, (table, other) in enumerate(((a, b), (b, a))):
        names = list(table)
        extra = names[names.index(before) + 1 : names.index(layer)]
        for name in extra:
            pair = (table[name], other[before])  # what the other side has in its place: nothing
            outputs = pair if side == 0 else pair[::-1]
            causes = layer_causes.explain(
                name, other[before], *outputs, start.weights, training, start.names
            )
            if causes:
                return causes
    return layer_causes.explain(
        layer, b[before], a[layer], b[layer], start.weights, training, start.names
    )
