"""Losses of steps that differ: named rightly and alone; nothing is made up."""

import numpy as np

from parity.arrays import Array
from parity.readings import batches
from parity.readings.case import Case
from parity.readings.cause import UNEXPLAINED, Cause
from tests.parity.readings.named import NAMES, only, softmax

RNG = np.random.default_rng(7)


def batch_causes(a: Array, b: Array, sizes: Array) -> list[Cause]:
    return batches.explain(Case(NAMES, {"batch sizes": sizes}, {"losses": a}, {"losses": b}))


STEPS, BATCH = 40, 64
EXAMPLES = RNG.normal(size=(STEPS * BATCH, 20))
TRUTH = (EXAMPLES @ RNG.normal(size=(20, 10)) + RNG.normal(size=(STEPS * BATCH, 10))).argmax(1)


def trained(order: list[int], *, rate: float = 0.1, changed: int = STEPS) -> Array:
    """Losses of a softmax regression on these batches; from step `changed` on, a tenth the rate."""
    weights, losses = np.zeros((20, 10)), []
    for step, batch in enumerate(order):
        rows = slice(batch * BATCH, (batch + 1) * BATCH)
        x, truth = EXAMPLES[rows], np.eye(10)[TRUTH[rows]]
        chances = softmax(x @ weights)
        losses.append(-np.log((chances * truth).sum(1)).mean())
        weights -= (rate if step < changed else rate / 10) * x.T @ (chances - truth) / BATCH
    return np.array(losses)


INTURN = list(range(STEPS))
SIZES = np.full(STEPS, BATCH)
HEALTHY = trained(INTURN)


def test_a_swapped_batch_is_named() -> None:
    for place in (5, 17, 30):
        order = [*INTURN[:place], place + 1, place, *INTURN[place + 2 :]]
        found = batch_causes(HEALTHY, trained(order), SIZES)
        said = f"steps {place + 1} and {place + 2}"
        only(found, "swapped batches", said, gap=0.05)


def test_a_repeated_or_skipped_batch_is_named() -> None:
    for place in (5, 17, 30):
        repeated = trained([*INTURN[:place], *INTURN[place - 1 : -1]])
        found = batch_causes(HEALTHY, repeated, SIZES)
        said = f"from step {place + 1} on theirs is one batch behind ours: theirs repeats or adds"
        only(found, "repeated or skipped batch", said, gap=0.1)
        skipped = trained([*INTURN[:place], *INTURN[place + 1 :]])
        found = batch_causes(HEALTHY[:-1], skipped, SIZES[:-1])
        said = f"from step {place + 1} on ours is one batch behind theirs"
        only(found, "repeated or skipped batch", said, gap=0.1)


def test_the_last_partial_batch_is_named() -> None:
    sizes = np.array([*SIZES[:-1], 20])
    padded, divided = HEALTHY.copy(), HEALTHY.copy()
    padded[-1] *= 1.3
    divided[-1] *= 20 / BATCH
    only(
        batch_causes(HEALTHY, HEALTHY[:-1], sizes),
        "last partial batch",
        "theirs leaves out the last batch of 20",
    )
    only(batch_causes(HEALTHY, padded, sizes), "last partial batch", "whose batch has 20")
    only(batch_causes(divided, HEALTHY, sizes), "last partial batch", "ours divides")
    only(batch_causes(HEALTHY[:-3], HEALTHY, SIZES), "number of steps", "after 37 steps")


def test_what_has_no_name_has_its_step() -> None:
    found = batch_causes(HEALTHY, trained(INTURN, changed=11), SIZES)
    only(found, UNEXPLAINED, "part at step 13 of 40", gap=1)
    found = batch_causes(HEALTHY, RNG.random(STEPS), SIZES)
    only(found, UNEXPLAINED, "part at step 1 of 40", gap=3)


def test_losses_that_agree_have_no_cause() -> None:
    assert batch_causes(HEALTHY, HEALTHY * (1 + 1e-13), SIZES) == []
    assert batch_causes(HEALTHY, HEALTHY * np.nan, SIZES) == []
