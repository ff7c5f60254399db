"""The fewest steps after which images look like those that are seen (NumPy only)."""

from collections import Counter
from dataclasses import replace

from parity.watch.pixels.likeness import turned
from parity.watch.pixels.look import Look
from parity.watch.pixels.rivals import (
    CLEARLY,
    RESEMBLES,
    Found,
    as_common,
    best_among,
    is_rare,
    name_of,
    of_a_sort,
    rival_of,
    wraps,
)
from parity.watch.pixels.textures import PENS
from parity.watch.pixels.tilt import OWN
from parity.watch.pixels.transforms import steps
from parity.watch.pixels.trial import ALIKE, FITS, ORDER, STRICT, Trial
from parity.watch.pixels.turns import Step, closer

DEEPEST = 2
"""Steps at most that are put together, beside a turn."""
BEAM = 3
"""Explanations that are kept from one number of steps to the next."""
FINAL = 6
"""Of each number of steps, those that are held against all examples."""
SHORTLIST = 3
"""Steps of a kind that are tried together with others."""
LEAVES = 0.4
"""Share of the largest difference that an explanation leaves at most."""
LEAVES_AT_RANDOM = 0.28
"""The same of what hides another place in each image: that is nearly what fewer classes are."""
EXACT = 1.2
"""Largest difference after arithmetic in integers, which has no dose that might be a little off."""
GLANCE = 8
"""Images on which every step is tried, to try those of some promise on more."""
PROMISING = 24
"""Steps of most promise."""
MUCH = 20.0
"""Cost of many small differences together, three times as much as that of other images."""
LEFT = 15.0
"""The same that an explanation leaves at most; one of letters by digits leaves more."""
REFINED = 3
"""Explanations of different steps whose doses are measured anew."""
WELL = 5.0
"""Cost from which on one step leaves enough for another that may explain it."""
EARNS = 3.0
"""Ratio of the costs by which a step must better what fits, or nearly, without it."""
TILT = 30
"""Degrees up to which a rotation is measured as well as it is tried."""
LIES = {"turn", "place"}
"""Kinds of steps that say how the ink lies, whatever its strokes and its size."""
ALONE = {"mix", "cut"}
"""Kinds of steps that are put together with no other: they resemble too much."""


def search(start: Trial, then: Look, now: Look) -> Found:
    """Explain what is seen by more than what is certain, or find nothing to explain."""
    found = _either_way_up(start, then, now)
    chance = not found.explains and start.may_be_chance(now)
    return Found(start, explains=True) if chance else found


def _either_way_up(start: Trial, then: Look, now: Look) -> Found:
    """Upright, then turned if a turn surely helps; steps that leave it so are none."""
    upright = _search(start, then, now)
    rare = is_rare(upright.trial)
    turn = turned(then, now)
    if turn is None:
        return upright
    leans = bool(upright.trial.taken) and turned(upright.trial.look, now) is not None
    if upright.explains and abs(turn.degrees or 90) <= TILT and not rare and not leans:
        return upright
    ways = [turn, *closer(turn)]
    tried = Trial.each(then, now, [(*start.taken, way) for way in ways])
    other = _search(_nearest(tried, then, now)[0], then, now)
    if leans and abs(turn.degrees or 90) <= TILT and upright.explains:
        return other if other.explains and other.trial.cost < upright.trial.cost else upright
    if turned(upright.trial.look, now) is not None:
        return other
    if rare and upright.explains:  # or a rotation and something more, which a swirl resembles
        clearly = other.explains and CLEARLY * other.trial.cost < upright.trial.cost
        return other if clearly else upright
    best, rest = sorted(
        (upright, other), key=lambda f: (not f.explains, len(f.trial.taken), f.trial.cost)
    )
    if len(rest.trial.taken) <= len(best.trial.taken):
        rival = best.rival or rival_of(best.trial, [rest.trial])
        return Found(best.trial, best.explains and not rival, rival)
    return best


def _search(start: Trial, then: Look, now: Look) -> Found:
    """One step more at a time; after the first, only those of each kind that did best alone."""
    sure = len(start.taken)
    if start.worst < (ALIKE if sure == 0 else FITS) and start.cost < MUCH:
        return Found(start, explains=True)
    best, beam = start, [start]
    worth: set[Step] | None = None
    doubt: Found | None = None
    single: Found | None = None
    for depth in range(DEEPEST):
        ways = _ways(beam, worth, now)
        if not ways:
            break
        if worth is None:
            ways = _promising(ways, then, now)
        elif not {"pen", "size"} & start.kinds:
            ways += _in_pairs(beam, start, then, now)
        tried = Trial.each(then, now, ways)
        if worth is None:
            worth = _best_of_each_kind(sorted(tried, key=lambda t: t.cost), start)
        final = _refined(_nearest(_unlike(tried), then, now), then, now)
        most = FITS if depth == 0 else STRICT
        fits = [t for t in final if t.worst < _limit(t, most, start) and t.cost < LEFT]
        common = as_common(fits, final) if fits else []
        if single is not None and not (fits and EARNS * fits[0].cost < single.trial.cost):
            return doubt or single
        if fits and not common:
            # Each step must earn its place: what is a little off invites another to mend it.
            simpler = [t for t in beam if set(t.taken) < set(fits[0].taken) and t.taken]
            if simpler and CLEARLY * fits[0].cost > simpler[0].cost:
                return doubt or Found(simpler[0], explains=False)
            single = best_among(fits, final)
            if depth > 0 or single.trial.cost < WELL:
                return single
        if common:  # unless something more explains it better, it is one or the other
            doubt = doubt or replace(best_among([*fits, *common], final), explains=False)
        elif min(trial.worst for trial in final) < ALIKE:
            single = single or Found(final[0], explains=False)  # hardly enough, and little left
        beam = _unlike([*final, *beam])[:BEAM]
        best = beam[0]
    return doubt or single or Found(best, explains=False)


