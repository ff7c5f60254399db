"""Which optimiser, with which settings, makes the recorded steps of its own gradients."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from parity.readings.optimizer.fit import LIMIT, Fit, Hypothesis, fit, prefix, start
from parity.readings.optimizer.grids import EARLY
from parity.readings.optimizer.hypotheses import (
    clipped,
    common,
    decayed,
    finer,
    neighbours,
    plain,
    repeated,
)
from parity.readings.optimizer.record import Record, sample
from parity.readings.optimizer.rules import Rule, simulate
from parity.readings.optimizer.settle import clean, complexity, explains, settled

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


def identify(record: Record, like: Rule | None = None) -> Identified:
    """The rules that explain a record: found on a sample, the plainest confirmed on all of it.

    Args:
        record: The steps of one side.
        like: Look only in the neighbourhood of this rule, which has fewer numbers to find.
    """
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
    return replace(found, rules=tuple(replace(rule, frozen=record.still) for rule in rules))


def _identify(record: Record, like: Rule | None) -> Identified:
    """Try every hypothesis, the plainest first, until one explains the record."""
    search = _Search(record)
    if like is None:
        _everywhere(search)
    else:
        search.among(neighbours(like))
    rules = {_tidy(rule): None for rule in search.rules}
    return Identified(tuple(sorted(rules, key=complexity)), search.nearest)


def _everywhere(search: "_Search") -> None:
    search.among(plain())
    if search.rules:
        if not search.steady:  # clipped steps look like a schedule
            kin = [h for h in plain() if any(_kin(h.rule, rule) for rule in search.rules)]
            search.among(clipped(kin, ("norm", "global norm")))
        return
    for hypotheses in (
        search.unsettled(decayed(plain())),
        clipped(common()),
        repeated(common()),
        search.unsettled(clipped(decayed(common()))),
    ):
        search.among(hypotheses)
        if search.rules:
            return


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
            first = self._first_step(hypothesis)
            if first is not None and first > HOPELESS:
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
                self.rules += [r for r in settled(found, self.some) if explains(r, self.some)]
                if any(clean(rule) for rule in self.rules):
                    return

    def unsettled(self, hypotheses: Iterable[Hypothesis]) -> Iterator[Hypothesis]:
        """Those with a decay of which the first step does not say that there is none."""
        for hypothesis in hypotheses:
            without = tuple(name for name in hypothesis.free if name not in ("decay", "clip"))
            bare = replace(hypothesis.rule, decay_kind="coupled", decay_matrices=False)
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
        shape = rule.family if rule.family == "SGD" else rule.epsilon_last or rule.family == "Adam"
        kinds = (rule.clip_kind, rule.decay_kind, rule.decay_matrices)
        key = (shape, early, kinds, rule if rule.repeats > 1 else None)
        if key not in self._known:
            begun = start(replace(hypothesis, free=early), self._early)
            self._known[key] = fit(begun, self._early).miss
        return self._known[key]
