"""Dropout draws at random: the climb goes on without it, its rates are compared apart."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from parity.ladder.climber import Climber, NotRecordedError
from parity.ladder.difference import difference
from parity.ladder.rung import Rung
from parity.ladder.rungs import Start
from parity.readings.cause import Cause

NEAR = 1e-5
"""Rates that are nearer are one: they are measured, in float32 perhaps."""


def told(rung: Rung, sides: Sequence[Climber], start: Start) -> Rung:
    """The rung of the outputs, all of which are without dropout, with what A and B drop."""
    try:
        tables = [side.ask("rates", {"images": start.images}) for side in sides]
    except NotRecordedError:
        return rung
    a, b = ([float(rate) for rate in table.values() if rate > NEAR] for table in tables)
    if not a and not b:
        return rung
    places = max(len(a), len(b))  # where a side has no dropout it drops nothing
    at_a, at_b = (np.array(own + [0.0] * (places - len(own))) for own in (a, b))
    found = difference("dropout", at_a, at_b, NEAR)
    if found.passed:
        note = "dropout is left off, and drops as much on both sides"
        return replace(rung, note="; ".join(filter(None, (rung.note, note))))
    said = [
        f"{name} drops {' '.join(f'{rate:.3g}' for rate in own) or 'nothing'}"
        for name, own in zip(start.names, (a, b), strict=True)
    ]
    text = (
        f"dropout: {', '.join(said)}, in the order of work; to align them, give both the same "
        "rates at the same places; the climb goes on without dropout"
    )
    left = max((each.absolute for each in rung.tensors), default=0.0)  # all without dropout
    rung = replace(rung, tensors=(*rung.tensors, found))
    return rung.because([*rung.causes, Cause("dropout rate", left, text)])
