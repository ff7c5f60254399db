"""What the climb goes on without, compared apart: dropout, which draws at random, and autocast."""

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
    rung = _cast(rung, [str(t.pop("autocast", "")) for t in tables], start)
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


def _cast(rung: Rung, types: list[str], start: Start) -> Rung:
    """With what one side alone would compute coarser, and does not in float64; "" for nothing."""
    at_a, at_b = (np.array(float(bool(name))) for name in types)
    if at_a == at_b:
        return rung
    side, kind = (start.names[0], types[0]) if types[0] else (start.names[1], types[1])
    text = (
        f"autocast: {side} alone has layers cast to {kind}; in float64 nothing is cast, so all "
        "else is compared without; to align them, cast on both sides or none, or climb in float32"
    )
    rung = replace(rung, tensors=(*rung.tensors, difference("autocast", at_a, at_b, 0.0)))
    return rung.because([*rung.causes, Cause("precision", 0.0, text)])
