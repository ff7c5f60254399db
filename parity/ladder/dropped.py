"""Dropout draws at random: the climb goes on without it, and its rates are compared by themselves."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from parity.arrays import Array, Names, Table
from parity.ladder.climber import Climber, NotRecordedError
from parity.ladder.difference import difference
from parity.ladder.rung import Rung
from parity.readings.cause import Cause

NEAR = 1e-5
"""Rates that are nearer are one: they are measured, in float32 perhaps."""


def rates(sides: Sequence[Climber], images: Array) -> list[list[float]]:
    """What the dropouts of each side drop, in order; empty where that was not recorded."""
    try:
        told: list[Table] = [side.ask("rates", {"images": images}) for side in sides]
    except NotRecordedError:
        return [[] for _ in sides]
    return [[float(rate) for rate in table.values() if rate > NEAR] for table in told]


def compared(rung: Rung, dropped: Sequence[list[float]], names: Names) -> Rung:
    """The rung of the outputs, all of which are without dropout, with what the sides drop."""
    a, b = dropped
    if not a and not b:
        return rung
    found = difference("dropout", np.array(a), np.array(b), NEAR)
    if found.passed:
        note = "dropout is left off, and drops as much on both sides"
        return replace(rung, note="; ".join(filter(None, (rung.note, note))))
    said = [
        f"{name} drops {' '.join(f'{rate:.3g}' for rate in own) or 'nothing'}"
        for name, own in zip(names, dropped, strict=True)
    ]
    text = (
        f"dropout: {', '.join(said)}, in the order of work; to align them, give both the same "
        "rates at the same places; the climb goes on without dropout"
    )
    rung = replace(rung, tensors=(*rung.tensors, found))
    return rung.because([*rung.causes, Cause("dropout rate", found.absolute, text)])
