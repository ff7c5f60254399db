"""Fits the numbers of an update rule to recorded steps.

For given betas, epsilon, ... the learning rate and decoupled decay of each step are a linear least
squares problem of two unknowns; only the rest is searched: first on a coarse grid, then by
Levenberg and Marquardt, which ends at rounding where the rule is right.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import least_squares

from parity.readings.optimizer.grids import EARLY, SCALES, TINY, Scale, thresholds
from parity.readings.optimizer.record import Floats, Record
from parity.readings.optimizer.rules import Rule, decays, updates

Setter = Callable[[Rule, Mapping[str, float]], Rule]
LIMIT = 64.0
"""Roundings by which a recorded update may miss the rule that made it."""


@dataclass(frozen=True)
class Hypothesis:
    """A rule of which some numbers are open.

    Attributes:
        rule: Everything that is settled.
        free: Fields of `rule` that are fitted; the learning rates always are.
        tied: All steps have the same learning rate.
    """

    rule: Rule
    free: tuple[str, ...] = ()
    tied: bool = False


@dataclass(frozen=True)
class Fit:
    """A hypothesis with its open numbers fitted.

    Attributes:
        hypothesis: With the numbers and the rates that fit best.
        shares: Part of the weights that each step took off besides (decoupled decay), float64 [T].
        miss: Largest difference of the updates, in roundings.
        share: The same as a part of the largest update.
    """

    hypothesis: Hypothesis
    shares: Floats
    miss: float
    share: float

    @property
    def rule(self) -> Rule:
        """The fitted rule, without decoupled decay."""
        return self.hypothesis.rule


FOLLOWED = 3
"""Points of a grid from which the search goes on."""


def linear(hypothesis: Hypothesis, record: Record) -> tuple[Rule, Floats, Floats]:
    """The rule with its best rates, the shares [T] and what is missed [T, N], in roundings."""
    rule, steps = hypothesis.rule, record.steps
    decayed = None if rule.decay_kind == "coupled" else record.before * decays(rule, record)
    if hypothesis.tied:
        moved = updates(rule, record, (1.0,) * steps)
        rate, share = _pair(record, moved, decayed, slice(None))
        rates, shares = [rate] * steps, np.full(steps, share)
        moved = moved * rate
    else:
        rates, shares, moved = _each(rule, record, decayed)
    missed = record.change + moved
    if decayed is not None:
        missed = missed + shares[:, None] * decayed
    return replace(rule, rates=tuple(map(float, rates))), shares, missed / record.noise


def _each(rule: Rule, record: Record, decayed: Floats | None) -> tuple[list[float], Floats, Floats]:
    """A rate and a share for each step: rates, shares [T], updates [T, N]."""
    steps = record.steps
    rates: list[float] = []
    shares = np.zeros(steps)
    if not rule.rate_inside:
        moved = updates(rule, record, (1.0,) * steps)
        for t in range(steps):
            rate, shares[t] = _pair(record, moved, decayed, t)
            rates.append(rate)
        return rates, shares, moved * np.array(rates)[:, None]
    total = np.zeros(record.before.shape)
    for t in range(steps):  # a rate acts on all later steps, too
        alone = updates(rule, record, tuple(float(s == t) for s in range(steps)))
        rest = replace(record, change=record.change + total)
        rate, shares[t] = _pair(rest, alone, decayed, t)
        rates.append(rate)
        total = total + rate * alone
    return rates, shares, total


def _pair(
    record: Record, moved: Floats, decayed: Floats | None, t: int | slice
) -> tuple[float, float]:
    """Rate and share that explain the change of these steps best."""
    noise = record.noise[t]
    y, u = (-record.change[t] / noise).ravel(), (moved[t] / noise).ravel()
    uu, uy = float(u @ u), float(u @ y)
    if not uu > 0 or not np.isfinite(uu):
        return 0.0, 0.0
    if decayed is None:
        return uy / uu, 0.0
    w = (decayed[t] / noise).ravel()
    ww, uw, wy = float(w @ w), float(u @ w), float(w @ y)
    determinant = uu * ww - uw * uw
    if determinant <= 1e-10 * uu * ww:
        return uy / uu, 0.0
    return (uy * ww - wy * uw) / determinant, (wy * uu - uy * uw) / determinant


def fit(hypothesis: Hypothesis, record: Record, having: Setter = Rule.having) -> Fit:
    """The open numbers from where they are to where they fit best, set by `having`."""
    if hypothesis.free:
        scales = [SCALES[name] for name in hypothesis.free]

        def missed(x: Floats) -> Floats:
            return _bounded(linear(_with(hypothesis, scales, x, having), record)[2]).ravel()

        x = [
            s.free(getattr(hypothesis.rule, n))
            for n, s in zip(hypothesis.free, scales, strict=True)
        ]
        found = least_squares(missed, x, method="lm", ftol=1e-14, xtol=1e-14, max_nfev=120)
        hypothesis = _with(hypothesis, scales, found.x, having)
    rule, shares, left = linear(hypothesis, record)
    off = np.abs(_bounded(left))
    largest = max(float(np.abs(record.change).max()), TINY)
    share = float((off * record.noise).max()) / largest
    return Fit(replace(hypothesis, rule=rule), shares, float(off.max()), share)


def _with(
    hypothesis: Hypothesis, scales: list[Scale], x: Iterable[float], having: Setter
) -> Hypothesis:
    values = {n: s.bound(float(v)) for n, s, v in zip(hypothesis.free, scales, x, strict=True)}
    return replace(hypothesis, rule=having(hypothesis.rule, values))


def _bounded(missed: Floats) -> Floats:
    missed[~(np.abs(missed) < 1e20)] = 1e20
    return missed


def start(hypothesis: Hypothesis, record: Record) -> Hypothesis:
    """The hypothesis at the point of the grid that misses least."""
    early = [name for name in hypothesis.free if name in EARLY]
    # The norm of all gradients shows in how the steps compare.
    seen = record if hypothesis.rule.clip_kind == "global norm" else prefix(record)
    hypothesis = _ranked(hypothesis, early, seen)[0]
    late = [name for name in hypothesis.free if name not in EARLY]
    if not late:
        return hypothesis
    # Of the last number, several values are followed: the nearest to begin with may mislead.
    best: dict[float, Hypothesis] = {}
    for point in _ranked(hypothesis, late, record):
        best.setdefault(getattr(point.rule, late[-1]), point)
    begun = [replace(point, free=tuple(late)) for point in list(best.values())[:FOLLOWED]]
    found = min((fit(point, record, _moved) for point in begun), key=lambda one: one.miss)
    return replace(found.hypothesis, free=hypothesis.free)


def prefix(record: Record) -> Record:
    """The steps up to the first that changed anything."""
    moved = np.flatnonzero(record.change.any(axis=1))
    return record.first(int(moved[0]) + 1 if len(moved) else 1)


def _ranked(hypothesis: Hypothesis, names: list[str], record: Record) -> list[Hypothesis]:
    """The points of the grid of these numbers, the one that misses least first."""
    rule = hypothesis.rule
    grids = [thresholds(rule, record) if n == "clip" else SCALES[n].grid for n in names]
    if len(names) > 2:
        grids = [grid[::2] for grid in grids]
    points = [
        replace(hypothesis, rule=_moved(rule, dict(zip(names, point, strict=True))))
        for point in itertools.product(*grids)
    ]
    return sorted(points, key=lambda point: _typical(linear(point, record)[2]))


def _moved(rule: Rule, settings: Mapping[str, float]) -> Rule:
    """With these settings, and an epsilon that leaves the first step as it is."""
    if "beta_2" in settings and (rule.family == "RMSprop" or not rule.epsilon_last):
        ratio = (1 - settings["beta_2"]) / (1 - rule.beta_2)
        inside = rule.family == "RMSprop" and not rule.epsilon_last
        settings = {**settings, "epsilon": rule.epsilon * (ratio if inside else ratio**0.5)}
    return rule.having(settings)


def _typical(missed: Floats) -> float:
    """Robust: most weights say more than the worst."""
    return float(np.log1p(np.square(_bounded(missed))).mean())
