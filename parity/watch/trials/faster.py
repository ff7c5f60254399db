"""Remedies beside Adam, for an optimiser that gets nowhere with any one of them (NumPy only)."""

from collections.abc import Sequence
from dataclasses import replace

from parity.watch.check import Belief, Change, Match, Program, Remedy
from parity.watch.check.data import numeric, scale_of

RATES = (0.001, 0.01)
"""Of Adam: a few sigmoids before a table need the second to get far in a trial."""
TOO_LARGE = 1000.0
"""Root mean square of features, as of incomes, that Adam does not make up for in usual time."""


def eased(program: Program, matches: Sequence[Match]) -> list[Match]:
    """Causes with Adam beside their remedy, faster than the program's own.

    Args:
        program: That does not learn, nor does it with any one remedy.
        matches: What its facts show.
    """
    known = (program.rate or 1.0) if _is_adam(program) else 0.0
    return [
        replace(match, remedy=_beside(match.remedy, rate))
        for match in matches
        if match.remedy is not None and match.remedy.rate is None
        for rate in RATES
        if rate > 2 * known
    ]


def slow(program: Program) -> list[Match]:
    """An optimiser that does not get through where Adam does; none where it is Adam."""
    given = "" if program.rate is None else f" at {program.rate:g}"
    return [
        Match(
            f"{program.optimizer} is too slow for this network",
            f"{program.optimizer}{given}; the same network learns with Adam",
            program.words(
                torch=f"Use torch.optim.Adam(..., lr={rate:g})",
                keras=f"Use optimizer=keras.optimizers.Adam({rate:g})",
            ),
            Belief.MAYBE,
            Remedy(f"with Adam at {rate:g}", changes=Change.ADAM, rate=rate),
        )
        for rate in (() if _is_adam(program) else RATES)
    ]


def learns_later(program: Program) -> bool:
    """Whether features are not too large for Adam, whose steps do not depend on their scale."""
    fed = numeric(program)
    return fed is not None and _is_adam(program) and scale_of(fed).size.max() < TOO_LARGE


def _is_adam(program: Program) -> bool:
    return "adam" in program.optimizer.lower()


def _beside(remedy: Remedy, rate: float) -> Remedy:
    changes, words = remedy.changes | Change.ADAM, f"{remedy.words} and Adam at {rate:g}"
    return replace(remedy, changes=changes, rate=rate, words=words)
