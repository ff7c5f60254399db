"""Looking repeatedly: levels that keep alpha, and trainings that go on until it is decided."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import special

from parity.judge.answers import Run, Side
from parity.judge.equivalence import welch
from parity.judge.looks import looks, nominal_levels, until_decided
from parity.judge.outcome import Outcome, judge_sides
from parity.judge.planning import seeds_needed
from parity.judge.verdict import Thresholds, Verdict
from tests.support.parity_sides import healthy, worse

LABELS, LIGHTNING, KERAS = healthy()
BY_CLASS = [np.flatnonzero(c == LABELS) for c in range(10)]
IDS = np.arange(len(LABELS))


def test_two_seeds_a_side_at_a_time_up_to_the_limit() -> None:
    assert looks(4) == [4]
    assert looks(9) == [4, 6, 8, 9]
    assert looks(20) == [4, 6, 8, 10, 12, 14, 16, 18, 20]
    with pytest.raises(ValueError, match="limit of 3 seeds a side; expected at least 4"):
        looks(3)


def test_the_levels_are_those_of_the_literature() -> None:
    """Five equal looks at a one-sided 0.025 (Jennison, Turnbull 2000; the package ldbounds)."""
    bounds = -special.ndtri(nominal_levels((1, 2, 3, 4, 5), 0.025))
    np.testing.assert_allclose(bounds, [2.4380, 2.4268, 2.4101, 2.3966, 2.3859], atol=2e-3)
    assert nominal_levels((7,), 0.05) == [pytest.approx(0.05, abs=1e-4)]


def test_all_looks_together_keep_alpha() -> None:
    seeds, rng = looks(20), np.random.default_rng(0)
    values = rng.normal(size=(200_000, 20)).cumsum(axis=1)
    z = values[:, np.array(seeds) - 1] / np.sqrt(seeds)
    crossed = (z > -special.ndtri(nominal_levels(tuple(seeds), 0.05))).any(axis=1)
    assert crossed.mean() == pytest.approx(0.05, abs=0.002)
    naive = (z > -special.ndtri(0.05)).any(axis=1)
    assert naive.mean() > 0.13  # what it is there for


@pytest.mark.parametrize(
    ("verdicts", "asked"),
    [
        ("E", [4]),
        ("IID", [4, 6, 8]),
        ("IC", [4, 6]),
        ("IIII", [4, 6, 8, 10]),
    ],
)
def test_it_goes_on_until_it_is_decided_or_the_limit_is_reached(
    verdicts: str, asked: list[int]
) -> None:
    names = {verdict.name[0]: verdict for verdict in Verdict}
    seen: list[int] = []

    def judged(seeds: int, thresholds: Thresholds) -> Any:
        seen.append(seeds)
        assert thresholds.alpha < 0.05
        return SimpleNamespace(verdict=names[verdicts[len(seen) - 1]])

    last = until_decided(judged, Thresholds(), 10)
    assert seen == asked
    assert last.verdict is names[verdicts[-1]]


def anew(models: np.ndarray, rng: np.random.Generator, loss: float = 0.0) -> np.ndarray:
    """One more seed: each class as one of fifteen real models reads it, less `loss`."""
    predicted = np.empty_like(LABELS)
    for images in BY_CLASS:
        predicted[images] = models[rng.integers(len(models)), images]
    if loss:
        predicted = worse(predicted, (predicted == LABELS).mean() - loss, rng)
    return predicted


def decided(rng: np.random.Generator, loss: float) -> Outcome:
    """What becomes of a pair of which B loses `loss`, up to 20 seeds a side."""
    runs: dict[str, list[Run]] = {"A": [], "B": []}

    def judged(seeds: int, thresholds: Thresholds) -> Outcome:
        for name, models, lost in (("A", LIGHTNING, 0.0), ("B", KERAS, loss)):
            while len(runs[name]) < seeds:
                seed = anew(models, rng, lost)
                runs[name].append(Run(f"seed{len(runs[name])}", seed, LABELS, IDS))
        a, b = (Side(name, list(r)) for name, r in runs.items())
        return judge_sides(a, b, thresholds)

    return until_decided(judged, Thresholds(), 20)


def test_a_healthy_pair_and_one_that_loses_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    assert [decided(rng, 0.0).verdict for _ in range(3)] == [Verdict.EQUIVALENT] * 3
    assert Verdict.EQUIVALENT not in [decided(rng, 0.008).verdict for _ in range(3)]


@pytest.mark.slow
def test_of_a_hundred_healthy_pairs_97_end_equivalent_and_of_a_hundred_that_lose_none() -> None:
    rng = np.random.default_rng(1)
    well = [decided(rng, 0.0).verdict for _ in range(100)]
    assert well.count(Verdict.EQUIVALENT) >= 97
    assert well.count(Verdict.DIFFERENT) <= 2
    ill = [decided(rng, 0.008).verdict for _ in range(100)]
    assert ill.count(Verdict.EQUIVALENT) == 0
    assert ill.count(Verdict.DIFFERENT) >= 90


@pytest.mark.slow
def test_the_seeds_that_are_asked_for_decide_and_are_not_twice_too_many() -> None:
    """Pairs that three seeds a side leave open, default thresholds."""
    rng = np.random.default_rng(2)
    enough: list[bool] = []
    asked: list[int] = []
    least: list[int] = []
    while len(asked) < 30:
        runs = {"A": [anew(LIGHTNING, rng) for _ in range(3)]}
        runs["B"] = [anew(KERAS, rng) for _ in range(3)]

        def verdict(runs: dict[str, list[np.ndarray]] = runs) -> Any:
            a, b = (
                Side(name, [Run(f"seed{n}", p, LABELS, IDS) for n, p in enumerate(predicted)])
                for name, predicted in runs.items()
            )
            return judge_sides(a, b, Thresholds()).judgement

        first = verdict()
        if first.verdict is not Verdict.INCONCLUSIVE:
            continue
        asked.append(first.seeds_needed)
        seen = {}
        for seeds in range(4, 31):
            for name, models in (("A", LIGHTNING), ("B", KERAS)):
                runs[name].append(anew(models, rng))
            seen[seeds] = verdict().verdict is not Verdict.INCONCLUSIVE
            if seeds >= first.seeds_needed and seen[seeds]:
                break
        enough.append(seen.get(first.seeds_needed, True))
        least.append(min((n for n, done in seen.items() if done), default=30))
    assert np.mean(enough) >= 0.8
    assert np.median(asked) <= 2 * np.quantile(least, 0.8)


@pytest.mark.parametrize(
    ("seeds", "true", "deviation"),
    [
        (3, 0.4, 1.0),
        (5, 0.0, 0.8),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in [(3, 0.0, 0.6), (3, 0.4, 0.6), (5, 0.0, 1.0), (5, 0.4, 1.0), (8, 0.4, 0.6)]
        ),
    ],
)
def test_near_a_margin_four_of_five_estimates_suffice_and_few_are_too_large(
    seeds: int, true: float, deviation: float
) -> None:
    """A single difference in units of its margin, of pairs that the first seeds leave open."""
    rng = np.random.default_rng(4)
    most, pairs = 400, 200
    grid = np.unique(np.geomspace(seeds + 1, most, 60).astype(int))
    asked: list[int] = []
    enough: list[bool] = []
    decided: list[list[bool]] = []
    while len(asked) < pairs:
        a = rng.normal(0, deviation, most)
        b = rng.normal(true, deviation, most)

        def done(n: int, a: np.ndarray = a, b: np.ndarray = b) -> bool:
            found = welch(a[:n], b[:n])
            return min(found.p_within(1.0), found.p_beyond(1.0)) < 0.05

        if done(seeds):
            continue
        needed = seeds_needed([([welch(a[:seeds], b[:seeds])], 1.0)], seeds, 0.05)
        asked.append(needed or most)
        enough.append(asked[-1] > most or done(asked[-1]))
        decided.append([done(n) for n in grid])
    least = grid[np.mean(decided, axis=0) >= 0.8][0]  # decides four of five
    assert np.mean(enough) >= 0.757  # 0.8 less one and a half standard errors
    assert np.median(asked) <= 2 * least
