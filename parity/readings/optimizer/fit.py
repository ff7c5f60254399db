"""A hypothesis about an update rule, and the residual that it leaves in recorded steps.

For given betas, epsilon, ... the learning rate and decoupled decay of each step are a linear least
squares problem of two unknowns; only the rest is searched: first on a coarse grid, then by
Levenberg and Marquardt, which ends at rounding where the rule is right.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import leastsq

from parity.arrays import Floats
from parity.readings.optimizer.numbers import SCALES, TINY, Scale
from parity.readings.optimizer.record import Record
from parity.readings.optimizer.rule import Rule, averaged, decayed, simulate, updates

Setter = Callable[[Rule, Mapping[str, float]], Rule]
LIMIT = 64.0
"""Roundings by which a recorded update may miss the rule that made it."""
EARLY = ("clip", "epsilon", "decay", "accumulator")
"""What the first step alone can tell."""
FOLLOWED = 3
"""Points of a grid from which the search goes on."""


@dataclass(frozen=True)
class Hypothesis:
    """A rule of which some numbers are open.

    Attributes:
        rule: Everything that is settled.
        free: Fields of `rule` that are fitted; the learning rates always are.
        tied: All steps have the same learning rate, or multiples of the rule's rates by one number.
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


def explains(rule: Rule, record: Record) -> bool:
    """Whether rounding accounts for all that the rule misses of the recorded updates."""
    off = np.abs(record.change - simulate(rule, record)) / record.noise
    return bool(np.nan_to_num(off, nan=1e20).max(initial=0.0) <= LIMIT)


def linear(hypothesis: Hypothesis, record: Record) -> tuple[tuple[float, ...], Floats, Floats]:
    """The best rates, the shares [T] and what is missed [T, N], in roundings."""
    rule, steps = hypothesis.rule, record.steps
    decay = None if rule.decay_kind == "coupled" else averaged(rule, decayed(rule, record))
    if hypothesis.tied:
        profile = np.array(rule.rates[:steps] or (1.0,) * steps)
        moved = averaged(rule, updates(rule, record, tuple(profile.tolist())))
        decay = None if decay is None else decay * profile[:, None]
        change, noise, row = (x.reshape(1, -1) for x in (record.change, record.noise, moved))
        rate, share = _pairs(change, noise, row, None if decay is None else decay.reshape(1, -1))
        rates, shares = rate * profile, share * profile
        moved = moved * rate
        decay = None if decay is None else decay * share
    else:
        rates, shares, moved = _each(rule, record, decay)
        decay = None if decay is None else decay * shares[:, None]
    left = record.change + moved
    return tuple(rates.tolist()), shares, (left if decay is None else left + decay) / record.noise


def _each(rule: Rule, record: Record, decay: Floats | None) -> tuple[Floats, Floats, Floats]:
    """A rate and a share for each step: rates, shares [T], updates [T, N]."""
    steps = record.steps
    if not rule.rate_inside:
        moved = updates(rule, record, (1.0,) * steps)
        rates, shares = _pairs(record.change, record.noise, moved, decay)
        return rates, shares, moved * rates[:, None]
    rates, shares = np.zeros((2, steps))
    total = np.zeros(record.before.shape)
    for t in range(steps):  # a rate acts on all later steps, too
        alone = updates(rule, record, tuple(float(s == t) for s in range(steps)))
        now = None if decay is None else decay[[t]]
        rest = record.change[[t]] + total[[t]]
        rates[[t]], shares[[t]] = _pairs(rest, record.noise[[t]], alone[[t]], now)
        total = total + rates[t] * alone
    return rates, shares, total


def _pairs(
    change: Floats, noise: Floats, moved: Floats, decay: Floats | None
) -> tuple[Floats, Floats]:
    """Of each row [R, M] the rate and the share [R] that explain the change best."""
    y, u = -change / noise, moved / noise
    uu, uy = np.vecdot(u, u), np.vecdot(u, y)
    still = ~((uu > 0) & (uu < np.inf))
    uu[still], uy[still] = 1.0, 0.0
    if decay is None:
        return uy / uu, np.zeros(len(uy))
    w = decay / noise
    ww, uw, wy = np.vecdot(w, w), np.vecdot(u, w), np.vecdot(w, y)
    alike = still | (uu * ww - uw * uw <= 1e-10 * uu * ww)
    ww[alike], uw[alike], wy[alike] = 1.0, 0.0, 0.0
    determinant = uu * ww - uw * uw
    return (uy * ww - wy * uw) / determinant, (wy * uu - uy * uw) / determinant


@np.errstate(all="ignore")  # what is not finite explains nothing
def fit(hypothesis: Hypothesis, record: Record, having: Setter = Rule.having) -> Fit:
    """The open numbers from where they are to where they fit best, set by `having`."""
    if hypothesis.free:
        scales = [SCALES[name] for name in hypothesis.free]

        def missing(x: Floats) -> Floats:
            return _bounded(linear(_with(hypothesis, scales, x, having), record)[2]).ravel()

        x = [
            s.free(getattr(hypothesis.rule, n))
            for n, s in zip(hypothesis.free, scales, strict=True)
        ]
        how = {"ftol": 1e-14, "xtol": 1e-14, "gtol": 1e-8, "maxfev": 120 * (1 + len(x))}
        best, *_ = leastsq(missing, x, full_output=True, diag=np.ones(len(x)), **how)
        hypothesis = _with(hypothesis, scales, best, having)
    rates, shares, left = linear(hypothesis, record)
    off = np.abs(_bounded(left))
    largest = max(float(np.abs(record.change).max()), TINY)
    share = float((off * record.noise).max()) / largest
    rule = hypothesis.rule.having({"rates": rates})
    return Fit(replace(hypothesis, rule=rule), shares, float(off.max()), share)


