"""What a fitted update rule stands for, in the numbers that a person would have written."""

from collections.abc import Iterator
from dataclasses import fields, replace

import numpy as np

from parity.arrays import Floats
from parity.readings.optimizer.fit import LIMIT, Fit, explains, fit, linear
from parity.readings.optimizer.numbers import (
    SCALES,
    candidates,
    digits,
    nearest_round,
    rounded,
    through_float32,
)
from parity.readings.optimizer.record import Record
from parity.readings.optimizer.rule import Rule


def settled(found: Fit, record: Record) -> Iterator[Rule]:
    """The fitted rule in round numbers, in each of the ways that the record allows."""
    found = _snapped(found, record)
    for variant in _variants(found.rule, record):
        hypothesis = replace(found.hypothesis, rule=variant, free=())
        rates, shares, _ = linear(hypothesis, record)
        rule = variant.having({"rates": rates})
        if max(rates) <= 0 and min(rates) < 0 and rule.decay_kind != "coupled":
            rule = replace(rule, scale=-1.0, rates=tuple(-rate for rate in rates))
        for none in ({"decay": 0.0}, {"clip": np.inf}):
            without = rule.having(none)
            if without != rule and explains(without, record):
                rule = without
        rules = [_rates(one, record) for one in _decoupled(rule, shares, record)]
        yield from (one for one in rules if one is not None)
        if rule.family == "Adagrad" and any(rules):
            return


def _snapped(found: Fit, record: Record) -> Fit:
    """Each open number replaced by the roundest that the record allows."""
    limit = max(LIMIT / 2, found.miss)
    for name in sorted(found.hypothesis.free, key=lambda name: name == "clip"):
        free = tuple(other for other in found.hypothesis.free if other != name)
        value = getattr(found.rule, name)
        for candidate in candidates(name, value):
            rule = found.rule.having({name: candidate})
            hypothesis = replace(found.hypothesis, rule=rule, free=free)
            span = 1 - value if SCALES[name].share else value
            near = abs(candidate - value) <= 1e-3 * abs(span)
            if not near and float(np.abs(linear(hypothesis, record)[2]).max()) > 1e5:
                continue
            tried = fit(hypothesis, record)
            if tried.miss <= limit:
                found = tried
                break
        else:
            found = replace(found, hypothesis=replace(found.hypothesis, free=free))
    return found


def _variants(rule: Rule, record: Record) -> Iterator[Rule]:
    """What the learning rates of the fit can stand for."""
    if rule.family == "Adamax" or (rule.family == "Adam" and rule.epsilon_at == "first"):
        for bias in ("exact", "float32", "none"):
            yield replace(rule, bias=bias)
    elif rule.family == "Adagrad" and rule.epsilon_at == "inside" and rule.epsilon > 1e-5:
        # Inside the root, epsilon and the initial accumulator are one sum.
        for near in (rounded(rule.epsilon * shrunk, n) for n in (1, 2) for shrunk in (1, 0.999)):
            for accumulator in (near, through_float32(near)):
                rest = max(rule.epsilon - accumulator, 1e-20)
                for epsilon in (1e-7, rounded(rest, 1)):
                    yield replace(rule, accumulator=accumulator, epsilon=epsilon)
        yield rule
    else:
        yield rule


def _decoupled(rule: Rule, shares: Floats, record: Record) -> Iterator[Rule]:
    """The rule with what its shares stand for."""
    yield rule
    rates = np.array(rule.rates)
    if rule.decay_kind == "coupled" or not (shares * rates).any() or explains(rule, record):
        return
    moved = rates != 0
    typical = float(np.median(shares[moved] / rates[moved]))
    later = tuple((rates / (1 - shares)).tolist())
    for tried in (
        replace(rule, decay=typical),
        replace(rule, decay=typical * (1 - shares[0]), decay_kind="decoupled, after", rates=later),
        replace(rule, decay=float(np.median(shares)), decay_kind="decoupled, fixed"),
        # Without momentum it is the same thing.
        replace(rule, decay=typical, decay_kind="coupled" if rule.family == "SGD" else "decoupled"),
    ):
        for decay in (*candidates("decay", tried.decay), tried.decay):
            if explains(one := replace(tried, decay=decay), record):
                yield one
                break


def _rates(rule: Rule, record: Record) -> Rule | None:
    """With the roundest learning rates, or None where the rule explains nothing."""
    known = np.array(rule.rates)
    mean = float(np.median(known))
    constants = [
        c for n in range(1, 8) for c in (rounded(mean, n), through_float32(rounded(mean, n)))
    ]
    for rate in (*constants, mean):
        if np.abs(known - rate).max() <= 1e-3 * abs(mean):
            constant = replace(rule, rates=(rate,) * record.steps)
            if explains(constant, record):
                return constant
    tolerance = 1e-6 if record.roundoff > 1e-10 else 1e-11
    nearest = tuple(nearest_round(float(rate), tolerance) for rate in known)
    for rates in (nearest, tuple(map(float, known))):
        if explains(replace(rule, rates=rates), record):
            return replace(rule, rates=rates)
    return None


def regular(rates: tuple[float, ...]) -> bool:
    """Whether rates are what a person would have planned, and not what each step happened to need.

    They are round, or some function of the step's number: linear, exponential, inverse, or smooth.
    """
    known = np.array(rates)
    if len(set(rates)) == 1 or max(map(digits, rates)) < 5:
        return True
    if len(rates) < 3 or not (known > 0).all():
        return len(rates) < 3 or _smooth(known)
    angle = np.arccos(np.clip(2 * known / known[0] - 1, -1, 1))  # half a cosine from the first step
    functions = (known, np.log(known), 1 / known, 1 / known**2, angle)
    return any(np.abs(np.diff(f, 2)).max() <= 1e-6 * np.ptp(f) for f in functions) or _smooth(known)


def _smooth(rates: Floats) -> bool:
    """Of slow changes few steps show little more than their tangent."""
    return len(rates) > 3 and bool(
        np.abs(np.diff(rates, 3)).max() <= 1e-2 * np.abs(np.diff(rates)).max()
    )


_NUMBERS = (
    "epsilon", "beta_1", "beta_2", "momentum", "dampening", "accumulator", "decay", "average",
)  # fmt: skip


def complexity(rule: Rule) -> float:
    """How much there is to say: digits of its numbers, and a price for what is not usual."""
    constant = len(set(rule.rates)) == 1
    rates = digits(rule.rates[0]) if constant else 5 + sum(map(digits, rule.rates))
    numbers = sum(digits(getattr(rule, name)) for name in _NUMBERS)
    limits = sum(3 + digits(x) for x in (rule.clip, rule.cap) if np.isfinite(x))
    usual = Rule(rule.family, epsilon_at=rule.epsilon_at)
    odd = sum(
        getattr(rule, field.name) != getattr(usual, field.name)
        for field in fields(Rule)
        if field.name not in (*_NUMBERS, "rates", "clip", "cap", "frozen")
    )
    total: float = rates + numbers + limits + odd / 10
    return total


def clean(rule: Rule) -> bool:
    """Nothing rounder could come later."""
    numbers = [rule.rates[0], *(getattr(rule, name) for name in _NUMBERS)]
    return len(set(rule.rates)) == 1 and max(map(digits, numbers)) < 5
