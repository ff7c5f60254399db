"""From symptoms to named causes, the likeliest first (numpy only).

Rules are asked in the order of `RULES`: what goes in before what is learned from it, causes before
consequences. A rule speaks only where its figures are there, so a bare prediction file gets fewer
answers than a run directory.
"""

from collections.abc import Callable

import numpy as np

from parity.watch.diagnosis import answers, inputs, learning
from parity.watch.diagnosis.case import Case, Finding

__all__ = ["RULES", "Case", "Finding", "diagnose"]

RULES: tuple[Callable[[Case], Finding | None], ...] = (
    inputs.training_pixels,
    inputs.test_pixels,
    inputs.missing_classes,
    inputs.sorted_training,
    learning.rate_of_zero,
    learning.zero_weights,
    learning.dead_at_start,
    learning.frozen,
    answers.stale,
    answers.not_repeatable,
    answers.squashed,
    answers.rectified,
    answers.permuted,
    learning.rate_too_high,
    learning.rate_too_low,
    learning.uphill,
    inputs.unrelated_labels,
    learning.not_finite,
    learning.dead,
    answers.class_frequencies,
)


def diagnose(case: Case) -> list[Finding]:
    """Every cause that the figures point to, the likeliest first; none for a healthy model."""
    with np.errstate(all="ignore"):  # logits that are not finite are a finding, not an error
        return [finding for rule in RULES if (finding := rule(case)) is not None]
