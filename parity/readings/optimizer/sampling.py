"""Which weights stand for all: of recorded steps that are searched, and of large networks."""

import numpy as np

from parity.arrays import Ints
from parity.readings.optimizer.record import Record
from parity.readings.trace import Trace

LARGE, EACH = 1_000_000, 8_192
"""Weights of a network above which so many stand for all of a tensor."""


def telling(a: Trace, b: Trace) -> dict[str, Ints]:
    """Places of large tensors that stand for all of them, of both sides; empty for small networks.

    Extreme gradients, those that are 0, what differs most between the sides, the rest at random.
    """
    slopes_of_b = b.gradients[0]
    shared = [
        name
        for name, slopes in a.gradients[0].items()
        if name in slopes_of_b and slopes_of_b[name].shape == slopes.shape
    ]
    if sum(a.gradients[0][name].size for name in shared) <= LARGE:
        return {}
    rng = np.random.default_rng(0)
    found = {}
    for name in shared:
        size = a.gradients[0][name].size
        if size <= EACH:
            continue
        slopes = np.abs(np.ravel(a.gradients[0][name]))
        apart = np.abs(np.ravel(a.after[-1][name]) - np.ravel(b.after[-1][name]))
        few = EACH // 8
        parts = [
            rng.integers(size, size=EACH),
            np.argpartition(apart, -few)[-few:],
            np.argpartition(slopes, -few)[-few:],
            np.argpartition(np.where(slopes == 0, np.inf, slopes), few)[:few],
            np.flatnonzero(slopes == 0)[:few],
        ]
        found[name] = np.unique(np.concatenate(parts))
    return found


def sample(record: Record, count: int) -> Record:
    """About `count` weights: extreme gradients, the rest at random.

    Small gradients tell epsilon, large ones clipping, and exact zeros weight decay.
    """
    if len(record.tensor) <= count:
        return record
    size = np.abs(record.gradient)
    smallest = size.min(axis=0)
    zeros = np.flatnonzero(smallest == 0)
    rng = np.random.default_rng(count)
    some = min(count // 8, len(smallest) - 1)
    parts = [
        rng.choice(zeros, min(len(zeros), some), replace=False),
        np.argpartition(np.where(smallest == 0, np.inf, smallest), some)[:some],
        np.argpartition(-size.max(axis=0), some)[:some],
        np.argpartition(np.abs(record.before[0]), some)[:some],
        rng.choice(len(smallest), count // 4, replace=False),
    ]
    share = max(4, count // 4 // len(record.names))
    for k in np.unique(record.tensor):  # small tensors, such as the biases, in full
        own = np.flatnonzero(record.tensor == k)
        parts.append(own if len(own) <= share else rng.choice(own, share, replace=False))
    return record.at(np.unique(np.concatenate(parts)))
