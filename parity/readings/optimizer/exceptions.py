"""Tensors that follow the rule of the others with a learning rate or a decay of their own."""

from dataclasses import replace

import numpy as np

from parity.readings.optimizer.fit import Hypothesis, explains, fit
from parity.readings.optimizer.numbers import nearest_round
from parity.readings.optimizer.record import Record
from parity.readings.optimizer.rule import Rule
from parity.readings.optimizer.settle import complexity, settled


def with_exceptions(base: Rule, record: Record) -> Rule | None:
    """The rule with what some tensors do otherwise; None where that does not explain all of them.

    Args:
        base: What explains some of the tensors, or comes near.
        record: The steps of all that move.
    """
    base = replace(base, frozen=frozenset())
    factors: list[tuple[str, float]] = []
    decays: dict[str, Rule] = {}
    for k in np.unique(record.tensor):
        own = record.at(record.tensor == k)
        name = record.names[k]
        found = base if explains(base, own) else _own(base, own)
        if found is None:
            return None
        if found.rates != base.rates:
            factors.append((name, nearest_round(_ratio(found, base), 1e-9)))
        decays[name] = replace(found, decay=0.0) if name in base.spared else found
    kinds = {(rule.decay, rule.decay_kind) for rule in decays.values() if rule.decay}
    if len(kinds) > 1:
        return None
    decay, kind = kinds.pop() if kinds else (0.0, base.decay_kind)
    spared = frozenset(name for name, rule in decays.items() if not rule.decay) if decay else ()
    rule = replace(
        base, factors=tuple(factors), decay=decay, decay_kind=kind, spared=frozenset(spared)
    )
    return rule if explains(rule, record) else None


def _own(base: Rule, record: Record) -> Rule | None:
    """The plainest rule with another rate or decay that explains this one tensor."""
    tied = Hypothesis(replace(base, spared=frozenset()), tied=True)
    found = []
    for hypothesis in (tied, replace(tied, rule=replace(tied.rule, decay=0.0)), *_coupled(tied)):
        for rule in settled(fit(hypothesis, record), record):
            if explains(rule, record) and any(rule.rates):
                found.append(replace(rule, spared=base.spared))
    return min(found, key=complexity, default=None)


def _coupled(tied: Hypothesis) -> list[Hypothesis]:
    coupled = replace(tied.rule, decay_kind="coupled", decay=1e-3)
    return [replace(tied, rule=coupled, free=("decay",))]


def _ratio(found: Rule, base: Rule) -> float:
    pairs = zip(found.rates, base.rates, strict=True)
    return next((own / usual for own, usual in pairs if usual), 1.0)
