"""The statistics, against SciPy, statsmodels, scikit-learn or figures worked out by hand."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import confusion_matrix, log_loss, precision_score, recall_score
from statsmodels.stats.contingency_tables import SquareTable
from statsmodels.stats.contingency_tables import mcnemar as oracle_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from parity.judge import equivalence, planning, statistics

RNG = np.random.default_rng(0)


def random_answers(images: int, classes: int, right: float) -> tuple[np.ndarray, np.ndarray]:
    labels = RNG.integers(0, classes, images)
    guesses = RNG.integers(0, classes, images)
    return labels, np.where(RNG.random(images) < right, labels, guesses)


@pytest.mark.parametrize(("images", "classes"), [(1, 2), (50, 2), (500, 10), (5000, 1000)])
def test_confusion_recall_and_precision(images: int, classes: int) -> None:
    labels, predicted = random_answers(images, classes, 0.7)
    table = statistics.confusion(labels, predicted, classes)
    names = list(range(classes))
    np.testing.assert_array_equal(table, confusion_matrix(labels, predicted, labels=names))
    for ours, theirs in (
        (statistics.recall(table), recall_score),
        (statistics.precision(table), precision_score),
    ):
        expected = theirs(labels, predicted, labels=names, average=None, zero_division=np.nan)
        np.testing.assert_allclose(ours, expected, rtol=1e-12)


def test_a_missing_class_has_no_recall_and_all_right_or_wrong_is_1_or_0() -> None:
    labels = np.array([0, 0, 2])
    assert statistics.recall(statistics.confusion(labels, labels, 3)).tolist()[::2] == [1, 1]
    assert np.isnan(statistics.recall(statistics.confusion(labels, labels, 3))[1])
    wrong = statistics.recall(statistics.confusion(labels, 2 - labels, 3))
    assert wrong.tolist()[::2] == [0, 0]


@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_wilson_interval(confidence: float) -> None:
    successes, trials = np.array([0, 1, 5, 980, 1000]), np.array([10, 1, 10, 1000, 1000])
    low, high = statistics.wilson_interval(successes, trials, confidence)
    expected = proportion_confint(successes, trials, alpha=1 - confidence, method="wilson")
    np.testing.assert_allclose((low, high), expected, atol=1e-12)
    assert [float(end) for end in statistics.wilson_interval(0, 0)] == [0, 1]


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 0), (3, 9), (12, 12), (20, 5), (60, 90)])
def test_mcnemar(only_a: int, only_b: int) -> None:
    a = np.repeat([True, True, False, False], [100, only_a, only_b, 7])
    b = np.repeat([True, False, True, False], [100, only_a, only_b, 7])
    exact = only_a + only_b < statistics.EXACT_MCNEMAR_BELOW
    oracle = oracle_mcnemar([[100, only_a], [only_b, 7]], exact=exact, correction=False)
    assert statistics.mcnemar(a, b).p == pytest.approx(oracle.pvalue, abs=1e-12)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_bowker_and_stuart_maxwell(classes: int) -> None:
    a, b = random_answers(2000, classes, 0.6)
    table = statistics.confusion(a, b, classes)
    oracle = SquareTable(table, shift_zeros=False)
    symmetry, homogeneity = oracle.symmetry(), oracle.homogeneity()
    assert statistics.bowker(table).statistic == pytest.approx(symmetry.statistic, rel=1e-9)
    assert statistics.bowker(table).p == pytest.approx(symmetry.pvalue, rel=1e-9)
    ours = statistics.stuart_maxwell(table)
    assert ours.statistic == pytest.approx(homogeneity.statistic, rel=1e-9)
    assert ours.p == pytest.approx(homogeneity.pvalue, rel=1e-9)
    assert ours.df == classes - 1


def test_two_sides_that_agree_fail_no_paired_test() -> None:
    same = statistics.confusion(np.arange(10), np.arange(10), 10)
    assert statistics.bowker(same).p == statistics.stuart_maxwell(same).p == 1
    assert statistics.mcnemar(np.ones(5, bool), np.ones(5, bool)).p == 1


def test_stuart_maxwell_leaves_out_classes_on_which_nobody_differs() -> None:
    table = np.array([[50, 10, 0], [4, 60, 0], [0, 0, 70]])
    part = statistics.stuart_maxwell(table[:2, :2])
    whole = statistics.stuart_maxwell(table)
    assert whole.statistic == pytest.approx(part.statistic)
    assert whole.df == 1
    assert whole.statistic == pytest.approx((10 - 4) ** 2 / 14)  # McNemar's


def test_distances_of_distributions() -> None:
    p, q = np.array([0.5, 0.5, 0]), np.array([0.25, 0.25, 0.5])
    assert statistics.total_variation(p, q) == pytest.approx(0.5)
    middle = (p + q) / 2
    divergence = (stats.entropy(p, middle, base=2) + stats.entropy(q, middle, base=2)) / 2
    assert statistics.jensen_shannon(p, q) == pytest.approx(math.sqrt(divergence), abs=1e-12)
    assert statistics.total_variation([1, 0], [0, 1]) == 1
    assert statistics.jensen_shannon([1, 0], [0, 1]) == pytest.approx(1)
    assert statistics.jensen_shannon(p, p) == 0


def test_log_likelihood_and_calibration() -> None:
    probabilities = RNG.dirichlet(np.ones(5), 300)
    labels = RNG.integers(0, 5, 300)
    ours = statistics.negative_log_likelihood(probabilities, labels)
    assert ours == pytest.approx(log_loss(labels, probabilities), rel=1e-9)
    # Four answers of confidence 0.8, three right; two of 0.6, both right.
    sure, unsure = [0.8, 0.2], [0.6, 0.4]
    by_hand = 4 / 6 * abs(0.75 - 0.8) + 2 / 6 * abs(1 - 0.6)
    found = statistics.expected_calibration_error(
        np.array([sure] * 4 + [unsure] * 2), np.array([0, 0, 0, 1, 0, 0])
    )
    assert found == pytest.approx(by_hand, abs=1e-12)


@pytest.mark.parametrize("margin", [0.002, 0.005, 0.05])
def test_welch_tost(margin: float) -> None:
    a, b = RNG.normal(0.97, 0.003, 6), RNG.normal(0.972, 0.001, 4)
    estimate = equivalence.welch(a, b)
    oracle = CompareMeans(DescrStatsW(b), DescrStatsW(a))
    p, *_ = oracle.ttost_ind(-margin, margin, usevar="unequal")
    assert estimate.p_within(margin) == pytest.approx(p, rel=1e-9)
    low, high = oracle.tconfint_diff(alpha=0.1, usevar="unequal")
    np.testing.assert_allclose(estimate.interval(0.05), (low, high), rtol=1e-9)
    inside = -margin < low and high < margin
    assert (estimate.p_within(margin) < 0.05) == inside


@pytest.mark.parametrize(("gained", "lost", "total"), [(30, 50, 10_000), (3, 0, 40), (1, 1, 2)])
def test_paired_tost(gained: int, lost: int, total: int) -> None:
    differences = np.repeat([1.0, -1.0, 0.0], [gained, lost, total - gained - lost])
    estimate = equivalence.paired(gained, lost, total)
    oracle = DescrStatsW(differences)
    assert estimate.difference == pytest.approx(differences.mean(), abs=1e-15)
    np.testing.assert_allclose(estimate.interval(0.05), oracle.tconfint_mean(0.1), atol=1e-12)
    assert estimate.p_within(0.02) == pytest.approx(oracle.ttost_mean(-0.02, 0.02)[0], abs=1e-9)


def test_too_few_values_show_nothing() -> None:
    for estimate in (equivalence.welch([0.9], [0.9, 0.91]), equivalence.paired(0, 0, 1)):
        assert estimate.interval(0.05) == (-math.inf, math.inf)
        assert estimate.p_within(0.9) == estimate.p_beyond(0.0) == 1
        assert planning.seeds_needed([([estimate], 0.01)], 1, 0.05) is None


def test_identical_answers_are_equivalent_only_where_there_are_enough() -> None:
    assert equivalence.paired(0, 0, 10_000).p_within(0.005) < 0.05
    assert equivalence.paired(0, 0, 100).p_within(0.005) > 0.05


def test_holm() -> None:
    p = RNG.random(20) ** 3
    np.testing.assert_allclose(equivalence.holm(p), multipletests(p, method="holm")[1], rtol=1e-12)
    assert equivalence.holm([]).tolist() == []


def test_a_class_that_stands_out_by_chance_asks_for_few_seeds() -> None:
    """Of ten noisy differences the largest is large, and says little of what more will show."""
    rng, fewer = np.random.default_rng(0), []
    for _ in range(20):
        pilot = rng.normal(0.97, 0.01, (2, 10, 5))
        estimates = [equivalence.welch(a, b) for a, b in zip(*pilot, strict=True)]
        widest = max(estimates, key=lambda e: abs(e.difference))
        together = planning.seeds_needed([(estimates, 0.015)], 5, 0.05)
        alone = planning.seeds_needed([([widest], 0.015)], 5, 0.05)
        fewer.append(together is not None and (alone is None or together < alone))
    assert np.mean(fewer) > 0.5  # at times the widest is so wide that it is soon known to differ


def test_what_no_number_of_seeds_decides_is_said() -> None:
    estimate = equivalence.welch([0.97, 0.98, 0.96], [0.98, 0.97, 0.99])
    assert planning.seeds_needed([([estimate], 1e-6)], 3, 0.05) in (None, *range(4, 1001))
    on_the_margin = equivalence.Estimate(0.01, 1e-4, 400, 0.0014)
    assert planning.seeds_needed([([on_the_margin], 0.01)], 200, 0.05) is None
    assert "more than 1,000 seeds" in planning.in_words(None)


def test_what_is_decidable_shrinks_with_the_root_of_the_seeds() -> None:
    estimate = equivalence.welch([0.97, 0.98], [0.98, 0.97])
    assert estimate.decidable(40, 0.05) == pytest.approx(estimate.decidable(10, 0.05) / 2)


def noisy_copies(base: np.ndarray, count: int) -> list[np.ndarray]:
    guesses = RNG.integers(0, 10, (count, len(base)))
    return list(np.where(RNG.random(guesses.shape) < 0.02, guesses, base))


def test_sides_that_make_other_mistakes_disagree_more_than_their_seeds() -> None:
    truth = RNG.integers(0, 10, 5000)
    other = np.where(np.arange(5000) < 200, (truth + 1) % 10, truth)
    alike = equivalence.seed_disagreement(noisy_copies(truth, 5), noisy_copies(truth, 5))
    assert alike.p > 0.05
    assert alike.between == pytest.approx(alike.within, abs=0.005)
    apart = equivalence.seed_disagreement(noisy_copies(truth, 5), noisy_copies(other, 5))
    assert apart.p < 0.02
    assert apart.between - apart.within == pytest.approx(0.04, abs=0.01)
    single = equivalence.seed_disagreement([truth], [other])
    assert (single.between, single.p) == (0.04, 1)


def test_which_side_is_called_a_does_not_matter() -> None:
    table = np.array([[5, 0], [3, 5]])
    assert statistics.bowker(table) == statistics.bowker(table.T)
    assert statistics.bowker(table).statistic == 3
    better, worse = (equivalence.Estimate(by, 0.01, 8, 0.01) for by in (0.02, -0.02))
    assert better.p_within(0.03) == worse.p_within(0.03)
    assert better.p_beyond(0.005) == worse.p_beyond(0.005)


def test_bins_of_confidence_are_closed_on_the_right() -> None:
    probabilities = np.array([[0.5, 0.5], [0.75, 0.25]])
    wrong_and_right = np.array([1, 0])
    found = statistics.expected_calibration_error(probabilities, wrong_and_right, bins=2)
    assert found == (0.5 + 0.25) / 2
