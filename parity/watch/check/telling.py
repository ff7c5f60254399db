"""What of the samples tells the targets, and whether the network sees it (NumPy only)."""

from collections.abc import Callable

import numpy as np

from parity.watch.check.cause import Belief, Match
from parity.watch.check.program import Array, Program
from parity.watch.check.training import RECURRENT
from parity.watch.fingerprint import sample

ENOUGH, MOST, MANY = 100, 500, 5000
"""Samples from which on this can be asked, of which neighbours are looked for, and of which single
features are looked at, at most."""
VALUES = 2**22
"""Numbers that are looked at together, at most."""
SHIFT = 3
"""Rows by which targets may be shifted."""
CERTAIN = 25.0
"""Share of a feature that the targets explain, times the samples, which is never chance: five
standard errors of a correlation."""
NEIGHBOURS = 5
DEALT = 40
"""Times that targets are dealt at random: what they come to is chance."""
TELLS = 0.2
"""Share of its variance that the targets explain of a feature which tells them by itself."""
UNSEEN = 1e-3
"""Part of the effect of other steps, below which one has none."""


def unrelated(program: Program, x: Array, targets: Array) -> Match | None:
    """Samples that tell no more of their targets than of such as are dealt at random.

    Neither a feature by itself nor the nearest neighbours of a sample do (Cover and Hart 1967): for
    pictures and tables that a network could learn, one of them does.

    Args:
        program: That has learned nothing, or by heart.
        x: Pictures or a table, [N, ...]; of words and sequences neighbours tell nothing.
        targets: Of these samples, [N, ...].
    """
    wanted = _wanted(program, targets)
    if wanted is None or x.dtype.kind not in "iuf" or len(x) < ENOUGH or not np.isfinite(x).all():
        return None
    if any(layer.kind in ("embedding", *RECURRENT) for layer in program.layers):
        return None
    x, wanted = x[:MANY].reshape(len(x[:MANY]), -1), wanted[:MANY]
    if _certain(x, wanted):
        return None
    some = sample(len(x), MOST)
    x, wanted, rng = _standardised(x[some]), _standardised(wanted[some]), np.random.default_rng(0)
    near = _neighbours(x)
    found = _relations(x, near, wanted)
    chance = np.max([_relations(x, near, rng.permutation(wanted)) for _ in range(DEALT)], axis=0)
    if (found > chance).any():
        return None
    return Match(
        "samples and targets have nothing to do with each other, as far as can be seen",
        f"no feature by itself, and none of the {NEIGHBOURS} nearest neighbours of a sample, tells "
        f"more of the targets than of such as are dealt at random ({len(x)} samples)",
        "Look whether x and y are still in the same order: shuffle both by one permutation, read "
        "both from one list; else whether the samples tell the targets at all",
        Belief.LIKELY,
    )