def _ways(beam: list[Trial], worth: set[Step] | None, now: Look) -> list[tuple[Step, ...]]:
    """One step more than each trial of the beam, where not all are, only of those of worth."""
    return [
        (*trial.taken, step)
        for trial in beam
        for step in steps(trial.look, now)
        if step.kind not in trial.kinds
        and not (worth is not None and ALONE & {step.kind, *trial.kinds})
        and (worth is None or step in worth or step.measured)
    ]


def _refined(trials: list[Trial], then: Look, now: Look) -> list[Trial]:
    """With how much was done of each step measured and tried anew, the others being done."""
    if len(trials[0].taken) < 2 or (trials[0].cost <= WELL and not is_rare(trials[0])):
        return trials
    tried = list(trials)
    unlike = {frozenset(name_of(trial)): trial for trial in reversed(trials)}
    for trial in sorted(unlike.values(), key=lambda trial: trial.cost)[:REFINED]:
        for step in trial.taken:
            others = tuple(other for other in trial.taken if other is not step)
            look = Trial.of(then, now, *others).look
            kinds = {step.kind, RESEMBLES.get(step.kind, step.kind)}
            ways = (*steps(look, now, kinds), *closer(step))
            tried += Trial.each(then, now, [(*others, s) for s in ways if of_a_sort(s, step)])
    return _nearest(tried, then, now)


def _nearest(tried: list[Trial], then: Look, now: Look) -> list[Trial]:
    """Those that did best on some images, tried on all, the best one first."""
    best = sorted(tried, key=lambda trial: trial.cost)[:FINAL]
    final = Trial.each(then, now, [trial.taken for trial in best], images=None)
    return sorted(final, key=lambda trial: trial.cost)


def _limit(trial: Trial, most: float, start: Trial) -> float:
    """The largest difference that a trial may leave, at most so much; after a turn always 1."""
    if len(trial.taken) > 1 and is_rare(trial):
        most = min(most, 1.0 if trial.cost < WELL else 0.0)
    leaves = LEAVES_AT_RANDOM if "cut" in trial.kinds else LEAVES
    share = max(leaves * start.worst, float(bool(start.taken)))
    return min(most, EXACT if wraps(trial) else most, share)


def _promising(ways: list[tuple[Step, ...]], then: Look, now: Look) -> list[tuple[Step, ...]]:
    """Those that do well on a few images, of each kind some; what is measured needs more images."""
    unmeasured = [way for way in ways if not way[-1].measured]
    glances = Trial.each(then, now, unmeasured, GLANCE) if unmeasured else []
    costs = {way: trial.cost for way, trial in zip(unmeasured, glances, strict=True)}
    left = sorted(costs, key=lambda way: costs[way])
    of_a_kind = Counter[str]()
    chosen = []
    for place, way in enumerate(left):
        of_a_kind[way[-1].kind] += 1
        if place < PROMISING or of_a_kind[way[-1].kind] <= SHORTLIST:
            chosen.append(way)
    return [*chosen, *(way for way in ways if way[-1].measured)]


def _unlike(trials: list[Trial]) -> list[Trial]:
    """The best ones first, and of those that differ only in how much was done, the best two."""
    names = Counter[frozenset[str]]()
    result = []
    for trial in sorted(trials, key=lambda trial: trial.cost):
        names[frozenset(name_of(trial))] += 1
        if names[frozenset(name_of(trial))] <= 2:
            result.append(trial)
    return result


def _best_of_each_kind(tried: list[Trial], start: Trial) -> set[Step]:
    alone = [next(step for step in trial.taken if step not in start.taken) for trial in tried]
    return {
        step for kind in ORDER for step in [step for step in alone if step.kind == kind][:SHORTLIST]
    }


def _in_pairs(beam: list[Trial], start: Trial, then: Look, now: Look) -> list[tuple[Step, ...]]:
    """How the ink lies, measured after each pen and each size: it is another then.

    Of what else is measured, only what did best alone.
    """
    best = [step for trial in beam for step in trial.taken if step not in start.taken]
    names, kinds = {step.name for step in best}, LIES | {step.kind for step in best}
    sizes = [s for s in steps(start.look, now, ["size"]) if s.measured and not s.rare]
    trials = Trial.each(then, now, [(*start.taken, first) for first in (*PENS, *sizes)])
    return [
        (*trial.taken, step)
        for trial in _unlike(trials)
        for step in steps(trial.look, now, kinds - trial.kinds)
        if step.measured
        and (step.name in names or (step.kind in LIES and not (step.rare or step.words in OWN)))
    ]
