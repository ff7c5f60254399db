"""Steps of an embedding whose tokens come twice in a batch: not every side adds up first."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from parity.arrays import Array, Names, Table
from parity.readings.cause import UNEXPLAINED, Cause
from parity.readings.optimizer.explain import explain as of_all
from parity.readings.optimizer.fit import explains
from parity.readings.optimizer.record import flat
from parity.readings.optimizer.search import identify
from parity.readings.trace import Trace

REPEATED = "repeated tokens"
Rows = dict[str, NDArray[np.bool_]]
ANY = np.ones(1, bool)


def explain(a: Trace, b: Trace, names: Names, batch_size: int | None = None) -> list[Cause]:
    """As `parity.readings.optimizer.explain`, of rows whose token never comes twice in a batch.

    What is left out is then held against the rule of all else: where one side keeps to it and the
    other does not, that is a cause of its own. Rows of tokens that come once have to be among that.
    """
    rows = _once(a, b)
    if not rows:
        return of_all(a, b, names, batch_size)
    clear: tuple[Trace, Trace] = _kept(a, rows), _kept(b, rows)
    causes = of_all(*clear, names, batch_size)
    if any(cause.name == UNEXPLAINED for cause in causes):
        return causes
    seen = any(step[name].any() for name in rows for step in clear[1].gradients if name in step)
    keeps = []
    for part, whole in zip(clear, (a, b), strict=True):
        rules = identify(flat(part)).rules
        keeps.append(bool(rules) and explains(rules[0], flat(whole)))
    if not seen or keeps[0] == keeps[1]:
        return causes
    odd, other = names if keeps[1] else names[::-1]
    text = (
        f"repeated tokens: {odd} moves the rows of {', '.join(rows)} whose token comes more than "
        f"once in a batch otherwise than its rule, which all else follows, and {other} does not: "
        "on TensorFlow an embedding's gradient is squared token by token before what belongs to "
        "one row is added up; no flag aligns it, SGD has no squares"
    )
    return [*causes, Cause(REPEATED, 0.0, text)]


def _once(a: Trace, b: Trace) -> Rows:
    """Of each embedding, which rows belong to no token that comes twice in one of the batches.

    Only where the rows that have gradients are those of the tokens, on both sides.
    """
    found: Rows = {}
    for name in a.gradients[0]:
        if not name.startswith("embedding") or len(a.images) < len(a.gradients):
            continue
        size = len(a.gradients[0][name])
        once = np.ones(size, bool)
        for step, images in enumerate(a.images[: len(a.gradients)]):
            tokens = _tokens(images, size)
            moved = [np.abs(t.gradients[step][name]).sum(axis=1) > 0 for t in (a, b)]
            if tokens is None or any((rows & (tokens == 0)).any() for rows in moved):
                break
            once &= tokens < 2
        else:
            if not once.all():
                found[name] = once
    return found


def _tokens(images: Array, size: int) -> NDArray[np.int64] | None:
    """How often each of so many tokens comes in a batch; None where it holds something else."""
    values = np.asarray(images).ravel()
    if values.dtype.kind not in "iuf" or not values.size or not (values == values.round()).all():
        return None
    if values.min() < 0 or values.max() >= size:
        return None
    return np.bincount(values.astype(np.int64), minlength=size)


def _kept(trace: Trace, rows: Rows) -> Trace:
    """The trace without the other rows."""

    def of(tables: list[Table]) -> list[Table]:
        return [
            {n: w[rows[n]] if n in rows else w for n, w in t.items() if rows.get(n, ANY).any()}
            for t in tables
        ]

    return replace(
        trace, before=of(trace.before), gradients=of(trace.gradients), after=of(trace.after)
    )
