"""Why one optimiser step differs: what either side's recorded steps say of its update rule.

Each side's optimiser is identified from its own weights and gradients, with no knowledge of what
made them; then one setting after the other of the first side is replaced by the second side's, and
what is left of the difference is measured.
"""

from typing import Any

import numpy as np

from parity.arrays import Names
from parity.readings.cause import UNEXPLAINED, Cause, listed, same_but_rounded
from parity.readings.optimizer.differences import nearest_pair
from parity.readings.optimizer.fit import LIMIT, explains
from parity.readings.optimizer.record import Record, flat
from parity.readings.optimizer.rule import Rule, simulate
from parity.readings.optimizer.sampling import sample, telling
from parity.readings.optimizer.search import Identified, identify
from parity.readings.optimizer.settle import clean
from parity.readings.optimizer.table import Setting, changes, described
from parity.readings.trace import Trace

COMPARED = 20_000
"""Weights on which the sides' rules are compared; figures are of all that were recorded."""
RATES_IN_FLOAT32 = 4 * float(np.finfo(np.float32).eps)
"""How far apart a schedule may be that takes a power or a cosine, of several rounded numbers."""


def explain(a: Trace, b: Trace, names: Names, batch_size: int | None = None) -> list[Cause]:
    """The differences between two optimisers, most telling first; none where they agree.

    A cause's `gap` is the largest difference left in any one step, each begun from the weights that
    side `b` recorded, with this cause and those before it taken out. A side that no known rule
    explains gives one finding of the name `UNEXPLAINED` instead, with the gap as it is.

    Args:
        a: The first steps of the side whose settings are replaced.
        b: The first steps of the side that they are compared with, as many.
        names: What the sides are called.
        batch_size: Images a step, which tells a sum over the batch from another learning rate.
    """
    some = telling(a, b)
    records = flat(a, some), flat(b, some)
    first = identify(records[0])
    if first.rules and explains(first.rules[0], records[1]):
        return []
    second = _identified(records[1], first)
    if second.rules and not first.rules:
        if explains(second.rules[0], records[0]):
            return []
        first = _identified(records[0], second)
    found = first, second
    if not all(one.rules for one in found):
        return _unexplained(records, found, names)
    few = sample(records[0], COMPARED), sample(records[1], COMPARED)
    rules = nearest_pair((found[0].rules, found[1].rules), few, batch_size)
    return _taken_out(rules, records[1], few[1], names)


def _identified(record: Record, other: Identified) -> Identified:
    """The rule of the other side, changed in one thing, before any other."""
    like = identify(record, other.rules[0]) if other.rules else Identified(())
    if any(map(clean, like.rules)):
        return like
    blind = identify(record)
    if any(map(clean, blind.rules)):
        return blind
    return Identified((*like.rules, *blind.rules), blind.nearest or like.nearest)


def _taken_out(rules: tuple[Rule, Rule], record: Record, some: Record, names: Names) -> list[Cause]:
    """Each difference with what it leaves alone and with those before it."""
    rule = rules[0]
    causes: list[Cause] = []
    whole, tensor = _gap(rule, record)
    before = whole
    for setting, new in _ordered(rules, some):
        name = setting.name
        alone, _ = _gap(rules[0].having(new), record)
        rule = rule.having(new)
        gap, _ = _gap(rule, record)
        said = [_said(r, setting, rules) for r in rules]
        text = (
            f"{name}: {said[0]} ({names[0]}), {said[1]} ({names[1]}); taken out alone it brings "
            f"the largest difference of a step from {whole:.2g} (in {tensor}) to {alone:.2g}"
        )
        if causes:
            text += f", together with the former from {before:.2g} to {gap:.2g}"
        rounds = same_but_rounded(said[0], said[1]) or _rounded_rates(setting, rules)
        causes.append(Cause(name, gap, f"{text}; {setting.advice}.", rounds))
        before = gap
    return causes


def _rounded_rates(setting: Setting, rules: tuple[Rule, Rule]) -> bool:
    """Whether a schedule is the same on both sides, but computed in float32 on one of them."""
    a, b = (rule.rates for rule in rules)
    return setting.fields == ("rates",) and np.allclose(a, b, rtol=RATES_IN_FLOAT32, atol=0)


def _said(rule: Rule, setting: Setting, rules: tuple[Rule, Rule]) -> str:
    said = setting.said(rule)
    a, b = (one.rates for one in rules)
    if setting.name == "learning-rate schedule" and len(a) > 1 and rule is rules[1]:
        off = [(-1, a[1:], b[:-1]), (1, a[:-1], b[1:])]
        late = [step for step, x, y in off if np.allclose(x, y, rtol=1e-9, atol=0)]
        if len(late) == 1:
            said += f" (one step {'ahead' if late[0] < 0 else 'behind'})"
    return said


def _ordered(rules: tuple[Rule, Rule], some: Record) -> list[tuple[Setting, dict[str, Any]]]:
    """At each point the change that leaves least, but another optimiser before all."""
    rule, left, ordered = rules[0], changes(*rules), []

    def rest(change: tuple[Setting, dict[str, Any]]) -> tuple[bool, float]:
        return "family" not in change[1], _gap(rule.having(change[1]), some)[0]

    while left:
        best = min(left, key=rest)
        left.remove(best)
        rule = rule.having(best[1])
        ordered.append(best)
    return ordered


def _gap(rule: Rule, record: Record) -> tuple[float, str]:
    """Largest difference of a step, and the tensor where it is."""
    off = np.abs(record.change - simulate(rule, record)).max(axis=0)
    worst = int(np.nan_to_num(off, nan=np.inf).argmax())
    return float(off[worst]), record.names[record.tensor[worst]]


def _unexplained(
    records: tuple[Record, Record], found: tuple[Identified, Identified], names: Names
) -> list[Cause]:
    """Which tensors part at which step, what is known of the sides, and how near anything came."""
    told = [{one.names[k] for k in np.unique(one.tensor)} for one in records]
    both = frozenset(told[0] & told[1])  # of a tensor, one side's gradients may be rounding alone
    records = records[0].at(records[0].of(both)), records[1].at(records[1].of(both))
    gap = float(np.abs(records[0].change - records[1].change).max())
    known = "".join(
        f" ({name}: {described(one.rules[0])})"
        for name, one in zip(names, found, strict=True)
        if one.rules
    )
    return [
        Cause(
            UNEXPLAINED,
            gap,
            f"no update rule known here makes {name}'s steps of {name}'s own gradients{known}"
            f"{_nearest(one)}{_parted(records)}.",
        )
        for name, one in zip(names, found, strict=True)
        if not one.rules
    ]


def _nearest(found: Identified) -> str:
    if found.nearest is None:
        return ""
    rule = described(found.nearest.rule)
    if found.nearest.miss <= LIMIT:
        return f"; with rates that follow no schedule it would be {rule}"
    return f"; the nearest, {rule}, misses by {found.nearest.share:.1g} of the largest update"


def _parted(records: tuple[Record, Record]) -> str:
    """The first step that differs, and the tensors in which it does."""
    a, b = records
    off = np.abs(a.change - b.change) / np.maximum(a.noise, b.noise)
    for step, row in enumerate(off):
        parted = [name for k, name in enumerate(a.names) if (row[a.tensor == k] > LIMIT).any()]
        if parted:
            return f"; the sides part at step {step + 1}, in {listed(sorted(parted))}"
    return ""
