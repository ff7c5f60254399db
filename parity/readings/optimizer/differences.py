"""Of the rules that explain two sides, the two that differ in the fewest settings."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from parity.readings.optimizer.fit import explains
from parity.readings.optimizer.numbers import digits, rounded
from parity.readings.optimizer.record import Record
from parity.readings.optimizer.rule import Rule
from parity.readings.optimizer.settle import complexity
from parity.readings.optimizer.table import changes

_MOST = 6
"""Rules of a side that are compared with those of the other."""


def nearest_pair(
    rules: tuple[tuple[Rule, ...], tuple[Rule, ...]],
    records: tuple[Record, Record],
    batch_size: int | None,
) -> tuple[Rule, Rule]:
    """Of the rules that explain either side, the two that differ in the fewest settings."""
    pairs = [_agreed(a, b, records, batch_size) for a in rules[0][:_MOST] for b in rules[1][:_MOST]]
    return min(pairs, key=lambda pair: (len(changes(*pair)), sum(map(complexity, pair))))


def _agreed(
    a: Rule, b: Rule, records: tuple[Record, Record], batch_size: int | None
) -> tuple[Rule, Rule]:
    """The same setting on both sides wherever both records allow it."""
    if explains(b, records[0]):
        return b, b
    if explains(a, records[1]):
        return a, a
    both = _normed(a, records[0]), _normed(b, records[1])
    if both[0].normed == both[1].normed != "":
        return both
    a, b = _clipped(a, b, records[0]), _clipped(b, a, records[1])
    for tried in _rescaled(a, b, batch_size):
        if explains(tried, records[1]):
            b = tried
            break
    else:
        for tried in _rescaled(b, a, batch_size):
            if explains(tried, records[0]):
                a = tried
                break
    for _, new in changes(a, b):
        if explains(tried := a.having(new), records[0]):
            a = tried
    for _, new in changes(b, a):
        if explains(tried := b.having(new), records[1]):
            b = tried
    return a, b


def _clipped(rule: Rule, other: Rule, record: Record) -> Rule:
    """A rule that divides gradients by their norm, as one that clips at the other's rates.

    Of gradients that are always clipped only the product of rate and threshold is known.
    """
    if not (rule.normed and not other.normed and rule.family == other.family == "SGD"):
        return rule
    for epsilon in (rule.clip_epsilon, other.clip_epsilon):
        tried = rule.having(
            {
                "normed": "",
                "rates": other.rates,
                "clip": rounded(rule.rates[0] / (other.rates[0] or 1.0), 6),
                "clip_kind": "global norm" if rule.normed == "all" else "norm",
                "clip_epsilon": epsilon,
            }
        )
        if explains(tried, record):
            return tried
    return rule


def _normed(rule: Rule, record: Record) -> Rule:
    """A rule that clips every recorded gradient, as one that divides it by its norm.

    Its rates are then those times the threshold, the only figure that the steps tell.
    """
    kind: Literal["all", "tensor"] = "all" if rule.clip_kind == "global norm" else "tensor"
    if rule.family != "SGD" or not np.isfinite(rule.clip) or rule.clip_kind == "value":
        return rule
    rates = tuple(rounded(rate * rule.clip, 9) for rate in rule.rates)
    bare = {"clip": np.inf, "clip_kind": "value", "normed": kind, "rates": rates}
    tried = rule.having(bare)
    return tried if explains(tried, record) else rule


def _rescaled(a: Rule, b: Rule, batch_size: int | None) -> Iterator[Rule]:
    """Rule `b` with the numbers of `a` where a multiple of the gradients can stand for them.

    Gradients n times as large, or clipped at n times the threshold, look like another learning
    rate (SGD) or another epsilon (all others).
    """
    if a.family != b.family:
        return
    own = {"rates"} if a.family == "SGD" else {"epsilon", "accumulator"}
    same = {field: getattr(a, field) for field in own}
    ratio = _ratio(a, b)
    if np.isfinite(b.clip) and ratio > 0 and b.clip_kind != "value":
        for tried in (b.having(same), replace(b.having(vars(a)), scale=b.scale, frozen=b.frozen)):
            for count in range(1, 7):
                clip = rounded(b.clip * ratio, count)
                kind: dict[str, Any] = {"clip_kind": b.clip_kind, "clip_epsilon": b.clip_epsilon}
                if b.decay and b.decay_kind == "coupled":
                    kind |= {"decay": rounded(b.decay * ratio, count), "decay_kind": "coupled"}
                    kind |= {"spared": b.spared}
                yield replace(tried.having(kind), clip=clip)
    if a.decay and a.decay_kind == b.decay_kind == "coupled":
        same["decay"] = a.decay
    if np.isfinite(a.clip) and a.clip_kind == b.clip_kind:
        same |= {"clip": a.clip, "clip_epsilon": a.clip_epsilon}
    factors = {float(batch_size), 1 / batch_size} if batch_size and batch_size > 1 else set()
    if _written(a) and not _written(b):
        factors |= {n for n in (float(round(ratio)), 1 / max(round(1 / ratio), 1)) if n > 0}
    for factor in factors - {1.0}:
        yield replace(b.having(same), scale=b.scale * factor)


def _written(rule: Rule) -> bool:
    """Whether a person would have chosen the number that the scale of the gradients multiplies."""
    if rule.family == "Adagrad" and rule.accumulator:
        return digits(rule.accumulator) <= 2.5
    return digits(rule.rates[0] if rule.family == "SGD" else rule.epsilon) <= 2.5


def _ratio(a: Rule, b: Rule) -> float:
    """How many times as large the gradients of `b` would have to be for the numbers of `a`."""
    if a.family == "SGD":
        moved = [(x, y) for x, y in zip(a.rates, b.rates, strict=False) if x and y]
        return moved[0][1] / moved[0][0] if moved else 0.0
    old, new = a.epsilon + a.accumulator, b.epsilon + b.accumulator
    inside = a.epsilon_at == "inside"
    ratio = old / max(new, 1e-300)
    return float(ratio**0.5 if inside else ratio)