def _with(
    hypothesis: Hypothesis, scales: list[Scale], x: Iterable[float], having: Setter
) -> Hypothesis:
    values = {n: s.bound(float(v)) for n, s, v in zip(hypothesis.free, scales, x, strict=True)}
    return replace(hypothesis, rule=having(hypothesis.rule, values))


def _bounded(left: Floats) -> Floats:
    left[~(np.abs(left) < 1e20)] = 1e20
    return left


def start(hypothesis: Hypothesis, record: Record) -> Hypothesis:
    """The hypothesis at the point of the grid that misses least."""
    early = [name for name in hypothesis.free if name in EARLY]
    # The norm of all gradients shows in how the steps compare.
    seen = record if hypothesis.rule.clip_kind == "global norm" else record.until_it_moves()
    hypothesis = _nearest(hypothesis, early, seen)
    late = [name for name in hypothesis.free if name not in EARLY]
    if not late:
        return hypothesis
    # Of the last number, several values are followed: the nearest to begin with may mislead.
    best: dict[float, Hypothesis] = {}
    grids = [SCALES[name].grid[:: 2 if len(late) > 2 else 1] for name in late]
    for point in _ranked(hypothesis, late, grids, record):
        best.setdefault(getattr(point.rule, late[-1]), point)
    begun = [replace(point, free=tuple(late)) for point in list(best.values())[:FOLLOWED]]
    found = min((fit(point, record, _moved) for point in begun), key=lambda one: one.miss)
    return replace(found.hypothesis, free=hypothesis.free)


def _nearest(hypothesis: Hypothesis, names: list[str], record: Record) -> Hypothesis:
    """The point of the grid of these numbers that misses least.

    Of two numbers every second value is tried, of three every third, and then all around the best.
    """
    grids, step = [_grid(name, hypothesis.rule, record) for name in names], len(names)
    best = _ranked(hypothesis, names, [grid[::step] for grid in grids], record)[0]
    places = [grid.index(getattr(best.rule, name)) for grid, name in zip(grids, names, strict=True)]
    around = [g[max(n - step + 1, 0) : n + step] for g, n in zip(grids, places, strict=True)]
    return _ranked(hypothesis, names, around, record)[0]


def _grid(name: str, rule: Rule, record: Record) -> tuple[float, ...]:
    return _thresholds(rule, record) if name == "clip" else SCALES[name].grid


def _ranked(
    hypothesis: Hypothesis, names: list[str], grids: Iterable[Iterable[float]], record: Record
) -> list[Hypothesis]:
    """The points of a grid of these numbers, the one that misses least first."""
    points = [
        replace(hypothesis, rule=_moved(hypothesis.rule, dict(zip(names, point, strict=True))))
        for point in itertools.product(*grids)
    ]
    if len(points) == 1:
        return points
    return sorted(points, key=lambda point: _typical(linear(point, record)[2]))


def _thresholds(rule: Rule, record: Record) -> tuple[float, ...]:
    """Thresholds that clip different parts of the recorded gradients."""
    if rule.clip_kind == "value":
        sizes = np.abs(record.gradient)
        shares = [*np.arange(0, 0.9, 0.1), *(1 - np.geomspace(0.1, 1e-3, 9)), 1]
        return tuple((0.999 * np.quantile(sizes[sizes > 0], shares)).tolist() or [1.0])
    norms = record.norms if rule.clip_kind == "norm" else np.hypot.reduce(record.norms, axis=1)
    sizes = np.unique(norms[norms > 0])
    if len(sizes) == 0:
        return (1.0,)
    # Between two norms, what is clipped stays the same.
    between = max(1, 20 // len(sizes))
    places = (
        np.linspace(0, len(sizes) - 1, between * min(len(sizes) - 1, 20) + 1)[1:] - 0.5 / between
    )
    inner = np.exp(np.interp(places, np.arange(len(sizes)), np.log(sizes)))
    return (0.3 * float(sizes[0]), *inner.tolist())


def _moved(rule: Rule, settings: Mapping[str, float]) -> Rule:
    """With these settings, and an epsilon that leaves the first step as it is."""
    if "beta_2" in settings and (rule.family == "RMSprop" or rule.epsilon_at != "last"):
        ratio = (1 - settings["beta_2"]) / (1 - rule.beta_2)
        inside = rule.epsilon_at == "inside"
        settings = {**settings, "epsilon": rule.epsilon * (ratio if inside else ratio**0.5)}
    return rule.having(settings)


def _typical(left: Floats) -> float:
    """Robust: most weights say more than the worst."""
    return float(np.log1p(np.square(_bounded(left))).mean())
