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
    found = difference("autocast", at_a, at_b, 0.0)
    if found.passed:
        return rung
    said = [
        f"{name} has its layers {f'cast to {to}' if to else 'as they are'}"
        for name, to in zip(start.names, types, strict=True)
    ]
    text = (
        f"autocast: {', '.join(said)}; in float64 nothing is cast, so that all else is compared "
        "without it; to align them, cast on both sides or neither, or climb in float32"
    )
    rung = replace(rung, tensors=(*rung.tensors, found))
    return rung.because([*rung.causes, Cause("precision", 0.0, text)])
