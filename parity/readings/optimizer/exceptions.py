"""Tensors that follow the rule of the others with a learning rate or a decay of their own."""

from collections import Counter
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
    found: dict[str, Rule] = {}
    for k in np.unique(record.tensor):
        own = record.at(record.tensor == k)
        rule = base if explains(base, own) else _own(base, own)
        if rule is None:
            return None
        found[record.names[k]] = rule
    # What most tensors have is no exception.
    ratios = {name: nearest_round(_ratio(rule, base), 1e-9) for name, rule in found.items()}
    ((usual, _),) = Counter(ratios.values()).most_common(1)
    rates = tuple(nearest_round(usual * rate, 1e-9) for rate in base.rates)
    others = {name: nearest_round(ratio / usual, 1e-9) for name, ratio in ratios.items()}
    decays = {
        name: (rule.decay, rule.decay_kind)
        for name, rule in found.items()
        if rule.decay and not (rule is base and name in base.spared)
    }
    if len(set(decays.values())) > 1:
        return None
    decay, kind = next(iter(decays.values()), (0.0, base.decay_kind))
    rule = replace(
        base,
        rates=base.rates if usual == 1 else rates,
        factors=tuple((name, ratio) for name, ratio in others.items() if ratio != 1),
        decay=decay,
        decay_kind=kind,
        spared=frozenset(found.keys() - decays.keys() if decay else ()),
    )
    return rule if explains(rule, record) else None


def _own(base: Rule, record: Record) -> Rule | None:
    """The plainest rule with another rate or decay that explains this one tensor."""
    tied = Hypothesis(replace(base, spared=frozenset()), tied=True)
    found = []
    coupled = replace(tied.rule, decay_kind="coupled", decay=1e-3)
    for hypothesis in (
        tied,
        replace(tied, rule=replace(tied.rule, decay=0.0)),
        replace(tied, rule=coupled, free=("decay",)),
    ):
        for rule in settled(fit(hypothesis, record), record):
            if explains(rule, record) and any(rule.rates):
                found.append(replace(rule, spared=base.spared))
    return min(found, key=complexity, default=None)


def _ratio(found: Rule, base: Rule) -> float:
    pairs = zip(found.rates, base.rates, strict=True)
    return next((own / usual for own, usual in pairs if usual), 1.0)
