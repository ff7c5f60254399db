"""Which optimiser, with which settings, makes the recorded steps of its own gradients."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from parity.readings.optimizer.exceptions import with_exceptions
from parity.readings.optimizer.fit import EARLY, LIMIT, Fit, Hypothesis, explains, fit, start
from parity.readings.optimizer.modifications import (
    clipped,
    decayed,
    finer,
    limited,
    modified,
    varied,
)
from parity.readings.optimizer.record import Record
from parity.readings.optimizer.rule import Rule, simulate
from parity.readings.optimizer.sampling import sample
from parity.readings.optimizer.settle import clean, complexity, regular, settled
from parity.readings.optimizer.table import FAMILIES, changes

POOL, FITTED, TRIED = 20_000, 1500, 300
"""Weights among which is searched, that a fit uses, and a first try."""
HOPELESS = 1e4
"""Roundings by which the first step may be missed."""
MOST = 3
"""Rules with a schedule for which another reason is looked for."""
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


@np.errstate(all="ignore")  # what is not finite explains nothing
def identify(record: Record, like: Rule | None = None) -> Identified:
    """The rules that explain a record: found on a sample, the plainest confirmed on all of it.

    Args:
        record: The steps of one side.
        like: Look only for what differs from this rule in one thing.
    """
    if not all(np.isfinite(x).all() for x in (record.change, record.gradient, record.before)):
        return Identified(())
    moving = record.at(~record.of(record.still)) if record.still else record
    pool = sample(moving, POOL)
    for _ in range(2):
        found = _identify(pool, like)
        rules = [rule for rule in found.rules if explains(rule, pool)]
        while rules and not explains(rules[0], moving):
            off = np.abs(moving.change - simulate(rules.pop(0), moving)) / moving.noise
            pool = moving.at(np.argpartition(-off.max(axis=0), POOL // 8)[: POOL // 8])
        if rules or not found.rules:
            break
    if not rules and (base := like or _of_largest(moving)):
        rules = [rule for rule in [with_exceptions(base, moving)] if rule]
        if not rules and moving is record and record.whole:
            rules = [rule for rule in limited(base, record) if explains(rule, record)]
    return replace(found, rules=tuple(replace(rule, frozen=record.still) for rule in rules))


def _identify(record: Record, like: Rule | None) -> Identified:
    """Try every hypothesis, the plainest first, until one explains the record."""
    search = _Search(record, like)
    if like is None:
        _everywhere(search, record)
    else:
        rule = replace(like, frozen=frozenset(), cap=np.inf, capped=frozenset())
        search.among(varied(rule, record))
        if not search.done:
            search.among(modified([Hypothesis(rule, tied=True)], record))
    rules = {_tidy(rule): None for rule in search.rules if regular(rule.rates)}
    # A schedule explains nothing that steps of one length do.
    known = like.rates if like else ()
    steady = [rule for rule in rules if len(set(rule.rates)) == 1 or rule.rates == known]
    rules = dict.fromkeys(steady) or rules
    return Identified(tuple(sorted(rules, key=search.order)), search.nearest)


def _everywhere(search: "_Search", record: Record) -> None:
    plain, common = list(members(rare=True)), list(members())
    search.among(plain)
    if search.rules:
        if not search.done:
            found = tuple(search.rules)
            same = [Hypothesis(replace(rule, rates=()), tied=True) for rule in found[:MOST]]
            search.among(modified(same, record))
            if not any(regular(rule.rates) for rule in search.rules):
                # Clipped steps look like a schedule that nobody would have planned.
                kin = [h for h in plain if any(_kin(h.rule, rule) for rule in found)]
                search.among(clipped(kin, ("norm", "global norm")))
        return
    for hypotheses in (
        search.unsettled(decayed(plain, record)),
        clipped(common),
        modified(common, record, rare=False),
        search.unsettled(clipped(decayed(common, record))),
    ):
        search.among(hypotheses)
        if search.rules:
            return


def members(rare: bool = False) -> Iterator[Hypothesis]:
    """Every family without clipping and coupled decay, those that are met most first."""
    for wanted in (False, True) if rare else (False,):
        for family, known in FAMILIES.items():
            for some in known:
                if some.rare == wanted:
                    yield from (Hypothesis(rule, some.free) for rule in some.rules(family))


def _of_largest(record: Record) -> Rule | None:
    """The plainest rule that explains the largest tensor, or the next, where there are several."""
    sizes = np.bincount(record.tensor)
    if np.count_nonzero(sizes) < 2:
        return None
    for tensor in sizes.argsort()[:-3:-1]:
        search = _Search(sample(record.at(record.tensor == tensor), POOL))
        search.among(members(rare=True))
        if found := min(filter(clean, search.rules), key=complexity, default=None):
            return found
    return None


def _kin(a: Rule, b: Rule) -> bool:
    return (a.family, a.epsilon_at, a.nesterov) == (b.family, b.epsilon_at, b.nesterov)


def _tidy(rule: Rule) -> Rule:
    """Without the kind of a decay, a clipping or an average that is not there."""
    if not rule.decay:
        rule = replace(rule, decay_kind="decoupled", spared=frozenset())
    if not np.isfinite(rule.clip):
        kept = rule.clip_epsilon if rule.normed else 0.0
        rule = replace(rule, clip_kind="value", clip_epsilon=kept)
    if not rule.average:
        rule = replace(rule, written=0, average_kind="exponential")
    return rule


class _Search:
    """The rules found so far, and what came nearest."""

    def __init__(self, record: Record, like: Rule | None = None) -> None:
        self.like = like
        self.some, self.few = sample(record, FITTED), sample(record, TRIED)
        self.rules: list[Rule] = []
        self.nearest: Fit | None = None
        self._early = self.few.until_it_moves()
        self._known: dict[object, float] = {}

    @property
    def done(self) -> bool:
        """Whether one of the rules is in round numbers, with the learning rates that are known."""
        return any(
            self.like.rates == rule.rates if self.like else clean(rule) for rule in self.rules
        )

    def order(self, rule: Rule) -> tuple[int, float]:
        """What is nearest to the known rule, or plain, comes first."""
        return len(changes(self.like, rule)) if self.like else 0, complexity(rule)

    def among(self, hypotheses: Iterable[Hypothesis]) -> None:
        """Try each, until one explains all in round numbers."""
        for hypothesis in hypotheses:
            miss = None if self.like else self._first_step(hypothesis)
            if miss is not None and miss > HOPELESS:
                continue
            found = fit(start(hypothesis, self.few), self.few)
            if found.share > NEAR:
                continue
            if found.miss > LIMIT / 2:
                rules = finer(found.rule)
                tried = [fit(replace(found.hypothesis, rule=rule), self.few) for rule in rules]
                found = min([found, *tried], key=lambda one: one.miss)
            found = fit(found.hypothesis, self.some)
            if self.nearest is None or found.miss < self.nearest.miss > LIMIT:
                self.nearest = found
            if found.miss <= LIMIT:
                self.rules += [r for r in settled(found, self.some) if explains(r, self.some)]
                if self.done:
                    return

    def unsettled(self, hypotheses: Iterable[Hypothesis]) -> Iterator[Hypothesis]:
        """Those with a decay of which the first step does not say that there is none."""
        for hypothesis in hypotheses:
            without = tuple(name for name in hypothesis.free if name not in ("decay", "clip"))
            bare = replace(hypothesis.rule, decay_kind="coupled", spared=frozenset())
            bare = replace(bare, clip_kind="value")
            first = self._first_step(Hypothesis(bare, without))
            if first is None or first > LIMIT:
                yield hypothesis

    def _first_step(self, hypothesis: Hypothesis) -> float | None:
        """What is missed of the first step, of which betas do not matter, in roundings.

        None where the first step, with a learning rate of 0, tells nothing.
        """
        rule, free = hypothesis.rule, hypothesis.free
        if self._early.steps > 1:
            return None
        if rule.clip_kind == "global norm":
            free = tuple(name for name in free if name != "clip")  # one step cannot tell it
        early = tuple(name for name in free if name in EARLY)
        done = (rule.signed, rule.clip_kind, rule.decay_kind, rule.spared)
        key = (_divides(rule), *done, rule if rule.repeats > 1 else None, early)
        if key not in self._known:
            begun = start(replace(hypothesis, free=early), self._early)
            self._known[key] = fit(begun, self._early).miss
        return self._known[key]


def _divides(rule: Rule) -> str:
    """What the first step divides a gradient by."""
    if rule.family in ("SGD", "RAdam"):
        return "nothing"
    if rule.family == "Lion":
        return "its size"
    return "its square and epsilon" if rule.epsilon_at == "inside" else "its size and epsilon"
