"""What differs between two runs, by their records."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lightning_mnist.runs.recipe import settings
from parity.run_record import RunRecord

MISSING = "-"
"""Stands for a setting that one side does not have."""
RECIPE = "recipe: "
OWN = "settings that the other side does not have"
CLOCK = ("seconds",)
"""Entries of an epoch that differ between runs of the same recipe."""


@dataclass(frozen=True)
class Parting:
    """The first epoch where two histories differ; `name` differs most, relative to its size."""

    epoch: int
    name: str
    first: float
    second: float


def differences(first: RunRecord, second: RunRecord) -> list[tuple[str, str, str]]:
    """What differs: name, and the value on either side, in the order in which it matters.

    Settings that only one framework's recipes have are counted, not listed.
    """
    rows = [
        (name, str(a), str(b))
        for facts in zip(_facts(first), _facts(second), strict=True)
        for name, a, b in _unequal(*facts)
    ]
    if first.framework == second.framework:
        return rows
    own = [row for row in rows if row[0].startswith(RECIPE) and MISSING in row[1:]]
    ours, theirs = (sum(row[side] != MISSING for row in own) for side in (1, 2))
    return [row for row in rows if row not in own] + [(OWN, str(ours), str(theirs))]


def _facts(record: RunRecord) -> list[dict[str, Any]]:
    """What may differ, in groups: code, data, recipe, versions, machine, results."""
    origin, accuracy = record.provenance, record.metrics.get("accuracy")
    code, machine = {"framework": record.framework, "command": record.command}, {}
    if origin is not None:
        machine = {"host": origin.host, "system": origin.system, "cores": origin.cores}
        if origin.commit is not None:
            code["commit"] = origin.commit[:12] + " and changes" * (origin.clean is False)
    return [
        code,
        settings(record.data, "data: ") | settings(record.preprocessing, "preprocessing: "),
        {"seed": record.seed} | settings(record.recipe, RECIPE),
        settings(record.versions, "version: "),
        machine,
        {
            "epochs": len(record.history),
            "accuracy": f"{accuracy:.2%}" if isinstance(accuracy, float) else accuracy,
        },
    ]


def _unequal(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    names = dict.fromkeys([*a, *b])
    pairs = [(name, a.get(name, MISSING), b.get(name, MISSING)) for name in names]
    return [(name, one, other) for name, one, other in pairs if one != other]


def parting(first: RunRecord, second: RunRecord) -> Parting | None:
    """Where two histories part first; None where all epochs that both have are the same."""
    for epoch, (one, other) in enumerate(zip(first.history, second.history, strict=False), 1):
        names = [name for name in one if name in other and name not in CLOCK]
        apart = {name: gap for name in names if (gap := _gap(one[name], other[name])) > 0}
        if apart:
            name = max(apart, key=lambda name: apart[name])
            return Parting(epoch, name, one[name], other[name])
    return None


def _gap(a: float, b: float) -> float:
    """Relative difference: 0 where both are the same number or neither is one."""
    if a == b or (math.isnan(a) and math.isnan(b)):
        return 0.0
    gap = abs(a - b) / max(abs(a), abs(b))
    return gap if math.isfinite(gap) else math.inf