def shifted(program: Program, x: Array, targets: Array) -> Match | None:
    """Targets that tell nothing of their own rows, and much of those beside them.

    Args:
        program: That has learned nothing, or by heart.
        x: Pictures or a table, [N, ...], in the order in which they are given.
        targets: Of these samples, [N, ...].
    """
    wanted = _wanted(program, targets)
    if wanted is None or x.dtype.kind not in "iuf" or len(x) < ENOUGH:
        return None
    count = min(len(x), MANY, max(VALUES // max(x[0].size, 1), ENOUGH))
    features = x.shape[2] if x.ndim == 3 else 1
    x, wanted = x[:count].reshape(count, -1), wanted[:count]
    if not np.isfinite(x).all() or _certain(x[:MOST], wanted[:MOST]):
        return None
    if x.shape[1] > features and np.array_equal(x[1:, :-features], x[:-1, features:]):
        return None  # windows of one series, each a step on, meet their targets further down
    x, wanted = _standardised(x), _standardised(wanted)

    def tells(by: int) -> float:
        own, other = x[max(by, 0) : count + min(by, 0)], wanted[max(-by, 0) : count - max(by, 0)]
        return float(_explained(own, other).max())

    told = {by: tells(by) for by in range(-SHIFT, SHIFT + 1)}
    own = told.pop(0)
    *_, second, best = sorted(told, key=lambda by: told[by])
    if told[best] * count < 2 * CERTAIN or own * count > CERTAIN / 2:
        return None
    if told[second] > told[best] / 2:  # windows of a series: what comes next is in all later ones
        return None
    return Match(
        f"the targets are shifted by {abs(best)} against their samples",
        f"the target of a row explains {told[best]:.0%} of a feature {abs(best)} "
        f"row{'s' * (abs(best) > 1)} {'later' if best > 0 else 'earlier'}, and of its own row "
        f"{own:.1%} at most",
        "Look where rows are dropped or skipped in one of the two only, as a header is; where rows "
        "follow each other in time and this is meant, they tell nothing of what comes next",
        Belief.LIKELY,
    )


def unseen(
    program: Program, x: Array, targets: Array, answer: Callable[[Array], Array]
) -> Match | None:
    """A step of sequences that tells the targets, and that the network's answers do not depend on.

    Args:
        program: That has learned nothing.
        x: Sequences of numbers, [N, T, F].
        targets: Of these samples, [N, ...].
        answer: Asks the network.
    """
    wanted = _wanted(program, targets)
    if wanted is None or x.ndim != 3 or x.dtype.kind != "f" or len(x) < ENOUGH:
        return None
    wanted, steps = _standardised(wanted), x.shape[1]
    tells = [float(_explained(_standardised(x[:, step]), wanted).max()) for step in range(steps)]
    best = int(np.argmax(tells))
    if tells[best] < TELLS:
        return None
    now = answer(x)

    def effect(step: int) -> float:
        other = x.copy()
        other[:, step] = np.roll(x[:, step], 1, axis=0)
        return float(np.abs(answer(other) - now).mean())

    most = max(effect(step) for step in {steps - 1, steps - 2, steps // 2, 0})
    if not effect(best) < UNSEEN * most:
        return None
    forgets = any(layer.kind == "rnn" for layer in program.layers)
    return Match(
        "the network does not see the steps that tell the targets",
        f"step {best + 1} of {steps} explains {tells[best]:.0%} of the targets; exchanging it "
        f"between samples changes the answers {effect(best) / most:.1g} times as much as others do",
        "A simple recurrent layer forgets within some dozen steps: use an LSTM or GRU, or shorter "
        "sequences"
        if forgets
        else "Look at what cuts them off: a mask, a slice, a layer that takes the last step only",
        Belief.LIKELY,
    )


def _wanted(program: Program, targets: Array) -> Array | None:
    """Targets as columns of numbers [N, C]; None where they are none."""
    if program.task is None or targets.dtype.kind not in "iufb" or program.same_as_inputs:
        return None
    rows = targets.reshape(len(targets), -1).astype(np.float64)
    if program.task in ("classes", "binary") and rows.shape[1] == 1:
        names = np.unique(rows)
        rows = (rows == names).astype(np.float64) if len(names) > 2 else rows
    return rows if np.isfinite(rows).all() else None


def _relations(x: Array, near: Array, wanted: Array) -> Array:
    """How much the best feature, and the neighbours, tell; standardised arguments."""
    around = wanted[near].mean(axis=1)
    return np.array([_explained(x, wanted).max(), abs(float((around * wanted).mean()))])


def _certain(x: Array, wanted: Array) -> bool:
    """Whether a feature tells the targets by itself; arguments as they are."""
    rows = _standardised(x.reshape(len(x), -1))
    return bool(_explained(rows, _standardised(wanted)).max() * len(rows) > CERTAIN)


def _explained(x: Array, wanted: Array) -> Array:
    """Share of each feature's variance [F] that the best column of the targets explains."""
    explained: Array = ((x.T @ wanted / len(x)) ** 2).max(axis=1)
    return explained


def _neighbours(x: Array) -> Array:
    """Places of the nearest samples, int64 [N, NEIGHBOURS]."""
    squares = (x**2).sum(axis=1)
    apart = squares[:, None] - 2 * x @ x.T + squares
    np.fill_diagonal(apart, np.inf)
    return np.argpartition(apart, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]


def _standardised(values: Array) -> Array:
    values = values.astype(np.float64)
    deviation = values.std(axis=0)
    scaled: Array = (values - values.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    return scaled
