"""Which optimiser, with which settings, makes the recorded steps of its own gradients."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace

import numpy as np

from parity.ladder.causes.optimizer_fit import (
    EARLY,
    LIMIT,
    Fit,
    Hypothesis,
    fit,
    linear,
    prefix,
    start,
)
from parity.ladder.causes.optimizer_hypotheses import (
    clipped,
    common,
    decayed,
    finer,
    plain,
    repeated,
)
from parity.ladder.causes.optimizer_numbers import (
    SHARES,
    candidates,
    digits,
    rounded,
    through_float32,
)
from parity.ladder.causes.optimizer_record import Floats, Record, sample
from parity.ladder.causes.optimizer_rules import DecayKind, Rule, simulate

POOL, FITTED, TRIED = 20_000, 1500, 300
"""Weights among which is searched, that a fit uses, and a first try."""
HOPELESS = 1e4
"""Roundings by which the first step may be missed."""
NEAR = 1e-2
"""Part of the largest update by which a first try may miss."""


@dataclass(frozen=True)
class Identified:
    """What explains a record.

    Attributes:
        rules: Rules that reproduce it, the plainest first; empty where none does.
        nearest: What came nearest, or None where nothing came near.
    """

    rules: tuple[Rule, ...]
    nearest: Fit | None = None


def missed(rule: Rule, record: Record) -> float:
    """Largest difference between the updates of a rule and the recorded ones, in roundings."""
    off = np.abs(record.change - simulate(rule, record)) / record.noise
    worst: float = np.nan_to_num(off, nan=1e20).max(initial=0.0)
    return worst


def explains(rule: Rule, record: Record) -> bool:
    """Whether rounding accounts for all that the rule misses."""
    return missed(rule, record) <= LIMIT


def identify(record: Record) -> Identified:
    """The rules that explain a record: found on a sample, the plainest confirmed on all of it."""
    moving = record.at(~record.of(record.still)) if record.still else record
    pool = sample(moving, POOL)
    for _ in range(2):
        found = _identify(pool)
        rules = [rule for rule in found.rules if explains(rule, pool)]
        while rules and not explains(rules[0], moving):
            off = np.abs(moving.change - simulate(rules.pop(0), moving)) / moving.noise
            pool = moving.at(np.argpartition(-off.max(axis=0), POOL // 8)[: POOL // 8])
        if rules or not found.rules:
            break
    return replace(found, rules=tuple(replace(rule, frozen=record.still) for rule in rules))


def _identify(record: Record) -> Identified:
    """Try every hypothesis, the plainest first, until one explains the record."""
    search = _Search(record)
    search.among(plain())
    if search.rules:
        if not search.steady:  # clipped steps look like a schedule
            kin = [h for h in plain() if any(_kin(h.rule, rule) for rule in search.rules)]
            search.among(clipped(kin, ("norm", "global norm")))
    else:
        for hypotheses in (
            search.unsettled(decayed(plain())),
            clipped(common()),
            repeated(common()),
            search.unsettled(clipped(decayed(common()))),
        ):
            search.among(hypotheses)
            if search.rules:
                break
    rules = {_tidy(rule): None for rule in search.rules}
    return Identified(tuple(sorted(rules, key=complexity)), search.nearest)


def _kin(a: Rule, b: Rule) -> bool:
    return (a.family, a.epsilon_last, a.nesterov) == (b.family, b.epsilon_last, b.nesterov)


def _tidy(rule: Rule) -> Rule:
    """Without the kind of a decay or a clipping that is not there."""
    if not rule.decay:
        rule = replace(rule, decay_kind="decoupled", decay_matrices=False)
    if not np.isfinite(rule.clip):
        rule = replace(rule, clip_kind="value", clip_epsilon=0.0)
    return rule


class _Search:
    """The rules found so far, and what came nearest."""

    def __init__(self, record: Record) -> None:
        self.some, self.few = sample(record, FITTED), sample(record, TRIED)
        self.rules: list[Rule] = []
        self.nearest: Fit | None = None
        self._early = prefix(self.few)
        self._known: dict[object, float] = {}

    @property
    def steady(self) -> bool:
        """Whether one of the rules has one learning rate."""
        return any(len(set(rule.rates)) == 1 for rule in self.rules)

    def among(self, hypotheses: Iterable[Hypothesis]) -> None:
        """Try each, until one explains all in round numbers."""
        for hypothesis in hypotheses:
            if self._first_step(hypothesis) > HOPELESS:
                continue
            found = fit(start(hypothesis, self.few), self.few)
            if found.share > NEAR:
                continue
            if found.miss > LIMIT / 2:
                rules = finer(found.rule)
                tried = [fit(replace(found.hypothesis, rule=rule), self.few) for rule in rules]
                found = min([found, *tried], key=lambda one: one.miss)
            found = fit(found.hypothesis, self.some)
            if self.nearest is None or found.miss < self.nearest.miss:
                self.nearest = found
            if found.miss <= LIMIT:
                self.rules += [r for r in _settled(found, self.some) if explains(r, self.some)]
                if any(_clean(rule) for rule in self.rules):
                    return

    def unsettled(self, hypotheses: Iterable[Hypothesis]) -> Iterator[Hypothesis]:
        """Those with a decay of which the first step does not say that there is none."""
        for hypothesis in hypotheses:
            bare = replace(hypothesis.rule, decay_kind="decoupled", decay_matrices=False)
            without = tuple(name for name in hypothesis.free if name not in ("decay", "clip"))
            if self._first_step(Hypothesis(_tidy(bare), without)) > LIMIT:
                yield hypothesis

    def _first_step(self, hypothesis: Hypothesis) -> float:
        """What is missed of the first step, of which betas do not matter, in roundings."""
        rule, free = hypothesis.rule, hypothesis.free
        if rule.clip_kind == "global norm" and self._early.steps == 1:
            free = tuple(name for name in free if name != "clip")  # one step cannot tell it
        early = tuple(name for name in free if name in EARLY)
        shape = rule.family if rule.family == "SGD" else rule.epsilon_last or rule.family == "Adam"
        kinds = (rule.clip_kind, rule.decay_kind, rule.decay_matrices)
        key = (shape, early, kinds, rule if rule.repeats > 1 else None)
        if key not in self._known:
            begun = start(replace(hypothesis, free=early), self._early)
            self._known[key] = fit(begun, self._early).miss
        return self._known[key]


def _settled(found: Fit, record: Record) -> Iterator[Rule]:
    """The fitted rule in round numbers, in each of the ways that the record allows."""
    found = _snapped(found, record)
    for variant in _variants(found.rule, record):
        hypothesis = replace(found.hypothesis, rule=variant, free=())
        rule, shares, _ = linear(hypothesis, record)
        rates = np.array(rule.rates)
        if rates.max() <= 0 and rates.min() < 0 and rule.decay_kind != "coupled":
            rule = replace(rule, scale=-1.0, rates=tuple((-rates).tolist()))
        settled = [_rates(one, record) for one in _decoupled(rule, shares, record)]
        yield from (one for one in settled if one is not None)
        if rule.family == "Adagrad" and any(settled):
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
            span = 1 - value if name in SHARES else value
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
    if rule.family == "Adam" and not rule.epsilon_last:
        for bias in ("exact", "float32", "none"):
            yield replace(rule, bias=bias)
    elif rule.family == "Adagrad" and not rule.epsilon_last and rule.epsilon > 1e-5:
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
    if rule.decay_kind == "coupled" or not shares.any() or explains(rule, record):
        return
    if not rates.any():
        return
    typical = float(np.median(shares[rates != 0] / rates[rates != 0]))
    kinds: tuple[tuple[DecayKind, float], ...] = (
        ("decoupled", typical),
        ("decoupled, after", float(np.median(shares / np.where(rates, rates / (1 - shares), 1)))),
        ("decoupled, fixed", float(np.median(shares))),
    )
    for kind, value in kinds:
        for decay in (*candidates("decay", value), value):
            fixed = rates / (1 - shares) if kind == "decoupled, after" else rates
            tried = replace(rule, decay=decay, decay_kind=kind, rates=tuple(fixed.tolist()))
            if explains(tried, record):
                yield tried
                break
    if rule.family == "SGD" and rule.momentum == 0 and typical > 0:  # the same thing
        for decay in (*candidates("decay", typical), typical):
            tried = replace(rule, decay=decay, decay_kind="coupled")
            if explains(tried, record):
                yield tried
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
    nearest = tuple(_near(float(rate), tolerance) for rate in known)
    for rates in (nearest, tuple(map(float, known))):
        if explains(replace(rule, rates=rates), record):
            return replace(rule, rates=rates)
    return None


def _near(value: float, tolerance: float) -> float:
    for count in range(1, 8):
        for near in (rounded(value, count), through_float32(rounded(value, count))):
            if abs(near - value) <= tolerance * abs(value):
                return near
    return value


_NUMBERS = ("epsilon", "beta_1", "beta_2", "momentum", "dampening", "accumulator", "decay")


def complexity(rule: Rule) -> float:
    """How much there is to say: digits of its numbers, and a price for what is not usual."""
    constant = len(set(rule.rates)) == 1
    rates = digits(rule.rates[0]) if constant else 5 + sum(map(digits, rule.rates))
    numbers = sum(digits(getattr(rule, name)) for name in _NUMBERS)
    clip = 3 + digits(rule.clip) if np.isfinite(rule.clip) else 0
    usual = Rule(rule.family, epsilon_last=rule.epsilon_last)
    odd = sum(
        getattr(rule, field.name) != getattr(usual, field.name)
        for field in fields(Rule)
        if field.name not in (*_NUMBERS, "rates", "clip", "frozen")
    )
    total: float = rates + numbers + clip + odd / 10
    return total


def _clean(rule: Rule) -> bool:
    """Nothing rounder could come later."""
    numbers = [rule.rates[0], *(getattr(rule, name) for name in _NUMBERS)]
    return len(set(rule.rates)) == 1 and max(map(digits, numbers)) < 5
