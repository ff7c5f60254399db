"""The rungs after optimiser steps, as pure functions: the weights, and what they say of images."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from parity.arrays import Array, Table
from parity.ladder import outputs
from parity.ladder.difference import difference, differences
from parity.ladder.rung import Rung
from parity.ladder.rungs import Start
from parity.readings import batches, moving, weights
from parity.readings.case import Case
from parity.readings.cause import UNEXPLAINED, Cause
from parity.readings.losses import classes_of
from parity.readings.trace import Trace


@dataclass(frozen=True)
class Stretch:
    """What has been seen of some optimiser steps.

    Attributes:
        label: "1 step", "10 steps", ...
        weights: Of A and of B, at the end.
        echo: Of B's echo, where there is one.
        traces: The first steps in detail.
        optimizers: How their optimisers differ, asked for once a climb: it takes long.
        outputs: What each layer of A and of B gave in training for the first batch.
        losses: Before each step, float [K], of A and of B.
        batch_sizes: Images of each step, int [K].
        before_last: Weights of A and of B before the epoch's last step, where this is the epoch.
    """

    label: str
    weights: tuple[Table, Table]
    echo: Table | None
    traces: tuple[Trace, Trace]
    optimizers: Callable[[], list[Cause]]
    outputs: tuple[Table, Table]
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
    return rung if rung.passed else rung.because(_step_causes(start, stretch, rung))


def _step_causes(start: Start, stretch: Stretch, rung: Rung) -> list[Cause]:
    """What the optimisers do otherwise, or batch norm, or what was fed.

    Batches are blamed only for steps that nothing else can explain: those after the steps that are
    known in detail, or steps whose loss is not that of the batch that was given. Where each side
    has that batch's loss and these differ, that has been seen before: networks, losses, weights.
    """
    a, b = (trace.after[0] for trace in stretch.traces)
    named = weights.rounded(Case(start.names, start.weights, a, b))
    if named:
        return named
    learned = stretch.traces[0].gradients[0]
    if any(tensor.tensor in learned and not tensor.passed for tensor in rung.tensors):
        named += stretch.optimizers()
    named += moving.explain(Case(start.names, start.weights, a, b), stretch.outputs)
    known = [cause for cause in named if cause.name != UNEXPLAINED]
    if known or (named and not _fed_otherwise(stretch)):
        return known or named
    case = _fed(start, stretch)
    if _parted_before(stretch, rung.worst.limit) and not _fed_otherwise(stretch):
        return named or batches.without_last_step(case)
    return batches.explain(case) or named


def _fed(start: Start, stretch: Stretch) -> Case:
    """What tells of the batches that the sides were fed."""
    sides: list[Table] = [{batches.LOSSES: losses} for losses in stretch.losses]
    if stretch.before_last:
        for side, was, now in zip(sides, stretch.before_last, stretch.weights, strict=True):
            side[batches.WEIGHTS] = np.concatenate([now[name].ravel() for name in now])
            side[batches.LAST_STEP] = np.concatenate([(now[n] - was[n]).ravel() for n in now])
    return Case(start.names, {batches.SIZES: stretch.batch_sizes}, sides[0], sides[1])


def _fed_otherwise(stretch: Stretch) -> bool:
    """Whether a side's step has not the loss of the batch that it was given."""
    for trace, losses in zip(stretch.traces, stretch.losses, strict=True):
        told = np.array(trace.losses[: len(losses)])
        if not np.allclose(
            told, losses[: len(told)], rtol=np.sqrt(np.finfo(np.float32).eps), atol=0
        ):
            return True
    return False


def _parted_before(stretch: Stretch, limit: float) -> bool:
    """Whether the losses of one batch differ, and what comes before its step is why.

    On the first batch the rungs before have said it; later, weights that differed already.
    """
    a, b = stretch.traces
    kind, steps = stretch.losses[0].dtype, len(stretch.batch_sizes)
    first = batches.first_apart(*(np.array(side.losses[:steps], kind) for side in (a, b)))
    if not first:
        return first == 0
    before = a.before[first], b.before[first]
    found = differences(*before, dict.fromkeys(before[1], limit))
    return not all(tensor.passed for tensor in found)


def metrics(start: Start, labels: Array, a: Array, b: Array, echo: Array | None = None) -> Rung:
    """What the trained networks say of the test images.

    Args:
        start: What both sides start from.
        labels: Of the test images, [N, ...].
        a: Logits of A, float [N, C] or of another shape.
        b: Those of B.
        echo: Those of B's echo, where there is one.
    """
    limit, reason = start.tolerance.steps
    if echo is not None:
        limit, reason = start.tolerance.echo(float(np.abs(echo - b).max()))
    else:
        limit *= start.tolerance.terms
        reason = f"that of the weights, over {start.tolerance.terms:,} inputs"
    found = difference("test logits", a, b, limit)
    for pair in outputs.views(a, b) if not found.passed else ():
        as_probabilities = difference("test probabilities", *pair, limit)
        found = as_probabilities if as_probabilities.passed else found
    note = _accuracies(labels, a, b)
    return Rung("test images", "logits of the trained networks", (found,), reason, note=note)


def _accuracies(labels: Array, a: Array, b: Array) -> str:
    """What follows for the answers, where they are classes; empty elsewhere."""
    rows = labels.reshape(len(labels), -1)
    one_hot = a.shape == rows.shape and bool((rows.sum(axis=1) == 1).all())
    if a.ndim != 2 or a.shape[1] < 2 or not (one_hot or rows.shape[1] == 1):
        return ""
    right = [(side.argmax(axis=1) == classes_of(labels)) for side in (a, b)]
    changed = int((a.argmax(axis=1) != b.argmax(axis=1)).sum())
    return (
        f"accuracy {right[0].mean():.2%} and {right[1].mean():.2%}, "
        f"{changed:,} of {len(labels):,} predictions differ"
    )
