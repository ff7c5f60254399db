"""Weights that something else than the optimiser draws anew: named the second time, or left."""

from collections.abc import Callable

import numpy as np
import pytest

from parity.watch.check import Change, Match
from parity.watch.check.anew import Anew
from parity.watch.check.program import Array

RNG = np.random.default_rng(0)
FIRST = RNG.normal(size=64)


def said(between: Callable[[Array, int], Array], *, count: int = 64) -> list[tuple[int, Match]]:
    """What is said in 12 steps of a training that does this to the weights before each."""
    left = FIRST[:count].copy()
    anew, found = Anew(left.copy()), []
    for step in range(1, 13):
        weights = between(left.copy(), step)
        if match := anew.found(left, weights, step):
            found.append((step, match))
        left = weights - 0.1 * RNG.normal(size=count)
    return found


def every_fourth(change: Callable[[Array], Array]) -> Callable[[Array, int], Array]:
    return lambda weights, step: change(weights) if step % 4 == 0 else weights


def test_weights_that_are_drawn_anew_are_named_once() -> None:
    ((step, match),) = said(every_fourth(lambda weights: RNG.normal(size=64)))
    assert step == 8
    assert "drawn anew" in match.cause
    assert "before step 4, and again before step 8" in match.figures
    assert match.remedy is not None
    assert Change.KEPT in match.remedy


def test_weights_that_are_set_back_are_named_as_such() -> None:
    ((_, match),) = said(every_fourth(lambda weights: FIRST.copy()))
    assert match.cause == "the weights are set back during the training"
    assert "those of before the first step again" in match.figures


HEALTHY: dict[str, Callable[[Array], Array]] = {
    "left alone": lambda weights: weights,
    "clipped to +-0.1": lambda weights: weights.clip(-0.1, 0.1),
    "of length 1": lambda weights: weights / np.linalg.norm(weights),
    "half of them pruned": lambda weights: np.where(np.abs(weights) > 0.6, weights, 0),
    "an average of before": lambda weights: 0.5 * weights + 0.5 * FIRST,
    "rounded": lambda weights: np.round(weights),
    "not finite": lambda weights: np.full_like(weights, np.nan),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_what_else_is_done_to_weights_gets_no_word(name: str) -> None:
    assert not said(every_fourth(HEALTHY[name]))


def test_a_single_time_and_a_few_weights_get_no_word() -> None:
    assert not said(lambda weights, step: RNG.normal(size=64) if step == 5 else weights)
    assert not said(every_fourth(lambda weights: RNG.normal(size=8)), count=8)
