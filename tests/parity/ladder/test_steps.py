"""Causes of a broken step that are no optimiser's: moving statistics, batches."""

import numpy as np

from parity.arrays import Array, Table
from parity.ladder import steps
from parity.ladder.rungs import Start
from parity.ladder.steps import Stretch
from parity.ladder.tolerance import Tolerance
from parity.readings import moving, optimizer
from parity.readings.case import Case
from parity.readings.cause import gathered
from parity.readings.trace import Trace

NAMES = ("ours", "theirs")
RNG = np.random.default_rng(7)


def followed(weights: Table, fed: Table, keep: float, ddof: int) -> Table:
    """Moving statistics after a step; ``batch_norm_N`` is fed what ``conv_N`` gives."""
    after: Table = {}
    for name, values in fed.items():
        layer, rows = name.replace("conv", "batch_norm"), values.reshape(-1, values.shape[-1])
        for part, new in (("mean", rows.mean(axis=0)), ("variance", rows.var(axis=0, ddof=ddof))):
            after[f"{layer}.{part}"] = keep * weights[f"{layer}.{part}"] + (1 - keep) * new
    return after


def test_each_side_is_read_from_what_it_fed_its_own_layers_and_all_are_told_at_once() -> None:
    """An earlier mistake changes what batch norms are fed, not what they do."""
    rng = np.random.default_rng(0)
    layers = ("conv_1", "conv_2", "conv_3")
    weights = {
        f"{layer.replace('conv', 'batch_norm')}.{part}": 1 + rng.random(3)
        for layer in layers
        for part in ("mean", "variance")
    }
    ours, theirs = ({layer: rng.normal(size=(4, 5, 5, 3)) for layer in layers} for _ in range(2))
    a, b = followed(weights, ours, 0.9, 1), followed(weights, theirs, 0.99, 0)
    found = gathered(moving.explain(Case(NAMES, weights, a, b), (ours, theirs)))
    (cause,) = found
    assert cause.name == "batch-norm momentum and batch-norm variance"
    for said in (
        "batch_norm_1, batch_norm_2, batch_norm_3: ours keeps 0.9 of its old mean and variance",
        "tracks the sample variance, theirs keeps 0.99",
    ):
        assert said in cause.text
    same = followed(weights, theirs, 0.9, 1)
    assert moving.explain(Case(NAMES, weights, a, same), (ours, theirs)) == []
    assert moving.explain(Case(NAMES, weights, a, b), (theirs, ours)) == []


def stretch(told: Array, fed: Array, gradients: float) -> Stretch:
    """Three steps of SGD; B's gradients are `gradients` times A's, and its losses are `fed`."""
    usual = np.array([1.5, 1.1, 1.3])
    start = {"dense_1.kernel": RNG.normal(size=(4, 3))}
    traces = []
    for losses, factor in ((usual, 1.0), (told, gradients)):
        before = [start]
        after: list[Table] = []
        given: list[Table] = []
        for n in range(3):
            slope = np.random.default_rng(n).normal(size=(4, 3))
            given.append({"dense_1.kernel": factor * slope})
            after.append({"dense_1.kernel": before[-1]["dense_1.kernel"] - 0.1 * factor * slope})
            before.append(after[-1])
        traces.append(Trace(before[:-1], given, after, list(losses)))
    ends = traces[0].after[-1], traces[1].after[-1]
    return Stretch(
        "epoch, 3 steps", ends, None, (traces[0], traces[1]),
        lambda: optimizer.explain(traces[0], traces[1], NAMES), ({}, {}), (usual, fed),
        np.full(3, 8), None,
    )  # fmt: skip


def test_batches_are_not_blamed_for_losses_that_have_differed_all_along() -> None:
    exchanged = np.array([1.1 + 1e-5, 1.5, 1.3])
    start = Start(NAMES, {}, Tolerance("float64", 4, False), np.zeros((8, 4)), np.zeros(8, int))
    broken = steps.steps(start, stretch(exchanged, exchanged, 1.01))
    assert not broken.passed
    assert not broken.causes
    usual = np.array([1.5, 1.1, 1.3])
    (cause,) = steps.steps(start, stretch(usual, exchanged, 1.01)).causes
    assert cause.name == "swapped batches"


def test_logits_that_happen_to_lie_between_0_and_1_are_no_probabilities() -> None:
    logits = RNG.random((8, 1))
    shares = 1 / (1 + np.exp(-logits))
    start = Start(NAMES, {}, Tolerance("float64", 4, False), np.zeros((8, 4)), np.zeros(8, int))
    labels = np.array([[0], [1]] * 4)
    for pair in ((logits, shares), (shares, logits)):
        assert steps.metrics(start, labels, *pair).passed
    assert not steps.metrics(start, labels, shares, logits[::-1]).passed
    assert not steps.metrics(start, labels, shares, shares + 1e-3).passed
